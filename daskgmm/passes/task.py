"""Tasks: a batch, its rows, and the function that runs on a thread or a worker."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from threading import Event
from typing import Any, Generic, TypeVar

from daskgmm.blas import one_blas_thread
from daskgmm.companions import ALONE, Companions
from daskgmm.counting import counted
from daskgmm.errors import ClusterError, DataError
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.kernels.workspace import small_buffers
from daskgmm.passes.batches import Batch
from daskgmm.passes.memory import peak_memory
from daskgmm.passes.pairing import paired
from daskgmm.passes.read_ahead import read_ahead
from daskgmm.rows.rows import Segment

Result = TypeVar("Result")

Work = Callable[[Batch, Iterator[Block]], Result]
"""Work of a pass on a batch: a picklable callable, pure in the batch's rows."""

Merge = Callable[[Result, Result], Result]
"""Merge of two results: a picklable, pure callable."""

Progress = Callable[[int, int], None]
"""Callable that takes the number of batches done and the total."""


@dataclass(frozen=True, slots=True)
class Task(Generic[Result]):
    """A batch, with the segments that read its rows and what goes beside them.

    Attributes
    ----------
    batch : Batch
    rows : Segment
    beside : Companions of Segment
    ahead : bool
        Whether to read ahead; False for rows in memory.
    retries : int
        Number of times that a failed read is repeated.
    """

    batch: Batch
    rows: Segment
    beside: Companions[Segment] = ALONE
    ahead: bool = False
    retries: int = 0

    @property
    def dependencies(self) -> tuple[Any, ...]:
        """Futures that the segments need."""
        segments = (self.rows, *self.beside)
        return tuple(needed for segment in segments for needed in segment.dependencies)

    def blocks(self, dependencies: Sequence[Any] = ()) -> Generator[Block]:
        """Yield the blocks of the batch, given the results of `Task.dependencies`."""
        left = iter(dependencies)

        def stream(segment: Segment) -> Iterator[Any]:
            needed = list(itertools.islice(left, len(segment.dependencies)))
            return segment.stream(needed, self.retries)

        return self._counted(paired(stream(self.rows), self.beside.map(stream)))

    def _counted(self, blocks: Iterator[Block]) -> Generator[Block]:
        """Yield blocks; raise `DataError` unless they hold the rows that the batch has."""
        rows = 0
        for block in blocks:
            rows += len(block.x)
            yield block
        if self.batch.rows not in (None, rows):
            raise DataError(
                f"{rows} rows were read where {self.batch.rows} were expected, in batch "
                f"{self.batch.index}. Do not change the data while they are read; run again. A "
                "source of your own has to tell the lengths of its chunks as they are."
            )


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Result]):
    """The result of a task, or the merged result of several.

    Attributes
    ----------
    value : object
    peak_memory : int
        Peak resident memory in bytes, the largest of all processes that ran the tasks.
    marks : int
        Sum of the marks of its batches, modulo 2^64: a batch that is missing, or in it twice,
        changes it.
    seconds, waiting : float
        Sums over tasks of the time that each took from its first row on, and of what it waited for
        rows in that time.
    """

    value: Result
    peak_memory: int
    marks: int
    seconds: float = 0.0
    waiting: float = 0.0


def check_marks(marks: int, tasks: Sequence[Task[Any]]) -> None:
    """Raise `ClusterError` unless they are those of an outcome of these tasks, each once."""
    if marks != sum(task.batch.mark for task in tasks) % 2**64:
        raise ClusterError(
            f"A pass over {counted(len(tasks), 'batch', 'es')} has results of other batches: one "
            "is missing, or was taken twice, as if the scheduler had confused two runs. None of "
            "them was used. Restart the cluster and run again; a fit with a checkpoint resumes "
            "from there."
        )


def run_task(
    task: Task[Result],
    work: Work[Result],
    dependencies: Sequence[Any] = (),
    turn: AbstractContextManager[Any] | None = None,
    abandoned: Event | None = None,
) -> Outcome[Result]:
    """Return the result of `work` on the blocks of a task.

    `turn` is entered after the start of reading and before the work; `abandoned` ends the task at
    its next block with `CancelledError`.
    """
    found = task.blocks(dependencies)
    blocks = found if abandoned is None else _unless(abandoned, found)
    reading = read_ahead(blocks) if task.ahead else nullcontext(blocks)
    # Before reading: lazy rows may be products, whose bits depend on the number of BLAS threads.
    # Closed last, and whoever may still refer to it: reads ahead of an error end with the task.
    with (
        closing(found),
        one_blas_thread(),
        reading as coming,
        turn or nullcontext(),
        small_buffers(),
    ):
        began, watch = time.perf_counter(), Watch(coming)
        value = work(task.batch, watch)
        seconds = time.perf_counter() - began
    return Outcome(value, peak_memory(), task.batch.mark, seconds, watch.seconds)


class Watch(Iterator[Block]):
    """The same blocks, and the seconds that they took to come; it holds none of them."""

    def __init__(self, blocks: Iterator[Block]) -> None:
        self._blocks, self.seconds = blocks, 0.0

    def __next__(self) -> Block:
        began = time.perf_counter()
        try:
            return next(self._blocks)
        finally:
            self.seconds += time.perf_counter() - began


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
    """Return the merged outcome of two."""
    peak, marks = max(one.peak_memory, other.peak_memory), (one.marks + other.marks) % 2**64
    seconds, waiting = one.seconds + other.seconds, one.waiting + other.waiting
    return Outcome(merge(one.value, other.value), peak, marks, seconds, waiting)
