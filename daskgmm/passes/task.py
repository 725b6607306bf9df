"""One batch of rows through one function: what runs on a thread or a worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from threading import Event
from typing import Any, Generic, TypeVar

from daskgmm.blas import one_blas_thread
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.kernels.workspace import small_buffers
from daskgmm.passes.ahead import read_ahead
from daskgmm.passes.batches import Batch
from daskgmm.passes.memory import peak_memory
from daskgmm.passes.pairing import paired
from daskgmm.rows.rows import Segment

Result = TypeVar("Result")

Work = Callable[[Batch, Iterator[Block]], Result]
"""What a pass does with a batch: a picklable callable, pure in the batch's rows."""

Merge = Callable[[Result, Result], Result]
"""Puts two results together; pure, and picklable."""

Progress = Callable[[int, int], None]
"""Called with the number of batches done and their total."""


@dataclass(frozen=True, slots=True)
class Task(Generic[Result]):
    """A batch, and where its rows and weights are.

    Attributes
    ----------
    batch : Batch
    rows : Segment
    weights : Segment or None
    ahead : bool
        Whether reading takes time that arithmetic can fill: not where rows are in memory.
    retries : int
        How often a read that fails is tried again.
    """

    batch: Batch
    rows: Segment
    weights: Segment | None
    ahead: bool = False
    retries: int = 0

    @property
    def dependencies(self) -> tuple[Any, ...]:
        """Futures of a cluster that the segments need."""
        needed = tuple(self.rows.dependencies)
        return needed if self.weights is None else needed + tuple(self.weights.dependencies)

    def blocks(self, dependencies: Sequence[Any] = ()) -> Iterator[Block]:
        """Read the batch block by block; `dependencies` are the results of its own."""
        count = len(self.rows.dependencies)
        rows = self.rows.stream(dependencies[:count], self.retries)
        weights = None
        if self.weights is not None:
            weights = self.weights.stream(dependencies[count:], self.retries)
        return paired(rows, weights)


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Result]):
    """What came of a task, or of many.

    Attributes
    ----------
    value : object
    peak_memory : int
        The most memory that any process which took part has held so far, in bytes.
    """

    value: Result
    peak_memory: int


def run_task(
    task: Task[Result],
    work: Work[Result],
    dependencies: Sequence[Any] = (),
    turn: AbstractContextManager[Any] | None = None,
    abandoned: Event | None = None,
) -> Outcome[Result]:
    """Read the batch and return what `work` makes of it.

    Parameters
    ----------
    turn : context manager, optional
        Entered before the work, when reading has begun already.
    abandoned : threading.Event, optional
        Once it is set, no further block is read, and `CancelledError` is raised.
    """
    blocks = task.blocks(dependencies)
    if abandoned is not None:
        blocks = _unless(abandoned, blocks)
    reading = read_ahead(blocks) if task.ahead else nullcontext(blocks)
    # Before reading begins: lazy rows may be products, whose bits depend on BLAS's threads.
    with one_blas_thread(), reading as coming, turn or nullcontext(), small_buffers():
        value = work(task.batch, coming)
    return Outcome(value, peak_memory())


def _unless(abandoned: Event, blocks: Iterator[Block]) -> Iterator[Block]:
    while not abandoned.is_set():
        block = next(blocks, None)
        if block is None:
            return
        yield block
    raise CancelledError("the pass has ended with an error elsewhere")


def merge_outcomes(
    merge: Merge[Result], one: Outcome[Result], other: Outcome[Result]
) -> Outcome[Result]:
    """Return the outcome of both."""
    return Outcome(merge(one.value, other.value), max(one.peak_memory, other.peak_memory))
