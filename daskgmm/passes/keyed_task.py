"""Tasks that read the rows of a table together with their keys."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from daskgmm.companions import ALONE
from daskgmm.gaussian.block import Block
from daskgmm.passes.configuration import Configuration
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.task import Task
from daskgmm.rows.tables.keyed import KeyedSegment, Table


@dataclass(frozen=True, slots=True)
class KeyedBlock(Block):
    """Rows read at once, with their keys.

    Attributes
    ----------
    keys : pyarrow.Table
    chunk : int
        Index of the rows' chunk.
    """

    keys: Any = None
    chunk: int = 0


@dataclass(frozen=True, slots=True)
class KeyedTask(Task[Any]):
    """A task whose `rows` are a `KeyedSegment`."""

    def blocks(self, dependencies: Sequence[Any] = ()) -> Generator[Block]:
        """Yield the batch as `KeyedBlock`s."""
        segment = cast("KeyedSegment", self.rows)
        parts = segment.keyed(dependencies, self.retries)
        return self._counted(KeyedBlock(p.x, keys=p.keys, chunk=p.chunk) for p in parts)


def keyed_tasks(data: Dataset, table: Table) -> list[Task[Any]]:
    """Return one `KeyedTask` for each batch of a table."""
    retries = Configuration.current().retries
    data.rows.prepare(data.executor.get, retries)
    return [
        KeyedTask(batch, table.segment(batch.first, batch.stop), ALONE, data.rows.reads, retries)
        for batch in data.batches
    ]
