"""Transform of blocks between reading and arithmetic: drop rows, map columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from daskgmm.gaussian.block import Block
from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.passes.batches import Batch
from daskgmm.passes.task import Work

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Transform:
    """Changes of blocks between reading and arithmetic.

    Attributes
    ----------
    drop_missing : bool
        Whether rows that miss a value, their weight or the variance of their noise are dropped.
    marginalise : bool
        Whether, if rows are dropped, those that have some value are kept as they are, with NaN.
    coordinates : Coordinates or None
        Map from the columns to the features of the model.
    """

    drop_missing: bool = False
    coordinates: Coordinates | None = None
    marginalise: bool = False

    @property
    def is_identity(self) -> bool:
        """Whether blocks stay as they are."""
        return not self.drop_missing and self.coordinates is None

    def __call__(self, blocks: Iterator[Block]) -> Iterator[Block]:
        """Yield the transformed blocks, one for each."""
        for block in blocks:
            present = self._present(block) if self.drop_missing else block
            if self.coordinates is not None:
                z = self.coordinates.apply(present.x)
                present = replace(present, x=z)
            yield present

    def _present(self, block: Block) -> Block:
        return without_missing(block, self.missing_rows(block.x))

    def missing_rows(self, x: NDArray[Any]) -> NDArray[np.bool_] | None:
        """Return whether each row of x (m, d) is dropped; None if certainly none is."""
        if not self.drop_missing:
            return None
        return rows_without_values(x) if self.marginalise else missing_rows(x)


IDENTITY = Transform()


@dataclass(frozen=True, slots=True)
class TransformedWork(Generic[Result]):
    """Work on transformed blocks."""

    transform: Transform
    work: Work[Result]

    def __call__(self, batch: Batch, blocks: Iterator[Block]) -> Result:
        """Return the result of the work on the batch."""
        return self.work(batch, self.transform(blocks))


def without_missing(block: Block, missing: NDArray[np.bool_] | None) -> Block:
    """Return the rows of a block that are not said to be missing, with their weight and noise."""
    for part in (block.beside.weights, block.beside.noise):
        of_part = None if part is None else missing_rows(part.reshape(len(part), -1))
        if of_part is not None:
            missing = of_part if missing is None else missing | of_part
    if missing is None:
        return block
    return block.kept(np.flatnonzero(~missing))


def missing_rows(x: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Return whether each row of x (m, d) misses a value; None if certainly none does."""
    if x.dtype.kind != "f":
        return None
    with np.errstate(invalid="ignore", over="ignore"):
        # A sum costs less than a look at each value: it is NaN if one is, or infinities cancel.
        if not np.isnan(x.sum()):
            return None
    missing: NDArray[np.bool_] = np.isnan(x).any(axis=1)
    return missing


def rows_without_values(x: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Return whether each row of x (m, d) has no value at all; None if certainly none has none."""
    if x.dtype.kind != "f" or not x.shape[1]:
        return None
    left = np.flatnonzero(np.isnan(x[:, 0]))
    for column in range(1, x.shape[1]):
        left = left[np.isnan(x[left, column])]
    if not len(left):
        return None
    without = np.zeros(len(x), bool)
    without[left] = True
    return without
