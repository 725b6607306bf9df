"""One batch of rows whose keys come with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from daskgmm.gaussian.block import Block
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.running import Running
from daskgmm.passes.task import Task
from daskgmm.rows.tables.keyed import KeyedSegment, Table


@dataclass(frozen=True, slots=True)
class KeyedBlock(Block):
    """Rows read at once, with their keys.

    Attributes
    ----------
    keys : pyarrow.Table
    chunk : int
        The chunk that they are of.
    """

    keys: Any = None
    chunk: int = 0


@dataclass(frozen=True, slots=True)
class KeyedTask(Task[Any]):
    """A batch, and where its rows are with their keys; `rows` is a `KeyedSegment`."""

    def blocks(self, dependencies: Sequence[Any] = ()) -> Iterator[Block]:
        """Read the batch block by block, each a `KeyedBlock`."""
        segment = cast("KeyedSegment", self.rows)
        for part in segment.keyed(dependencies, self.retries):
            yield KeyedBlock(part.x, None, keys=part.keys, chunk=part.chunk)


def keyed_tasks(data: Dataset, table: Table) -> list[Task[Any]]:
    """Return a task for each batch of the rows of a table, with their keys."""
    retries = Running.configured().retries
    data.rows.prepare(data.executor.get, retries)
    return [
        KeyedTask(batch, table.segment(batch.first, batch.stop), None, data.rows.reads, retries)
        for batch in data.batches
    ]
