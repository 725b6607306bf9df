"""Columns that number the rows: an id is no quantity, and no mixture has anything to say of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.em.survey.survey import Survey
from daskgmm.errors import IdColumnWarning
from daskgmm.user_warnings import warn_user

LEAST_ROWS = 20
"""Rows below which values may be evenly spaced whole numbers, or differ, by chance."""

SAME = 1e-9
"""Part by which a mean and a variance may differ from those of evenly spaced numbers."""

LARGEST_WHOLE = 2.0**53
"""Numbers of this size and beyond are all whole."""

CALLED_ID = re.compile(
    r"(^|[^a-z])(ids?|idx|index|row|key|nr|no|num|number|rowid|serial|unnamed: ?\d+)$",
    re.IGNORECASE,
)
CAMEL_ID = re.compile(r"[a-z](Id|ID)$")
"""Names that ids have, with CALLED_ID."""

CALLED_TIME = re.compile(r"time|date|hour|day|week|month|year|second|epoch|^t$", re.IGNORECASE)
"""Names of an axis of time, which may rise by one from row to row."""


def warn_of_ids(survey: Survey, columns: tuple[str, ...] | None) -> None:
    """Warn of the named columns of a table, as read, that are ids of its rows by the survey."""
    found = list(id_columns(survey, columns or ()))
    if not found:
        return
    is_one = len(found) == 1
    names = ", ".join(repr(name) for name, _ in found)
    warn_user(
        f"Of X, {'; '.join(f'column {name!r} {how}' for name, how in found)}, as an id does. "
        f"Components would be runs of rows. Leave {'it' if is_one else 'them'} out unless "
        f"{'it is a quantity' if is_one else 'they are quantities'}: name the other columns "
        f"(--columns; columns= of open_data), or X.drop(columns=[{names}]) of a data frame.",
        IdColumnWarning,
    )


def id_columns(survey: Survey, columns: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield the columns that are ids, with how it is known."""
    n = survey.weighed_rows
    if n < LEAST_ROWS:
        return
    whole, even, differ = _whole(survey), _evenly_spaced(survey), _differ(survey)
    # Others may be a regular axis of space, which is a quantity.
    counts = even & np.isin(survey.minimum, (0, 1)) & (survey.maximum == survey.minimum + n - 1)
    for j, name in enumerate(columns):
        called = bool(CALLED_ID.search(name) or CAMEL_ID.search(name))
        if not whole[j] or (not called and CALLED_TIME.search(name)):
            continue
        if counts[j] or (called and even[j]):
            yield name, "numbers the rows"
        elif differ[j] and called:
            yield name, "holds another whole number in each row looked at"


def _whole(survey: Survey) -> NDArray[np.bool_]:
    """Return which columns (d,) have whole numbers, by their limits and some of their values."""
    values = np.vstack([survey.minimum, survey.maximum, *_probe(survey)])
    sizes = np.abs(values) < LARGEST_WHOLE
    found: NDArray[np.bool_] = (sizes & (values == np.floor(values))).all(axis=0)
    return found


def _evenly_spaced(survey: Survey) -> NDArray[np.bool_]:
    """Return which columns (d,) are n evenly spaced numbers in any order, a whole step apart.

    Their variance is (n^2 - 1) / 12 steps squared, and no other values of that range and mean that
    are likely have it.
    """
    n, width = survey.weighed_rows, survey.maximum - survey.minimum
    step = width / (n - 1)
    weighs_one = survey.weight == n and not survey.has_gaps
    with np.errstate(divide="ignore", invalid="ignore"):
        even = np.diagonal(survey.covariance) / (step**2 * (n**2 - 1.0) / 12) - 1
        middle = (survey.mean - (survey.minimum + survey.maximum) / 2) / width
        close = (np.abs(even) < SAME) & (np.abs(middle) < SAME)
    found: NDArray[np.bool_] = (step == np.floor(step)) & (step > 0) & close & weighs_one
    return found


def _differ(survey: Survey) -> NDArray[np.bool_]:
    """Return of which columns (d,) no two of some rows from all over the data have one value.

    A range below n - 1 has fewer whole numbers than there are rows.
    """
    probe = _probe(survey)
    room = survey.maximum - survey.minimum >= survey.weighed_rows - 1
    apart = [len(np.unique(values)) == len(values) > 1 for values in probe.T]
    return np.asarray(apart, bool) & room


def _probe(survey: Survey) -> Array:
    """Return some rows (m, d), m possibly 0, without a missing value."""
    if survey.probe is None:
        return np.empty((0, len(survey.minimum)))
    probe: Array = np.asarray(survey.probe, np.float64)
    return probe[~np.isnan(probe).any(axis=1)]
