"""Executors: results in order, the first error raised, and no cluster started."""

import contextlib
import threading
import time
from types import SimpleNamespace

import dask
import numpy as np
import pytest
from dask.system import CPU_COUNT
from distributed import Client

from daskgmm.companions import ALONE
from daskgmm.passes.configuration import Configuration
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.executors.cluster import Cluster
from daskgmm.passes.executors.executor import ambient_client, choose_executor
from daskgmm.passes.executors.threads import AHEAD, Threads, thread_count
from daskgmm.passes.over_batches import HERE_BYTES, map_batches, reduce_batches
from daskgmm.rows.arrays import ArrayRows
from daskgmm.testing import ExecutorTests
from daskgmm.testing.executors import add, fail_in_the_middle, total

ROWS = np.arange(4000.0).reshape(1000, 4)


def dataset(chunks=20):
    lengths = [1000 // chunks] * chunks
    return Dataset.of(ArrayRows(ROWS, lengths), ALONE, 1000, 100_000)


@pytest.fixture(scope="module")
def client():
    with Client(
        processes=False, n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0"
    ) as it:
        yield it


class TestOneThread(ExecutorTests):
    @pytest.fixture
    def executor(self):
        return Threads(limit=1)


class TestThreads(ExecutorTests):
    @pytest.fixture
    def executor(self):
        with dask.config.set(num_workers=3):
            yield Threads()


class TestCluster(ExecutorTests):
    @pytest.fixture
    def executor(self, client):
        return Cluster(client, Configuration(3, 60.0))


def test_threads_do_not_run_far_ahead_of_who_asks():
    begun = []

    def note(batch, blocks):
        begun.append(batch.index)

    with dask.config.set(num_workers=2):
        results = map_batches(dataset(), note)
        next(results)
        time.sleep(0.2)
        assert len(begun) <= 2 * AHEAD + 1
        assert len(list(results)) == 19


@pytest.mark.parametrize("work", [total, fail_in_the_middle])
@pytest.mark.parametrize("nbytes", [None, 0, HERE_BYTES])
def test_a_pass_leaves_nothing_on_the_cluster(client, monkeypatch, work, nbytes):
    monkeypatch.setattr(
        "daskgmm.passes.dataset.choose_executor", lambda *_: Cluster(client, Configuration(3, 60.0))
    )
    for _ in range(5):
        with contextlib.suppress(ValueError):
            if nbytes is None:
                list(map_batches(dataset(), work))
            else:
                reduce_batches(dataset(), work, add, result_nbytes=nbytes)
    scheduler = client.cluster.scheduler
    waited = time.monotonic()
    while scheduler.tasks and time.monotonic() - waited < 10:
        time.sleep(0.02)
    assert not scheduler.tasks


def test_without_a_client_threads_are_used_and_none_is_started():
    assert ambient_client() is None or ambient_client().status == "running"
    assert isinstance(choose_executor(in_process=True), Threads)
    before = threading.active_count()
    reduce_batches(dataset(1), total, add)
    assert threading.active_count() == before


def test_the_current_client_is_used_but_not_for_rows_in_this_process(client):
    with client.as_current():
        assert ambient_client() is client
        assert isinstance(choose_executor(in_process=False), Cluster)
        assert isinstance(choose_executor(in_process=True), Threads)


@pytest.mark.parametrize("status", ["newly-created", "connecting", "closing", "closed"])
def test_a_client_that_is_not_connected_is_not_waited_for(monkeypatch, status):
    monkeypatch.setattr(Client, "current", lambda: SimpleNamespace(status=status))
    assert ambient_client() is None
    assert isinstance(choose_executor(in_process=False), Threads)


def test_rows_in_memory_in_short_calls_use_one_thread():
    short, long = (Dataset.of(ArrayRows(ROWS), ALONE, k, p) for k, p in ((8, 45), (64, 561)))
    assert short.executor.place().threads == 1
    assert long.executor.place().threads == CPU_COUNT
    with dask.config.set(num_workers=2):
        assert short.executor.place().threads == 1
        assert long.executor.place().threads == 2


def test_threads_are_as_many_as_dask_is_told():
    with dask.config.set(num_workers=7):
        assert thread_count() == 7


class SlowRows(ArrayRows):
    """Rows whose every chunk takes a while to be read."""

    SECONDS = 0.02

    def segment(self, first, stop):
        whole = super().segment(first, stop)

        def stream(*given):
            for block in whole.stream():
                time.sleep(self.SECONDS)
                yield block

        return SimpleNamespace(dependencies=(), stream=stream)


@pytest.mark.parametrize("slow", [True, False])
def test_an_outcome_tells_how_long_tasks_waited_for_rows(slow):
    rows = (SlowRows if slow else ArrayRows)(ROWS, [100] * 10)
    data = Dataset.of(rows, ALONE, 1000, 100_000)
    waited = 10 * SlowRows.SECONDS if slow else 0.0
    found = reduce_batches(data, total, add)
    assert waited <= found.waiting <= found.seconds
    if not slow:
        assert found.waiting < 0.1
