"""Conformance tests for executors."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from daskgmm.arrays import Array
from daskgmm.companions import ALONE
from daskgmm.gaussian.block import Block
from daskgmm.passes.batches import Batch
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.executors.executor import Executor
from daskgmm.passes.over_batches import HERE_BYTES, map_batches, reduce_batches
from daskgmm.rows.arrays import ArrayRows

Total = tuple[float, list[int]]

BATCHES = 20

ROWS: Array = np.random.default_rng(0).lognormal(sigma=9.0, size=(1000, 4))
"""Rows of sizes so different that the order of their sum shows in its bits."""


class ExecutorTests:
    """Tests of an executor: results do not depend on where tasks run."""

    @pytest.fixture
    def executor(self) -> Executor:
        """Return the executor under test."""
        raise NotImplementedError

    @pytest.fixture
    def data(self, executor: Executor) -> Dataset:
        """Return rows in `BATCHES` batches for the executor."""
        lengths = [len(ROWS) // BATCHES] * BATCHES
        data = Dataset.of(ArrayRows(ROWS, lengths), ALONE, 1000, 100_000)
        assert len(data.batches) == BATCHES
        return replace(data, executor=executor)

    def test_results_come_in_the_order_of_the_batches(self, data: Dataset) -> None:
        """Results come in order and are merged in a tree: the bits are those of a sum in pairs."""
        totals = list(map_batches(data, total))
        assert [indices for _, indices in totals] == [[index] for index in range(BATCHES)]
        expected = _in_pairs([value for value, _ in totals])
        for nbytes in (0, HERE_BYTES):  # merged here, and where tasks run
            merged = reduce_batches(data, total, add, result_nbytes=nbytes)
            assert merged.value == (expected, list(range(BATCHES)))
            assert merged.peak_memory > 10e6

    def test_progress_counts_the_batches(self, data: Dataset) -> None:
        """Progress counts each batch once, in whatever order they end."""
        for nbytes in (0, HERE_BYTES):
            calls: list[tuple[int, int]] = []

            def progress(done: int, count: int, calls: list[tuple[int, int]] = calls) -> None:
                calls.append((done, count))

            reduce_batches(data, total, add, progress, result_nbytes=nbytes)
            assert calls == [(done, BATCHES) for done in range(1, BATCHES + 1)]

    def test_an_error_is_raised_as_it_is_and_the_next_pass_works(self, data: Dataset) -> None:
        """A stream and both ways to merge raise the error of a task."""
        with pytest.raises(ValueError, match="batch five is bad"):
            list(map_batches(data, fail_in_the_middle))
        for nbytes in (0, HERE_BYTES):
            with pytest.raises(ValueError, match="batch five is bad"):
                reduce_batches(data, fail_in_the_middle, add, result_nbytes=nbytes)
        assert reduce_batches(data, total, add).value[1] == list(range(BATCHES))

    def test_cached_tasks_give_the_same(self, data: Dataset, executor: Executor) -> None:
        """Results do not depend on rows that stay in memory between passes."""
        expected = list(map_batches(data, total))
        cached = executor.cache(data.tasks[:7])
        for _ in range(2):
            tasks = [*cached, *data.tasks[7:]]
            assert list(map_batches(data, total, tasks=tasks)) == expected
        executor.close()
        assert list(map_batches(data, total)) == expected

    def test_blas_runs_on_one_thread_in_a_task(self, data: Dataset) -> None:
        """BLAS, whose threads change bits, has one thread in a task and all of them after it."""
        before = blas_threads()
        for inside in map_batches(data, blas_threads_in_a_task):
            assert set(inside) == {1}
        assert blas_threads() == before

    def test_keys_of_a_graph_are_computed(self, executor: Executor) -> None:
        """Values come in the order of the keys."""
        graph = {"one": 1, "two": (add_one, "one"), "three": (add_one, "two")}
        assert list(executor.get(graph, ["three", "one"])) == [3, 1]

    def test_the_place_has_threads(self, executor: Executor) -> None:
        """Plans of memory count the threads."""
        assert executor.place().threads >= 1


def total(batch: Batch, blocks: Iterator[Block]) -> Total:
    """Return the sum of the rows after a delay, so that tasks end in another order."""
    time.sleep(0.002 * (batch.index % 3))
    return sum(float(block.x.sum()) for block in blocks), [batch.index]


def add(one: Total, other: Total) -> Total:
    """Return the sum of two totals."""
    return one[0] + other[0], one[1] + other[1]


def blas_threads() -> list[int]:
    """Return the number of threads of each BLAS library in this process."""
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def blas_threads_in_a_task(batch: Batch, blocks: Iterator[Block]) -> list[int]:
    """Return `blas_threads` inside a task."""
    return blas_threads()


def add_one(number: int) -> int:
    """Return the next number."""
    return number + 1


def fail_in_the_middle(batch: Batch, blocks: Iterator[Block]) -> Total:
    """Raise an error in the batch with the index 5."""
    if batch.index == 5:
        raise ValueError("batch five is bad")
    return 0.0, [batch.index]


def _in_pairs(values: list[float]) -> float:
    """Return the sum in the order of the binary tree over batches."""
    levels: list[tuple[int, float]] = []
    for value in values:
        level, merged = 0, value
        while levels and levels[-1][0] == level:
            merged = levels.pop()[1] + merged
            level += 1
        levels.append((level, merged))
    result = levels.pop()[1]
    while levels:
        result = levels.pop()[1] + result
    return result
