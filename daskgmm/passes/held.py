"""Batches whose decoded blocks stay in memory between passes: the cache that a user asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from daskgmm.passes.task import Task
from daskgmm.rows.rows import Segment


class HeldInProcess:
    """A segment that keeps its blocks once they were all read.

    Parameters
    ----------
    segment : Segment
    """

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self._blocks: list[NDArray[Any]] | None = None

    @classmethod
    def task(cls, task: Task[Any]) -> Task[Any]:
        """Return the same task with its rows and weights held."""
        weights = None if task.weights is None else cls(task.weights)
        return replace(task, rows=cls(task.rows), weights=weights)

    @property
    def dependencies(self) -> Sequence[Any]:
        """Those of the segment."""
        return self._segment.dependencies

    def stream(self, dependencies: Sequence[Any] = (), retries: int = 0) -> Iterator[NDArray[Any]]:
        """Yield the blocks; they are read the first time only."""
        if self._blocks is not None:
            yield from self._blocks
            return
        blocks = []
        for block in self._segment.stream(dependencies, retries):
            blocks.append(block)
            yield block
        self._blocks = blocks


class HeldOnCluster:
    """Blocks that a future of a cluster holds; lost with a worker, they are read again.

    Parameters
    ----------
    future : distributed.Future
        Of a list of blocks.
    """

    def __init__(self, future: Any) -> None:
        self._future = future

    @property
    def dependencies(self) -> Sequence[Any]:
        """The future; where this was unpickled, None."""
        return (self._future,)

    def stream(self, dependencies: Sequence[Any] = (), retries: int = 0) -> Iterator[NDArray[Any]]:
        """Yield the blocks, which are the one result in `dependencies`."""
        yield from dependencies[0]

    def __reduce__(self) -> tuple[Any, ...]:
        # A future that is unpickled inside a task looks for a client: its result comes as
        # the task's own dependency instead.
        return HeldOnCluster, (None,)
