"""Blocks of rows with what goes beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.companions import ALONE, Companions


@dataclass(frozen=True, slots=True)
class Block:
    """Rows read at once, with what goes beside them.

    Attributes
    ----------
    x : ndarray of shape (m, d)
    beside : Companions of ndarray
        Each with m entries.
    indices : ndarray of shape (m,), or None
        Indices of the rows among those that were read, if some were dropped.
    read : int
        Number of rows that were read; ignored without `indices`.
    """

    x: NDArray[Any]
    beside: Companions[NDArray[Any]] = ALONE
    indices: NDArray[np.intp] | None = None
    read: int = 0

    @property
    def weights(self) -> NDArray[Any] | None:
        """Weights of the rows, (m,), or None."""
        return self.beside.weights

    @property
    def n_read(self) -> int:
        """Number of rows that were read, with those dropped."""
        return len(self.x) if self.indices is None else self.read

    def numbers(self, first: int) -> NDArray[np.int64]:
        """Return the number of each row; the first one that was read has the number `first`."""
        return first + (np.arange(len(self.x)) if self.indices is None else self.indices)

    def hashes(self, of_rows: Callable[[int], NDArray[np.uint64]]) -> NDArray[np.uint64]:
        """Return the hashes of the block's rows; `of_rows` hashes the next rows that were read."""
        hashes = of_rows(self.n_read)
        return hashes if self.indices is None else hashes[self.indices]

    def part(self, rows: slice) -> Block:
        """Return neighbouring rows of a block without dropped rows."""
        return Block(self.x[rows], self.beside.map(lambda part: part[rows]))

    def kept(self, indices: NDArray[np.intp]) -> Block:
        """Return the rows of these indices, of a block without dropped rows."""
        beside = self.beside.map(lambda part: part[indices])
        return Block(self.x[indices], beside, indices, len(self.x))

    def weighed(self) -> Block:
        """Return the rows that have a weight, of a block without dropped rows.

        Others may be anything, and so may what is beside them.
        """
        if self.weights is None or self.weights.all():
            return self
        kept = self.kept(np.flatnonzero(self.weights))
        return Block(kept.x, kept.beside)
