"""Integers beyond 2^53, of which float64 does not hold every one: said, not rounded in silence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from daskgmm.arrays import Array
from daskgmm.counting import counted
from daskgmm.em.survey.far_values import NAMED, far_columns, is_fill
from daskgmm.em.survey.survey import Survey
from daskgmm.errors import ResolutionWarning
from daskgmm.readers import remedy
from daskgmm.rows.long_integers import EXACT
from daskgmm.rows.rows import Rows
from daskgmm.user_warnings import warn_user


def warn_of_long_integers(survey: Survey, rows: Rows) -> None:
    """Warn of columns of integers whose extremes, by the survey of rows as read, are rounded.

    Columns with far values are left to `warn_of_far_values`: such a fill value is no integer that
    was rounded.
    """
    found = rounded_columns(survey, rows)
    if found:
        largest = np.maximum(np.abs(survey.minimum), np.abs(survey.maximum))[list(found)].max()
        _warn(found, float(largest), rows.columns)


def rounded_columns(survey: Survey, rows: Rows) -> tuple[int, ...]:
    """Return the columns of integers of 64 bits that reach `EXACT`, but those of far values."""
    large = np.maximum(np.abs(survey.minimum), np.abs(survey.maximum)) >= EXACT
    large &= np.array(rows.has_long_integers, bool)
    if not survey.weighed_rows or not large.any():
        return ()
    far = far_columns(survey)
    return tuple(j for j in map(int, np.flatnonzero(large)) if j not in far)


def warn_of_reach(reach: Array, columns: Sequence[int], rows: Rows) -> None:
    """Warn as of a survey; a number that is known to stand for a missing one is no integer."""
    rounded = (reach >= EXACT) & ~is_fill(reach)
    if rounded.any():
        found = [j for j, each in zip(columns, rounded, strict=True) if each]
        _warn(found, float(reach[rounded].max()), rows.columns)


def _warn(found: Sequence[int], largest: float, columns: tuple[str, ...] | None) -> None:
    named = [f"{j}" if columns is None else repr(columns[j]) for j in found[:NAMED]]
    more = f" and {counted(len(found) - NAMED, 'more column')}" if len(found) > NAMED else ""
    apart = f"{float(np.spacing(largest)):,.0f}"
    many = len(found) > 1
    how = remedy("X without them, or columns= of open_data", "--columns")
    warn_user(
        f"Column{'s' if many else ''} {', '.join(named)}{more} of X hold{'' if many else 's'} "
        "integers beyond 2^53, which float64 rounds: its neighbouring values there are up to "
        f"{apart} apart. If they identify rows, or are hashes, leave them out ({how}). If they are "
        "quantities, such as times in nanoseconds, subtract the first one while they are integers.",
        ResolutionWarning,
    )
