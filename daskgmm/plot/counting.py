"""Counts of rows for pictures: how many bins, from where to where, and what is outside."""

from __future__ import annotations

from typing import Any

import numpy as np

from daskgmm.arrays import Array
from daskgmm.errors import SettingError
from daskgmm.models.pictures.binning import Counts, bin_rows
from daskgmm.plot.shown import Shown

FINE = 96
"""Bins of each feature that rows are counted in; they are joined where there are few rows."""

FACTORS = (1, 2, 3, 4, 6, 8, 12)
"""How many bins are joined to one: divisors of `FINE`."""

MOST_BINS = 1024


def counts_of(shown: Shown, x: Any, sample_weight: Any, bins: int | None) -> Counts:
    """Return the counts of the rows over all features shown, from one pass."""
    limits = shown.limits
    edges = np.linspace(limits[0], limits[1], 1 + checked(bins)).T
    return bin_rows(shown.mixture, x, shown.columns, edges, sample_weight)


def checked(bins: int | None) -> int:
    """Return the number of bins to count in; raise `SettingError` if there are none such."""
    if bins is None:
        return FINE
    whole = isinstance(bins, (int, np.integer)) and not isinstance(bins, bool)
    if not whole or not 2 <= bins <= MOST_BINS:
        raise SettingError(f"bins is {bins!r}; give a whole number from 2 to {MOST_BINS}.")
    return int(bins)


def check_rows(x: Any, sample_weight: Any, bins: int | None) -> None:
    """Raise `SettingError` for arguments that are of rows where there are none."""
    checked(bins)
    if x is None and sample_weight is not None:
        raise SettingError("sample_weight is given, and X is not. Give the rows too, or neither.")


def smooth(counts: Counts, bins: int | None, power: float) -> Counts:
    """Return counts in as many bins as rows allow: 3 n^power; those that are given stay."""
    if bins is not None:
        return counts
    wanted = 3.0 * max(counts.rows, 1) ** power
    return counts.coarser(max([1, *(each for each in FACTORS if FINE / each >= wanted)]))


def outside(seen: Array, present: float, what: str) -> str:
    """Say which part of the rows, or of the weight, that is present is not among that seen."""
    part = 1.0 - float(seen.sum()) / present if present else 0.0
    if part < 5e-4:
        return ""
    some = f"{100 * part:.2g} % of {what}" if part < 0.9995 else f"all {what}"
    return f"{some} beyond the axes"
