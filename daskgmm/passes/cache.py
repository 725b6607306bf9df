"""Cache of decoded blocks: segments whose blocks stay in memory between passes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from daskgmm.passes.task import Task
from daskgmm.rows.rows import Segment


class CachedInProcess:
    """A segment that keeps its blocks in this process after the first complete read."""

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self._blocks: list[NDArray[Any]] | None = None

    @classmethod
    def task(cls, task: Task[Any]) -> Task[Any]:
        """Return the task with its rows, and what goes beside them, cached."""
        return replace(task, rows=cls(task.rows), beside=task.beside.map(cls))

    @property
    def dependencies(self) -> Sequence[Any]:
        """Futures that the segment needs."""
        return self._segment.dependencies

    def stream(self, dependencies: Sequence[Any] = (), retries: int = 0) -> Iterator[NDArray[Any]]:
        """Yield the blocks; read them the first time only."""
        if self._blocks is not None:
            yield from self._blocks
            return
        blocks = []
        for block in self._segment.stream(dependencies, retries):
            blocks.append(block)
            yield block
        self._blocks = blocks


class CachedOnCluster:
    """A segment whose blocks are the result of a future; a lost result is computed again.

    Parameters
    ----------
    future : distributed.Future
        Future of a list of blocks.
    """

    def __init__(self, future: Any) -> None:
        self._future = future

    @property
    def dependencies(self) -> Sequence[Any]:
        """The future; None after unpickling."""
        return (self._future,)

    def stream(self, dependencies: Sequence[Any] = (), retries: int = 0) -> Iterator[NDArray[Any]]:
        """Yield the blocks, the only result in `dependencies`."""
        yield from dependencies[0]

    def __reduce__(self) -> tuple[Any, ...]:
        # Inside a task, a future that is unpickled looks for a client. The task has the result as
        # its own dependency.
        return CachedOnCluster, (None,)
