"""Where the rows of a block are: in words, for messages, and as numbers, for draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.passes.batches import Batch

Numbers = NDArray[np.int64]


def numbers_on_grid(
    starts: Sequence[int], shape: Sequence[int], sizes: Sequence[int], rows: Numbers
) -> Numbers:
    """Return the numbers on a grid of these sizes of rows (m,) of a block, in C order in both.

    The block begins at `starts`, and has this shape.
    """
    within = np.unravel_index(rows, tuple(shape))
    at = [start + inside for start, inside in zip(starts, within, strict=True)]
    return np.asarray(np.ravel_multi_index(at, tuple(sizes)), np.int64)


def _as_they_are(rows: Numbers) -> Numbers:
    return rows


@dataclass(frozen=True, slots=True)
class Place:
    """The place of the rows of a block in the data.

    Attributes
    ----------
    say : callable
        Says in words where a row of the block is.
    number : callable
        Returns the numbers, in the data, of rows (m,) of the block. They do not depend on how the
        data are cut, unless the lengths of chunks are unknown.
    """

    say: Callable[[int], str]
    number: Callable[[Numbers], Numbers] = _as_they_are

    @classmethod
    def of(cls, batch: Batch) -> Place:
        """Return the place of the rows of a batch."""
        return cls(batch.place, partial(np.add, batch.start_row))

    def __call__(self, row: int) -> str:
        """Say where a row is."""
        return self.say(row)

    def after(self, first: int) -> Place:
        """Return the place of the rows from `first` on."""
        return Place(lambda row: self.say(first + row), lambda rows: self.number(first + rows))

    def numbered(self, number: Callable[[Numbers], Numbers]) -> Place:
        """Return the same place, whose rows have other numbers."""
        return replace(self, number=number)

    def at(self, chosen: NDArray[Any]) -> Place:
        """Return the place of those rows alone, in this order."""
        return Place(lambda row: self.say(int(chosen[row])), lambda rows: self.number(chosen[rows]))
