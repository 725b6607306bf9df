"""Passes: work on every batch of a data set, merged to one result or batch by batch."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from daskgmm.errors import DataError
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.task import Merge, Outcome, Progress, Task, Work, check_marks
from daskgmm.rows.checks.whereabouts import told_of

Result = TypeVar("Result")

HERE_BYTES = 8 << 20
"""Bytes of all partial results above which workers merge them, instead of this process."""


def _silent(done: int, total: int) -> None:
    """Show no progress."""


def reduce_batches(
    data: Dataset,
    work: Work[Result],
    merge: Merge[Result],
    progress: Progress | None = None,
    name: str = "daskgmm_pass",
    result_nbytes: int = 0,
) -> Outcome[Result]:
    """Run `work` on every batch and merge the results, of `result_nbytes` each, in order."""
    tasks, work = data.tasks, data.transformed(work)
    large = result_nbytes * len(tasks) > HERE_BYTES
    with _explained(data):
        outcome = data.executor.reduce(tasks, work, merge, name, progress or _silent, large)
        check_marks(outcome.marks, tasks)
        return outcome


def map_batches(
    data: Dataset,
    work: Work[Result],
    progress: Progress | None = None,
    name: str = "daskgmm_pass",
    tasks: Sequence[Task[Any]] | None = None,
) -> Generator[Result]:
    """Run `work` on every batch, or on other tasks, and yield the results in their order."""
    tasks, work = data.tasks if tasks is None else tasks, data.transformed(work)
    with _explained(data):
        done = 0
        for outcome in data.executor.stream(tasks, work, name):
            check_marks(outcome.marks, tasks[done : done + 1])
            done += 1
            if progress is not None:
                progress(done, len(tasks))
            yield outcome.value
        check_marks(0, tasks[done:])


@contextmanager
def _explained(data: Dataset) -> Iterator[None]:
    """Add to an error where the data are, and of NaN the stored numbers that were read as NaN."""
    try:
        yield
    except DataError as error:
        text, given = str(error), {"X": data.rows, **dict(data.beside.named())}
        about = next((name for name in given if text.startswith((f"Input {name} ", name))), "X")
        stored = given[about].taken_as_missing
        if stored is not None and text.startswith(f"Input {about} contains NaN"):
            text = f"{text} NaN stands for {stored}."
        text = told_of(given[about].source, text)
        if text == str(error):
            raise
        raise DataError(text) from error
