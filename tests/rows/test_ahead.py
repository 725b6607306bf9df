"""Reads ahead of stores that answer late: in order, several at once, within their bytes."""

import threading
import time
from functools import partial

import dask
import numpy as np
import pytest
import zarr

from daskgmm import GaussianMixture, plan
from daskgmm.rows.ahead import BUDGET, COPIES, MOST_THREADS, Budget, fetched
from daskgmm.rows.opening import as_rows
from tests.promises.distant import Distant

MIB = 1 << 20


@pytest.fixture
def latency(monkeypatch):
    monkeypatch.setattr(Distant, "latency", 0.02)
    monkeypatch.setattr(Distant, "most", 0)


def slow(number, running, seconds=0.01):
    running.append(number)
    time.sleep(seconds)
    running.remove(number)
    return number


@pytest.mark.parametrize("limit", [0, COPIES, 5 * COPIES, 100 * COPIES])
def test_results_come_once_and_in_order(limit):
    reads = [partial(slow, number, [], 0.001 * (number % 3)) for number in range(20)]
    assert list(fetched(reads, 1, limit)) == list(range(20))
    assert list(fetched([], 1, limit)) == []
    assert not BUDGET.taken


def test_no_more_are_under_way_than_the_budget_has_bytes_for():
    running, most = [], []

    def watched(number):
        found = slow(number, running, 0.005)
        most.append(len(running) + 1)
        return found

    reads = [partial(watched, number) for number in range(30)]
    began = time.perf_counter()
    list(fetched(reads, MIB, 4 * COPIES * MIB))
    assert 2 <= max(most) <= 4
    assert time.perf_counter() - began < 0.005 * 30 * 0.9


def test_without_bytes_a_task_reads_one_block_at_a_time():
    budget = Budget()
    assert budget.take(10 * COPIES, 10 * COPIES)  # another task has all of them
    threads = set()
    reads = [lambda: threads.add(threading.get_ident())] * 5
    assert len(list(fetched(reads, 1, 10 * COPIES, budget))) == 5
    assert threads == {threading.get_ident()}


def test_errors_come_in_their_turn_and_leave_nothing():
    def fail():
        raise OSError("the line is cut")

    before = threading.active_count()
    results = fetched([lambda: 0, lambda: 1, fail, lambda: 3], 1, 8 * COPIES)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(OSError, match="cut"):
        next(results)
    stopped = fetched([lambda: 0] * 9, 1, 8 * COPIES)
    next(stopped)
    stopped.close()
    assert (BUDGET.taken, threading.active_count()) == (0, before)


def stored(folder, X, chunk):
    zarr.create_array(folder / "x.zarr", data=X, chunks=(chunk, X.shape[1]))
    return str(folder / "x.zarr")


def test_a_far_store_is_read_in_several_requests_at_once(tmp_path, latency):
    X = np.random.default_rng(0).normal(size=(40_000, 4))
    path = stored(tmp_path, X, 1000)
    segment = as_rows(f"distant://{path}").segment(0, 2)
    near = as_rows(path).segment(0, 2)
    for found, expected in zip(segment.stream(), near.stream(), strict=True):
        np.testing.assert_array_equal(found, expected)  # the same blocks as of a local one
    Distant.most = 0
    with dask.config.set({"daskgmm.read-ahead": 0}):
        list(as_rows(f"distant://{path}").segment(0, 2).stream())
    assert 1 < Distant.most < 40  # those of one block, which Zarr fetches


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_fit_far_away_has_the_bits_of_a_local_one(tmp_path, latency):
    X = np.random.default_rng(0).normal(size=(300_000, 4)).round(2)
    path = stored(tmp_path, X, 32_768)  # 10 blocks of 1 MiB, in reads of 4
    settings = {"random_state": 0, "max_iter": 2, "init_params": "k-means++", "sample_rows": 2000}
    near = GaussianMixture(2, **settings).fit(path)
    far = GaussianMixture(2, **settings).fit(f"distant://{path}")
    np.testing.assert_array_equal(near.means_, far.means_)
    assert near.lower_bound_ == far.lower_bound_
    assert not BUDGET.taken


def test_the_plan_counts_what_reads_ahead_take(tmp_path, latency):
    path = stored(tmp_path, np.zeros((1000, 4)), 500)
    near = plan(path, 2).worker_nbytes
    with dask.config.set({"daskgmm.read-ahead": "100 MiB"}):
        assert plan(f"distant://{path}", 2).worker_nbytes == near + 100 * MIB
        both = plan([path, f"distant://{path}"], 2).worker_nbytes
        assert both == plan([path, path], 2).worker_nbytes + 100 * MIB
    with dask.config.set({"daskgmm.read-ahead": 0}):
        assert plan(f"distant://{path}", 2).worker_nbytes == near


def test_small_reads_are_no_thousand_threads():
    names = set()

    def read():
        time.sleep(0.001)
        names.add(threading.current_thread().name)

    budget = Budget()
    results = fetched((read for _ in range(500)), 1, 1 << 20, budget)
    next(results)
    assert budget.taken <= COPIES**2 * MOST_THREADS
    assert len(list(results)) == 499
    assert 1 < len(names) <= MOST_THREADS
    assert not budget.taken
