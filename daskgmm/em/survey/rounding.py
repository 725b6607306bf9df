"""The steps that the values of each column come in: ties are rows whose values were rounded."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array

EPSILON = float(np.finfo(np.float64).eps)

SAME = 8
"""Spacings of floating point numbers within which two values are one that was computed twice."""


RARE = 0.05
"""Part of the rows whose values, the rarest ones, tell nothing of the step of the others. Those of
one station or day may stand together in a batch."""

TELLING_ROWS = 2048
"""Rows of a batch that its steps are found from: of a column that was not rounded, the smallest
difference of so many values is about a four-millionth of their range."""


COLUMNS_ENTRIES = 1 << 18
"""Values that are sorted at once: 2 MiB."""


class SomeRows:
    """Collects rows of d columns from all over a batch, tile by tile: neighbours may be equal."""

    def __init__(self, d: int, rows: int | None) -> None:
        self._every = 1 if rows is None else max(1, rows // TELLING_ROWS)
        self._parts, self._before, self._held = [np.empty((d, 0))], 0, 0

    def add(self, z: Array, weights: Array | None = None) -> None:
        """Take some rows of the next tile (d, b), none of weight 0; weights (b,)."""
        b = z.shape[1]
        chosen = np.arange(-self._before % self._every, b, self._every)
        chosen = chosen if weights is None else chosen[weights[chosen] > 0]
        self._parts.append(z[:, chosen])
        self._before, self._held = self._before + b, self._held + len(chosen)
        while self._held >= 2 * TELLING_ROWS:  # of a batch whose length nobody knew
            kept = self.rows[:, ::2]
            self._parts, self._held, self._every = [kept], kept.shape[1], 2 * self._every

    @property
    def rows(self) -> Array:
        """The rows taken, as columns, shape (d, m)."""
        return np.concatenate(self._parts, axis=1)


def rounding_of(z: Array) -> Array:
    """Return the covariance (d, d) of half a step between the values of each column of z.T.

    It is diagonal; infinite where a column has a single value. The rarest values are left out,
    of a twentieth of the rows at most: a few that were computed otherwise would be the step.
    """
    if z.shape[1] < 2:
        return np.diag(np.full(len(z), np.inf))
    if np.isnan(z.sum()):
        # Each column has gaps of its own.
        steps = [rounding_of(row[None, ~np.isnan(row)])[0, 0] for row in z]
        return np.diag(steps)
    # Some columns at a time: all that is computed on the way has the size of the rows.
    step = max(1, COLUMNS_ENTRIES // z.shape[1])
    smallest = [_steps(z[first : first + step]) for first in range(0, len(z), step)]
    return np.diag(np.square(np.concatenate(smallest)) / 4)


def _steps(z: Array) -> Array:
    """Return the step between the values of each column, (d,), as `rounding_of`."""
    ordered = np.sort(z, axis=1)
    # What they were computed from was of the size of most values; one far away tells nothing.
    size = np.maximum(np.abs(ordered[:, 1:]), np.abs(ordered[:, :-1]))
    size = np.maximum(size, np.median(np.abs(ordered), axis=1)[:, None])
    gaps = np.diff(ordered, axis=1)
    differs = gaps > SAME * EPSILON * size
    # Where all values differ, those that are left out may be any.
    smallest: Array = gaps[:, _rare(z.shape[1]) :].min(axis=1)
    for column in np.flatnonzero(~differs.all(axis=1)):
        smallest[column] = _step(ordered[column], differs[column])
    return smallest


def _rare(rows: int) -> int:
    """Return how many rows are too few to tell a step."""
    return int(RARE * rows)


def _step(ordered: Array, differs: NDArray[np.bool_]) -> float:
    """Return the smallest difference between the values (m,) of a column, but for the rarest.

    `differs` (m - 1,) tells whether a value is another one than that before.
    """
    first = np.flatnonzero(np.concatenate([[True], differs]))
    counts = np.diff(first, append=len(ordered))
    order = np.argsort(counts, kind="stable")
    common = order[np.cumsum(counts[order]) > _rare(len(ordered))]
    # Beside a single frequent value the others are all that tells.
    enough = counts[common].sum() - counts.max() > _rare(len(ordered))
    values = ordered[first[np.sort(common)]] if enough else ordered[first]
    return float(np.diff(values).min(initial=math.inf))


def settled(rounding: Array, some: Array) -> Array:
    """Return the rounding of all rows: no step is smaller than the spacing of some (m, d)."""
    steps = np.diagonal(rounding)
    spacing = EPSILON * np.median(np.abs(some), axis=0)
    return np.diag(np.maximum(np.where(np.isfinite(steps), steps, 0.0), spacing**2))
