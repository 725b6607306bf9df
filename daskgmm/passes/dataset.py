"""Rows, their weights, and how passes over them are cut and run."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.gaussian.kernels.workspace import tile_rows
from daskgmm.passes.batches import Batch, cut_batches, seconds_per_row
from daskgmm.passes.executors.executor import Executor, choose_executor
from daskgmm.passes.persisted import check_persisted
from daskgmm.passes.running import Running
from daskgmm.passes.task import Task, Work
from daskgmm.passes.view import AS_READ, View, Viewed
from daskgmm.rows.rows import Rows

Result = TypeVar("Result")

SHORT_TILE_SECONDS = 4e-4
"""A tile takes about twenty calls, and a call that finds Python's lock taken some 50 us: two
threads were 0.7 to 1.1 times as fast as one at tiles of 0.2 ms, 1.6 times at 1 ms."""


@dataclass(frozen=True)
class Dataset:
    """What all passes of a fit share.

    Attributes
    ----------
    rows : Rows
    weights : Rows or None
        Blocks of shape (m,), in the same chunks.
    batches : tuple of Batch
    executor : Executor
    cache : int
        Bytes of decoded rows that may stay in memory between passes.
    view : View
        How passes see the rows.
    """

    rows: Rows
    weights: Rows | None
    batches: tuple[Batch, ...]
    executor: Executor = field(compare=False)
    cache: int = 0
    view: View = AS_READ

    @classmethod
    def of(
        cls,
        rows: Rows,
        weights: Rows | None,
        k: int,
        p: int,
        cache: int = 0,
        *,
        drop_missing: bool = False,
    ) -> Dataset:
        """Cut the rows for a model of k components with p statistics each."""
        row_seconds = seconds_per_row(k, p)
        short_calls = row_seconds * tile_rows(p, k) < SHORT_TILE_SECONDS
        executor = choose_executor(rows.in_process, short_calls)
        check_persisted("X", rows.futures, executor.client)
        if weights is not None:
            check_persisted("sample_weight", weights.futures, executor.client)
        batches = cut_batches(rows, row_seconds)
        return cls(rows, weights, batches, executor, cache, View(drop_missing))

    @property
    def n_features(self) -> int:
        """Features of the rows as passes see them."""
        coordinates = self.view.coordinates
        return self.rows.n_features if coordinates is None else coordinates.n_features

    def seen_in(self, coordinates: Coordinates | None) -> Dataset:
        """Return the same rows in other coordinates, or as read; tasks are shared."""
        if coordinates is self.view.coordinates:
            return self
        other = replace(self, view=replace(self.view, coordinates=coordinates))
        other.__dict__["tasks"] = self.tasks
        return other

    def seen(self, work: Work[Result]) -> Work[Result]:
        """Return work on rows as read that does `work` on them as they are to be seen."""
        return work if self.view.plain else Viewed(self.view, work)

    @cached_property
    def tasks(self) -> list[Task[Any]]:
        """A task for each batch, made once: a lazy array's sub-graphs take time to cut."""
        retries = Running.configured().retries
        for rows in (self.rows, self.weights):
            if rows is not None:
                rows.prepare(self.executor.get, retries)
        tasks: list[Task[Any]] = [
            Task(
                batch,
                self.rows.segment(batch.first, batch.stop),
                None if self.weights is None else self.weights.segment(batch.first, batch.stop),
                self.rows.reads,
                retries,
            )
            for batch in self.batches
        ]
        held = self.held_batches
        return [*self.executor.hold(tasks[:held]), *tasks[held:]] if held else tasks

    @property
    def held_batches(self) -> int:
        """How many batches stay in memory; none where rows need no reading."""
        return held_batches(self.batches, self.row_nbytes, self.cache) if self.rows.reads else 0

    @property
    def row_nbytes(self) -> int:
        """Decoded bytes of a row and its weight."""
        return self.rows.row_nbytes + (0 if self.weights is None else self.weights.row_nbytes)

    def close(self) -> None:
        """Let go of what is kept between passes: tasks that were sent, and the cache."""
        self.__dict__.pop("tasks", None)
        self.executor.close()


def held_batches(batches: Sequence[Batch], row_nbytes: int, cache: int) -> int:
    """Return how many batches, from the first on, fit decoded into `cache` bytes.

    Always the same ones: whatever was used longest ago is, on a cyclic scan, always what is
    needed next. A batch of unknown length fits nowhere.
    """
    sizes = (cache + 1 if batch.rows is None else batch.rows * row_nbytes for batch in batches)
    return sum(total <= cache for total in itertools.accumulate(sizes))
