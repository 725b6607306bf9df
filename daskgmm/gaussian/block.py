"""Rows as they were read, with their weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Block:
    """Rows read at once, with their weights.

    Attributes
    ----------
    x : ndarray of shape (m, d)
    weights : ndarray of shape (m,), or None
    kept : ndarray of shape (m,), or None
        Where some rows were left out: the places of the others among all that were read.
    read : int
        How many those were; ignored without `kept`.
    """

    x: NDArray[Any]
    weights: NDArray[Any] | None
    kept: NDArray[np.intp] | None = None
    read: int = 0

    @property
    def n_read(self) -> int:
        """How many rows were read, those left out included."""
        return len(self.x) if self.kept is None else self.read

    def numbers(self, first: int) -> NDArray[np.int64]:
        """Return the number of each row, if the first one that was read has the number `first`."""
        places = np.arange(len(self.x)) if self.kept is None else self.kept
        return first + places

    def hashes(self, of_rows: Callable[[int], NDArray[np.uint64]]) -> NDArray[np.uint64]:
        """Return what `of_rows` gives for the number of rows read, of those that are here."""
        found = of_rows(self.n_read)
        return found if self.kept is None else found[self.kept]
