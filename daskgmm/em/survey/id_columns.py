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
from daskgmm.em.survey.survey import TINY, Survey
from daskgmm.errors import IdColumnWarning
from daskgmm.readers import remedy
from daskgmm.user_warnings import warn_user

LEAST_ROWS = 20
"""Rows below which values may be evenly spaced whole numbers, or differ, by chance."""

SAME = 1e-9
"""Part by which a mean and a variance may differ from those of evenly spaced numbers."""

FIRST_LOOK = 1000
"""Values that nearly always tell that a column has no ids, before all of a sample are sorted."""

LARGEST_WHOLE = 2.0**53
"""Numbers of this size and beyond are all whole."""

LEAST_FULL = 0.9
"""Rows for each of their numbers: others were left out before, and are not known of."""

LEAST_TIES = 7.0
"""Ties that are to be expected among drawn numbers, before numbers without any are no draws."""

RARE = 1e-3
"""Probability below which numbers that are absent at an end tell that they number no rows."""

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
    all_rows : int
        With those of weight 0 and those left out as they miss a value: ids number these too.
    plain : bool
        Whether each row counts once.
    counts : ndarray of shape (d,)
        Values of each column; of weighted rows with gaps as many as they have of the weight.
    minimum, maximum, mean, variance : ndarray of shape (d,)
    probe : ndarray of shape (m, d)
        Some of the rows, without those that miss a value.
    steps : ndarray of shape (d,)
        Largest whole number that divides all differences of `pairs`; 0 without any.
    pairs : ndarray of shape (d,)
        Pairs of rows of which no two have one value; 0 where some have, or values are not whole.
    """

    rows: int
    all_rows: int
    plain: bool
    counts: Array
    minimum: Array
    maximum: Array
    mean: Array
    variance: Array
    probe: Array
    steps: Array
    pairs: Array

    @classmethod
    def of(cls, survey: Survey) -> Seen:
        """Return what a survey tells."""
        n = survey.weighed_rows
        counts = np.full(len(survey.minimum), float(n))
        if survey.observed is not None:
            counts = survey.observed.of_columns * (n / max(survey.weight, TINY))
        probe = _probe(survey)
        return cls(
            n,
            survey.rows + survey.missing,
            survey.weight == n,
            counts,
            survey.minimum,
            survey.maximum,
            survey.mean,
            np.diagonal(survey.covariance),
            probe,
            *_steps_and_pairs(probe if survey.sample is None else survey.sample.x),
        )

    def __add__(self, other: Seen) -> Seen:
        """Return what the surveys of two sets of rows tell of both."""
        counts = self.counts + other.counts
        part = other.counts / np.maximum(1, counts)
        apart = other.mean - self.mean
        within = (1 - part) * self.variance + part * other.variance
        # Rows that weigh nothing in one part are looked at there as well.
        probe = np.unique(np.concatenate([self.probe, other.probe]), axis=0)
        steps, pairs = _joined(self, other)
        of_both = _steps_and_pairs(probe)
        more = of_both[1] > pairs
        return Seen(
            rows=self.rows + other.rows,
            # Rows of other classes weigh nothing, and are there.
            all_rows=max(self.all_rows, other.all_rows),
            plain=self.plain and other.plain,
            counts=counts,
            minimum=np.minimum(self.minimum, other.minimum),
            maximum=np.maximum(self.maximum, other.maximum),
            mean=self.mean + part * apart,
            variance=within + part * (1 - part) * apart**2,
            probe=probe,
            steps=np.where(more, of_both[0], steps),
            pairs=np.where(more, of_both[1], pairs),
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
    how = remedy(f"columns= of open_data, or X.drop(columns=[{names}]) of a frame", "--columns")
    warn_user(
        f"Of X, {'; '.join(f'column {name!r} {how}' for name, how in found)}, as an id does. "
        f"Components would be runs of rows. Leave {'it' if is_one else 'them'} out unless "
        f"{'it is a quantity' if is_one else 'they are quantities'}: name the other columns "
        f"({how}).",
        IdColumnWarning,
    )


def id_columns(seen: Seen, columns: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield the columns that are ids, with how it is known."""
    n = seen.rows
    if n < LEAST_ROWS:
        return
    whole, differ = _whole(seen), _differ(seen)
    even, steps = _evenly_spaced(seen), _steps(seen)
    nearly = _nearly_all(seen, steps)
    # Others may be a regular axis of space, which is a quantity.
    counts = (even & _from_one(seen, seen.counts)) | (nearly & (steps == 1) & _at_an_end(seen))
    for j, name in enumerate(columns):
        is_id = bool(CALLED_ID.search(name) or CAMEL_ID.search(name))
        called = is_id or bool(CALLED_NUMBER.search(name))
        if not whole[j] or (not called and CALLED_TIME.search(name)):
            continue
        if counts[j] or (called and (even[j] or nearly[j])):
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
    n, width = seen.counts, seen.maximum - seen.minimum
    with np.errstate(divide="ignore", invalid="ignore"):
        step = width / (n - 1)
        even = seen.variance / (step**2 * (n**2 - 1.0) / 12) - 1
        middle = (seen.mean - (seen.minimum + seen.maximum) / 2) / width
        close = (np.abs(even) < SAME) & (np.abs(middle) < SAME)
    found: NDArray[np.bool_] = (step == np.floor(step)) & (step > 0) & close & seen.plain
    return found & (n >= LEAST_ROWS)


def _from_one(seen: Seen, n: Array) -> NDArray[np.bool_]:
    """Return which columns (d,) go from 0 or 1 on to the n-th whole number."""
    found: NDArray[np.bool_] = np.isin(seen.minimum, (0, 1)) & (
        seen.maximum == seen.minimum + n - 1
    )
    return found


def _steps(seen: Seen) -> Array:
    """Return the steps (d,) between values, 1 where those of some rows cannot be those of all.

    Rows that are looked at may be evenly spaced themselves.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        places = (seen.maximum - seen.minimum) / seen.steps + 1
    return np.where((seen.steps > 0) & (places < seen.counts), 1.0, seen.steps)


def _nearly_all(seen: Seen, steps: Array) -> NDArray[np.bool_]:
    """Return which columns (d,) hold most of some evenly spaced whole numbers, none of them twice.

    With rows that are left out there are as many rows as `LEAST_FULL` of the numbers, and values
    for half of them. Of numbers that are drawn from p places a pair is tied with a probability of
    1 / p or more, so that none of q pairs is with one of about exp(-q / p) or less.
    """
    width = seen.maximum - seen.minimum
    with np.errstate(divide="ignore", invalid="ignore"):
        places = width / steps + 1
    # Of classes that are numbered alone each has other numbers, and all have fewer than rows.
    most = (seen.all_rows >= LEAST_FULL * places) & (seen.counts >= places / 2)
    most &= seen.counts <= places
    untied = seen.pairs >= LEAST_TIES * places
    found: NDArray[np.bool_] = (steps > 0) & untied & most & (seen.counts >= LEAST_ROWS)
    return found


def _at_an_end(seen: Seen) -> NDArray[np.bool_]:
    """Return which columns (d,) go from about 0 or 1 on, or up to about the number of rows."""
    few, low, high = _few(seen), seen.minimum, seen.maximum
    first = low <= 1 + few
    last = (high >= seen.all_rows - 1 - few) & (high <= seen.all_rows)
    found: NDArray[np.bool_] = (low >= 0) & (first | last)
    return found


def _few(seen: Seen) -> Array:
    """Return how many numbers of each column (d,) may be absent before its first or last one.

    If a part a of all is absent, so many are with a probability of `RARE`: log(RARE) / log(a).
    """
    absent = 1 - seen.counts / np.maximum(np.maximum(seen.maximum, seen.all_rows), 1)
    few: Array = np.log(RARE) / np.log(np.clip(absent, RARE, 1 - RARE))
    return few


def _differ(seen: Seen) -> NDArray[np.bool_]:
    """Return of which columns (d,) no two of some rows from all over the data have one value.

    A range below n - 1 has fewer whole numbers than there are rows.
    """
    room = seen.maximum - seen.minimum >= seen.counts - 1
    apart = [len(np.unique(values)) == len(values) > 1 for values in seen.probe.T]
    return np.asarray(apart, bool) & room


def _probe(survey: Survey) -> Array:
    """Return some rows (m, d), m possibly 0, without a missing value."""
    if survey.probe is None:
        return np.empty((0, len(survey.minimum)))
    probe: Array = np.asarray(survey.probe, np.float64)
    return probe[~np.isnan(probe).any(axis=1)]


def _joined(one: Seen, other: Seen) -> tuple[Array, Array]:
    """Return `steps` and `pairs` of two sets of rows, none of pairs across them."""
    known = (one.pairs > 0) & (other.pairs > 0)
    # The first values of the two are apart by steps as well.
    between = np.where(known, np.abs(one.minimum - other.minimum), 0.0)
    steps = np.gcd(_whole_numbers(one.steps), _whole_numbers(other.steps))
    steps = np.gcd(steps, _whole_numbers(between))
    return steps.astype(np.float64), np.where(known, one.pairs + other.pairs, 0.0)


def _whole_numbers(values: Array) -> NDArray[np.int64]:
    """Return whole numbers as integers; 1, of which all are multiples, for those too large."""
    return np.where(np.abs(values) < LARGEST_WHOLE, values, 1.0).astype(np.int64)


def _steps_and_pairs(x: Array) -> tuple[Array, Array]:
    """Return `steps` and `pairs` of rows x (m, d), whose gaps are filled or NaN."""
    found = [_step_and_pairs(column) for column in np.asarray(x, np.float64).T]
    steps, pairs = np.array(found, np.float64).reshape(-1, 2).T
    return steps, pairs


def _step_and_pairs(values: Array) -> tuple[float, float]:
    """Return what divides all differences of whole numbers, and their pairs; 0, 0 with ties."""
    for part in (values[:FIRST_LOOK], values):
        # What fills gaps is as good as never whole.
        whole = part[(part == np.floor(part)) & (np.abs(part) < LARGEST_WHOLE)]
        ordered = np.sort(whole).astype(np.int64)
        apart = np.diff(ordered)
        if 2 * len(whole) < len(part) or not len(apart) or not apart.all():
            return 0.0, 0.0
    return float(np.gcd.reduce(apart)), len(ordered) * (len(ordered) - 1) / 2
