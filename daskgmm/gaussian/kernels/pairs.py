"""Fourth moments of the rows that pairs of components share: what curvature is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array


@dataclass(frozen=True, eq=False)
class PairLayout:
    """Coordinates of each pair of components, and the products that are summed.

    With y = F (x - m) of a pair, u = (1, y, |y|^2) and t = u[left] * u[right], the products are
    t_i t_j for j < stops_i, in the order of i and then of j.

    Attributes
    ----------
    numbers : ndarray of int, shape (columns, columns)
        Number of the pair of two components; -1 where it is not wanted, and below the diagonal.
    points : ndarray of shape (pairs, d)
        The points m.
    factors : ndarray of shape (pairs, d, d)
        Upper triangular F.
    diagonal : bool
        Whether these are diagonal.
    left, right, stops : ndarray of int, shape (p,)
    """

    numbers: NDArray[np.int64]
    points: Array
    factors: Array
    diagonal: bool
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    stops: NDArray[np.int64]

    @property
    def size(self) -> int:
        """Number of products of a pair."""
        return int(self.stops.sum())


class PairSums(Protocol):
    """Weighted sums of the products of a `PairLayout`, over rows that are added."""

    def add(self, x: Array, gamma: Array, weights: Array | None) -> None:
        """Add rows x (n, d) with responsibilities (n, columns) and weights (n,)."""

    def total(self) -> Array:
        """Return the sums (pairs, size) over all rows; no more can be added."""
