"""Columns that number the rows: an id is no quantity, and no mixture has anything to say of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import reduce
from operator import add

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

CALLED_ID = re.compile(r"(^|[^a-z])(ids?|rowid|serial|unnamed: ?\d+)$", re.IGNORECASE)
CAMEL_ID = re.compile(r"[a-z](Id|ID)$")
"""Names of ids, with CALLED_ID: quantities are never called so."""

CALLED_NUMBER = re.compile(r"(^|[^a-z])(idx|index|row|key|nr|no|num|number)$", re.IGNORECASE)
"""Names of ids and of quantities, as an atomic number or the index of prices: values decide."""

CALLED_TIME = re.compile(r"time|date|hour|day|week|month|year|second|epoch|^t$", re.IGNORECASE)
"""Names of an axis of time, which may rise by one from row to row."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the survey of some rows tells of ids.

    Attributes
    ----------
    rows : int
        Of positive weight.
    plain : bool
        Whether each of them counts once and misses no value.
    minimum, maximum, mean, variance : ndarray of shape (d,)
    probe : ndarray of shape (m, d)
        Some of the rows, without those that miss a value.
    """

    rows: int
    plain: bool
    minimum: Array
    maximum: Array
    mean: Array
    variance: Array
    probe: Array

    @classmethod
    def of(cls, survey: Survey) -> Seen:
        """Return what a survey tells."""
        n = survey.weighed_rows
        plain = survey.weight == n and not survey.has_gaps
        variance = np.diagonal(survey.covariance)
        limits = survey.minimum, survey.maximum
        return cls(n, plain, *limits, survey.mean, variance, _probe(survey))

    def __add__(self, other: Seen) -> Seen:
        """Return what the surveys of two sets of rows tell of both."""
        n = self.rows + other.rows
        part = other.rows / max(1, n)
        apart = other.mean - self.mean
        within = (1 - part) * self.variance + part * other.variance
        return Seen(
            rows=n,
            plain=self.plain and other.plain,
            minimum=np.minimum(self.minimum, other.minimum),
            maximum=np.maximum(self.maximum, other.maximum),
            mean=self.mean + part * apart,
            variance=within + part * (1 - part) * apart**2,
            # Rows that weigh nothing in one part are looked at there as well.
            probe=np.unique(np.concatenate([self.probe, other.probe]), axis=0),
        )


_PARTS: ContextVar[list[Seen] | None] = ContextVar("parts", default=None)
"""What was seen of parts of the rows, where these are judged together."""


@contextmanager
def judged_together() -> Iterator[list[Seen]]:
    """Collect what surveys inside see of parts of the rows, for `warn_of_ids_of`; none warns."""
    parts: list[Seen] = []
    token = _PARTS.set(parts)
    try:
        yield parts
    finally:
        _PARTS.reset(token)


def warn_of_ids(survey: Survey, columns: tuple[str, ...] | None) -> None:
    """Warn of the named columns of a table, as read, that are ids of its rows by the survey."""
    parts = _PARTS.get()
    if parts is None:
        warn_of_ids_of([Seen.of(survey)], columns)
    else:
        parts.append(Seen.of(survey))


def warn_of_ids_of(parts: Sequence[Seen], columns: tuple[str, ...] | None) -> None:
    """Warn as `warn_of_ids`, of all parts of the rows: ids of all number those of no class."""
    found = list(id_columns(reduce(add, parts), columns or ())) if parts else []
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


def id_columns(seen: Seen, columns: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield the columns that are ids, with how it is known."""
    n = seen.rows
    if n < LEAST_ROWS:
        return
    whole, even, differ = _whole(seen), _evenly_spaced(seen), _differ(seen)
    # Others may be a regular axis of space, which is a quantity.
    counts = even & np.isin(seen.minimum, (0, 1)) & (seen.maximum == seen.minimum + n - 1)
    for j, name in enumerate(columns):
        is_id = bool(CALLED_ID.search(name) or CAMEL_ID.search(name))
        called = is_id or bool(CALLED_NUMBER.search(name))
        if not whole[j] or (not called and CALLED_TIME.search(name)):
            continue
        if counts[j] or (called and even[j]):
            yield name, "numbers the rows"
        elif differ[j] and is_id:
            yield name, "holds another whole number in each row looked at"


def _whole(seen: Seen) -> NDArray[np.bool_]:
    """Return which columns (d,) have whole numbers, by their limits and some of their values."""
    values = np.vstack([seen.minimum, seen.maximum, *seen.probe])
    sizes = np.abs(values) < LARGEST_WHOLE
    found: NDArray[np.bool_] = (sizes & (values == np.floor(values))).all(axis=0)
    return found


def _evenly_spaced(seen: Seen) -> NDArray[np.bool_]:
    """Return which columns (d,) are n evenly spaced numbers in any order, a whole step apart.

    Their variance is (n^2 - 1) / 12 steps squared, and no other values of that range and mean that
    are likely have it.
    """
    n, width = seen.rows, seen.maximum - seen.minimum
    step = width / (n - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        even = seen.variance / (step**2 * (n**2 - 1.0) / 12) - 1
        middle = (seen.mean - (seen.minimum + seen.maximum) / 2) / width
        close = (np.abs(even) < SAME) & (np.abs(middle) < SAME)
    found: NDArray[np.bool_] = (step == np.floor(step)) & (step > 0) & close & seen.plain
    return found


def _differ(seen: Seen) -> NDArray[np.bool_]:
    """Return of which columns (d,) no two of some rows from all over the data have one value.

    A range below n - 1 has fewer whole numbers than there are rows.
    """
    room = seen.maximum - seen.minimum >= seen.rows - 1
    apart = [len(np.unique(values)) == len(values) > 1 for values in seen.probe.T]
    return np.asarray(apart, bool) & room


def _probe(survey: Survey) -> Array:
    """Return some rows (m, d), m possibly 0, without a missing value."""
    if survey.probe is None:
        return np.empty((0, len(survey.minimum)))
    probe: Array = np.asarray(survey.probe, np.float64)
    return probe[~np.isnan(probe).any(axis=1)]
