"""How a pass sees the rows: without those that miss a value, in other coordinates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from daskgmm.gaussian.block import Block
from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.passes.batches import Batch
from daskgmm.passes.task import Work

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class View:
    """What happens to blocks between reading and arithmetic.

    Attributes
    ----------
    drop_missing : bool
        Whether rows that miss a value, or their weight, are left out.
    coordinates : Coordinates or None
        What the rest is mapped to.
    """

    drop_missing: bool = False
    coordinates: Coordinates | None = None

    @property
    def plain(self) -> bool:
        """Whether blocks pass as they are."""
        return not self.drop_missing and self.coordinates is None

    def __call__(self, blocks: Iterator[Block]) -> Iterator[Block]:
        """Yield the blocks as they are seen, one for each."""
        for block in blocks:
            seen = without_missing(block) if self.drop_missing else block
            if self.coordinates is not None:
                z = self.coordinates.apply(seen.x)
                seen = Block(z, seen.weights, seen.kept, seen.n_read)
            yield seen


AS_READ = View()


@dataclass(frozen=True, slots=True)
class Viewed(Generic[Result]):
    """Work on rows as a view shows them.

    Attributes
    ----------
    view : View
    work : callable
    """

    view: View
    work: Work[Result]

    def __call__(self, batch: Batch, blocks: Iterator[Block]) -> Result:
        """Return what the work makes of the batch."""
        return self.work(batch, self.view(blocks))


def without_missing(block: Block) -> Block:
    """Return the rows of a block that miss neither a value nor their weight."""
    missing = missing_rows(block.x)
    if block.weights is not None:
        of_weights = missing_rows(block.weights[:, None])
        if of_weights is not None:
            missing = of_weights if missing is None else missing | of_weights
    if missing is None:
        return block
    kept = np.flatnonzero(~missing)
    weights = None if block.weights is None else block.weights[kept]
    return Block(block.x[kept], weights, kept, len(block.x))


def missing_rows(x: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Return whether each row of x (m, d) misses a value; None if certainly none does."""
    if x.dtype.kind != "f":
        return None
    with np.errstate(invalid="ignore", over="ignore"):
        # One quick look at most blocks: a sum is NaN if a value is (or infinities cancel).
        if not np.isnan(x.sum()):
            return None
    missing: NDArray[np.bool_] = np.isnan(x).any(axis=1)
    return missing
