"""Rows of a fit and what goes beside them, cut into batches, with the executor of its passes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

from daskgmm.companions import Companions
from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.gaussian.kernels.workspace import tile_rows
from daskgmm.passes.batches import Batch, cut_batches, seconds_per_row
from daskgmm.passes.configuration import Configuration
from daskgmm.passes.executors.executor import Executor, choose_executor
from daskgmm.passes.persisted import check_persisted
from daskgmm.passes.task import Task, Work
from daskgmm.passes.transform import IDENTITY, Transform, TransformedWork
from daskgmm.rows.rows import Rows, Segment

Result = TypeVar("Result")

SHORT_TILE_SECONDS = 4e-4
"""Seconds of arithmetic in a tile below which one thread is as fast as several: a tile takes about
twenty calls, and a call that waits for Python's lock 50 us. Two threads were 0.7 to 1.1 times as
fast as one with tiles of 0.2 ms, 1.6 times with tiles of 1 ms."""


@dataclass(frozen=True)
class Dataset:
    """Rows, what goes beside them, batches and executor that all passes of a fit share.

    Attributes
    ----------
    rows : Rows
    beside : Companions of Rows
        In the same chunks.
    batches : tuple of Batch
    executor : Executor
    cache : int
        Bytes of decoded rows that may stay in memory between passes.
    transform : Transform
    """

    rows: Rows
    beside: Companions[Rows]
    batches: tuple[Batch, ...]
    executor: Executor = field(compare=False)
    cache: int = 0
    transform: Transform = IDENTITY

    @classmethod
    def of(
        cls,
        rows: Rows,
        beside: Companions[Rows],
        k: int,
        p: int,
        transform: Transform = IDENTITY,
        *,
        short_calls: bool = True,
    ) -> Dataset:
        """Cut the rows into batches for k components with p statistics each; none is cached.

        `short_calls` is that of the back end (`gaussian.kernels.backend.Backend`).
        """
        row_seconds = seconds_per_row(k, p)
        short_tiles = row_seconds * tile_rows(p, k) < SHORT_TILE_SECONDS
        executor = choose_executor(rows.in_process, short_tiles and short_calls)
        check_persisted("X", rows.futures, executor.client)
        for argument, other in beside.named():
            check_persisted(argument, other.futures, executor.client)
        batches = cut_batches(rows, row_seconds)
        return cls(rows, beside, batches, executor, transform=transform)

    @property
    def weights(self) -> Rows | None:
        """Weights of the rows: blocks of shape (m,)."""
        return self.beside.weights

    @property
    def n_features(self) -> int:
        """Number of features of the transformed rows."""
        coordinates = self.transform.coordinates
        return self.rows.n_features if coordinates is None else coordinates.n_features

    def in_coordinates(self, coordinates: Coordinates | None) -> Dataset:
        """Return the data set with other coordinates (None: as read); it shares the tasks."""
        if coordinates is self.transform.coordinates:
            return self
        other = replace(self, transform=replace(self.transform, coordinates=coordinates))
        other.__dict__["tasks"] = self.tasks
        return other

    def transformed(self, work: Work[Result]) -> Work[Result]:
        """Return `work`, preceded by the transform of the rows."""
        return work if self.transform.is_identity else TransformedWork(self.transform, work)

    @cached_property
    def tasks(self) -> list[Task[Any]]:
        """One task a batch; made once, as cutting the graph of a lazy array takes time."""
        retries = Configuration.current().retries
        for rows in (self.rows, *self.beside):
            rows.prepare(self.executor.get, retries)
        tasks: list[Task[Any]] = [
            Task(
                batch,
                self.rows.segment(batch.first, batch.stop),
                self._segments(batch),
                self.rows.reads,
                retries,
            )
            for batch in self.batches
        ]
        n = self.cached_batches
        return [*self.executor.cache(tasks[:n]), *tasks[n:]] if n else tasks

    def _segments(self, batch: Batch) -> Companions[Segment]:
        return self.beside.map(lambda rows: rows.segment(batch.first, batch.stop))

    @property
    def cached_batches(self) -> int:
        """Number of batches that stay in memory between passes; 0 for rows in memory."""
        return cached_batches(self.batches, self.row_nbytes, self.cache) if self.rows.reads else 0

    @property
    def row_nbytes(self) -> int:
        """Decoded bytes of a row and what goes beside it."""
        return sum(rows.row_nbytes for rows in (self.rows, *self.beside))

    def close(self) -> None:
        """Release the tasks on the cluster and the cached rows."""
        self.__dict__.pop("tasks", None)
        self.executor.close()


def cached_batches(batches: Sequence[Batch], row_nbytes: int, cache: int) -> int:
    """Return the number of leading batches whose decoded rows fit into `cache` bytes.

    They are never replaced: a cyclic scan needs next what a least-recently-used cache evicts. The
    count ends at a batch of unknown length.
    """
    sizes = (cache + 1 if batch.rows is None else batch.rows * row_nbytes for batch in batches)
    return sum(total <= cache for total in itertools.accumulate(sizes))
