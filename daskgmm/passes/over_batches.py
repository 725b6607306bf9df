"""Work on every batch of a data set: merged to one result, or batch by batch."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, TypeVar

from daskgmm.passes.dataset import Dataset
from daskgmm.passes.declared import naming_missing
from daskgmm.passes.task import Merge, Outcome, Progress, Task, Work

Result = TypeVar("Result")

HERE_BYTES = 8 << 20
"""Partial results that are larger together are merged on the workers, not fetched one by one."""


def _unseen(done: int, total: int) -> None:
    """Show no progress."""


def reduce_batches(
    data: Dataset,
    work: Work[Result],
    merge: Merge[Result],
    progress: Progress | None = None,
    name: str = "daskgmm-pass",
    result_nbytes: int = 0,
) -> Outcome[Result]:
    """Run `work` on every batch and merge the results in the order of the batches.

    Parameters
    ----------
    data : Dataset
    work : callable
        Called with a batch and its blocks; picklable.
    merge : callable
        Pure: returns a new result.
    progress : callable, optional
    name : str
        What tasks are called on a dashboard.
    result_nbytes : int
        Bytes of a batch's result, if it is as large as that of all batches.
    """
    tasks, work = data.tasks, data.seen(work)
    large = result_nbytes * len(tasks) > HERE_BYTES
    with naming_missing(data.rows, data.weights):
        return data.executor.reduce(tasks, work, merge, name, progress or _unseen, large)


def map_batches(
    data: Dataset,
    work: Work[Result],
    progress: Progress | None = None,
    name: str = "daskgmm-pass",
    tasks: Sequence[Task[Any]] | None = None,
) -> Generator[Result]:
    """Run `work` on every batch and yield the results in the order of the batches.

    Parameters
    ----------
    tasks : sequence of Task, optional
        In place of those of the data, where blocks are to hold more than rows and weights.
    """
    tasks, work = data.tasks if tasks is None else tasks, data.seen(work)
    with naming_missing(data.rows, data.weights):
        for done, outcome in enumerate(data.executor.stream(tasks, work, name), start=1):
            if progress is not None:
                progress(done, len(tasks))
            yield outcome.value
