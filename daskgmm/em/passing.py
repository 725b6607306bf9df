"""A pass that tells how it went."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from daskgmm.em.events import BatchDone, Listener, PassEnded
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.over_batches import reduce_batches
from daskgmm.passes.task import Merge, Work


class Counted(Protocol):
    """A result that knows how many rows it is of."""

    @property
    def rows(self) -> int:
        """The number of rows."""


Result = TypeVar("Result", bound=Counted)

TINY = 1e-9
"""Seconds that are none."""


@dataclass(frozen=True, slots=True)
class Pass(Generic[Result]):
    """Work of a pass on all rows; `kind` is its name in events.

    `nbytes` are those of a batch's result, if it is as large as that of all batches. The names of
    tasks are made of `tasks`, by default of the kind. Dask's dashboard colours a task by a hash of
    its name: with an underscore, the passes of a fit and of a sweep have colours of their own.
    """

    kind: str
    work: Work[Result]
    merge: Merge[Result]
    nbytes: int = 0
    tasks: str = ""


def run_pass(data: Dataset, asked: Pass[Result], listen: Listener) -> tuple[Result, PassEnded]:
    """Work on all rows and tell listeners; return the result and the record."""
    began, name = time.perf_counter(), f"daskgmm_{asked.tasks or asked.kind}"

    def progress(done: int, total: int) -> None:
        listen(BatchDone(done, total))

    outcome = reduce_batches(data, asked.work, asked.merge, progress, name, asked.nbytes)
    rows, seconds = outcome.value.rows, time.perf_counter() - began
    nbytes = rows * data.row_nbytes
    waiting = seconds * outcome.waiting / max(outcome.seconds, TINY)
    ended = PassEnded(asked.kind, rows, nbytes, seconds, outcome.peak_memory, waiting)
    listen(ended)
    return outcome.value, ended
