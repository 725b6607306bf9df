"""A table of standard errors: a line for each weight, mean and standard deviation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from daskgmm.markup.carded import Grid, Sheet

if TYPE_CHECKING:
    from daskgmm.models.uncertainty.standard_errors import StandardErrors

WORDS = {"weights": "weight", "means": "mean", "standard_deviations": "deviation"}
"""What lines are about; covariances of pairs of features are left out."""

ESTIMATE, ERROR = "estimate", "standard error"

DIGITS = 3
"""Digits of a standard error that are told; its estimate and interval end with the last of them."""

SMALL, LARGE = 1e-4, 1e7
"""Sizes between which numbers are written without an exponent."""

AXES = "Along principal axes (pca), as means_ and covariances_ are, and not in units of columns."

Line = tuple[str, float, float, float, float]
"""Name, estimate, standard error, and both ends of the interval of a parameter."""


def table(errors: StandardErrors, level: float) -> str:
    """Return the table, with confidence intervals that cover with this probability."""
    along_axes, cells = errors.estimates.along_axes, cells_of(errors, level)
    width = 1 + max(len(name) for name, *_ in cells)
    room = max(len(ESTIMATE), *(len(value) for _, value, *_ in cells))
    head = f"{'':{width}}{ESTIMATE:>{room}}  {ERROR}  {100 * level:.4g} % interval"
    rows = [
        f"{name:{width}}{value:>{room}}  {error:>{len(ERROR)}}  {low} to {high}"
        for name, value, low, high, error in cells
    ]
    return "\n".join([*([AXES, ""] if along_axes else []), head, *rows])


def cells_of(errors: StandardErrors, level: float) -> list[tuple[str, ...]]:
    """Return of each parameter its name, estimate, both ends of its interval, and its error."""
    own = errors if errors.estimates.along_axes else errors.in_data_units()
    return [
        (name, *written((value, low, high), error), f"{float(f'{error:.{DIGITS}g}'):g}")
        for name, value, error, low, high in _lines(own, level)
    ]


def sheet(errors: StandardErrors, title: str, level: float = 0.95) -> Sheet:
    """Return what a card says of standard errors."""
    rows = [
        (name, value, error, f"{low} to {high}")
        for name, value, low, high, error in cells_of(errors, level)
    ]
    header = ("", ESTIMATE, ERROR, f"{100 * level:.4g} % interval")
    notices = [AXES] if errors.estimates.along_axes else []
    return Sheet(title, grids=[Grid("Parameters", header, rows)], notices=notices)


def written(values: Sequence[float], error: float) -> tuple[str, ...]:
    """Return values to the last digit of their standard error that is told; 6 digits if it is 0."""
    if not error > 0:
        return tuple(f"{value:.6g}" for value in values)
    last = math.floor(math.log10(error)) - DIGITS + 1
    largest = max(error, *map(abs, values))
    if SMALL <= largest < LARGE:
        return tuple(f"{value:.{max(0, -last)}f}" for value in values)

    def with_exponent(value: float) -> str:
        first = math.floor(math.log10(abs(value))) if value else last
        return f"{value:.{max(0, first - last)}e}"

    return tuple(map(with_exponent, values))


def _lines(errors: StandardErrors, level: float) -> Iterator[Line]:
    own, intervals = errors.estimates, errors.intervals(level)
    for kind, what in WORDS.items():
        values, spread = getattr(own, kind), getattr(errors, kind)
        low, high = getattr(intervals, kind)
        for place in np.ndindex(values.shape):
            of_component = not (own.shared and kind == "standard_deviations")
            words = [what, *([str(place[0])] if of_component else [])]
            words += [own.features[j] for j in place[len(words) - 1 :]]
            yield " ".join(words), values[place], spread[place], low[place], high[place]
