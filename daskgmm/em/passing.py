"""A pass that tells how it went."""

from __future__ import annotations

import time
from typing import Protocol, TypeVar

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


def run_pass(
    data: Dataset,
    kind: str,
    work: Work[Result],
    merge: Merge[Result],
    listen: Listener,
    name: str,
    result_nbytes: int = 0,
) -> tuple[Result, PassEnded]:
    """Work on all rows and tell listeners; return the result and the record."""
    began = time.perf_counter()
    outcome = reduce_batches(
        data, work, merge, lambda done, total: listen(BatchDone(done, total)), name, result_nbytes
    )
    rows, seconds = outcome.value.rows, time.perf_counter() - began
    nbytes = rows * data.row_nbytes
    ended = PassEnded(kind, rows, nbytes, seconds, outcome.peak_memory)
    listen(ended)
    return outcome.value, ended
