"""One sweep over the rows: batches, tasks, executor, reduction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from daskgmm.gaussian.workspace import tile_rows
from daskgmm.passes.executor import choose_executor
from daskgmm.passes.plan import Batch, cut_batches, seconds_per_row
from daskgmm.passes.reduction import reduce_in_order
from daskgmm.passes.task import Task, Work
from daskgmm.rows.rows import Rows

Result = TypeVar("Result")

Progress = Callable[[int, int], None]
"""Called with the number of batches done and their total."""


SHORT_TILE_SECONDS = 4e-4
"""A tile takes about twenty calls, and a call that finds Python's lock taken some 50 us: two
threads were 0.7 to 1.1 times as fast as one at tiles of 0.2 ms, 1.6 times at 1 ms."""


@dataclass(frozen=True)
class Dataset:
    """Rows, their weights, and how passes over them are cut.

    Attributes
    ----------
    rows : Rows
    weights : Rows or None
        Blocks of shape (m,), in the same chunks.
    batches : tuple of Batch
    short_calls : bool
        Whether a tile is done in less than `SHORT_TILE_SECONDS`.
    """

    rows: Rows
    weights: Rows | None
    batches: tuple[Batch, ...]
    short_calls: bool = False

    @classmethod
    def of(cls, rows: Rows, weights: Rows | None, k: int, p: int) -> Dataset:
        """Cut the rows for a model of k components with p statistics each."""
        row_seconds = seconds_per_row(k, p)
        short_calls = row_seconds * tile_rows(p, k) < SHORT_TILE_SECONDS
        return cls(rows, weights, cut_batches(rows, row_seconds), short_calls)

    @cached_property
    def tasks(self) -> list[Task[Any]]:
        """A task for each batch, made once: a lazy array's sub-graphs take time to cut."""
        return [
            Task(
                batch,
                self.rows.segment(batch.first, batch.stop),
                None if self.weights is None else self.weights.segment(batch.first, batch.stop),
            )
            for batch in self.batches
        ]


def sweep(
    data: Dataset,
    work: Work[Result],
    merge: Callable[[Result, Result], Result],
    progress: Progress | None = None,
) -> Result:
    """Run `work` on every batch and merge the results in the order of the batches.

    Parameters
    ----------
    data : Dataset
    work : callable
        Called with a batch and its blocks; picklable.
    merge : callable
        Pure: returns a new result.
    progress : callable, optional
    """
    return reduce_in_order(each(data, work, progress), merge)


def each(data: Dataset, work: Work[Result], progress: Progress | None = None) -> Iterator[Result]:
    """Run `work` on every batch and yield the results in the order of the batches."""
    tasks = data.tasks
    executor = choose_executor(data.rows.in_process, data.short_calls)
    for done, result in enumerate(executor.run(tasks, work), start=1):
        if progress is not None:
            progress(done, len(tasks))
        yield result
