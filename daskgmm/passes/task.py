"""One batch of rows through one function: what runs on a thread or a worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from daskgmm.gaussian.workspace import small_buffers
from daskgmm.passes.blas import one_blas_thread
from daskgmm.passes.plan import Batch
from daskgmm.passes.tiles import Block, paired
from daskgmm.rows.rows import Segment

Result = TypeVar("Result")

Work = Callable[[Batch, Iterator[Block]], Result]
"""What a pass does with a batch: a picklable callable, pure in the batch's rows."""


@dataclass(frozen=True, slots=True)
class Task(Generic[Result]):
    """A batch, and where its rows and weights are."""

    batch: Batch
    rows: Segment
    weights: Segment | None

    @property
    def dependencies(self) -> tuple[Any, ...]:
        """Futures of a cluster that the segments need."""
        needed = tuple(self.rows.dependencies)
        return needed if self.weights is None else needed + tuple(self.weights.dependencies)


def run_task(task: Task[Result], work: Work[Result], dependencies: Sequence[Any] = ()) -> Result:
    """Read the batch and return what `work` makes of it."""
    count = len(task.rows.dependencies)
    blocks = task.rows.stream(dependencies[:count])
    weights = None if task.weights is None else task.weights.stream(dependencies[count:])
    with one_blas_thread(), small_buffers():
        return work(task.batch, paired(blocks, weights))
