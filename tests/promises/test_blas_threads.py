"""Promise 3: all of a fit runs on one thread of BLAS, in tasks and between them.

Otherwise an M-step would round by how many threads BLAS has at that moment, and that depends on
whether the last task has just ended.
"""

import multiprocessing
import threading

import dask.array as da
import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from daskgmm import BayesianGaussianMixture, GaussianMixture, blas, sweep
from daskgmm.blas import one_blas_thread
from tests.waiting import LONGEST

X = np.concatenate([np.random.default_rng(i).normal(3 * i, size=(300, 3)) for i in range(2)])


def threads():
    return {found["num_threads"] for found in threadpool_info() if found["user_api"] == "blas"}


@pytest.mark.parametrize(
    "run",
    [
        lambda listen: GaussianMixture(2, random_state=0).fit(X, listen=listen),
        lambda listen: GaussianMixture(2, standardise=True, random_state=0).fit(X, listen=listen),
        lambda listen: GaussianMixture(2, tails="t", random_state=0).fit(X, listen=listen),
        lambda listen: BayesianGaussianMixture(2, random_state=0).fit(X, listen=listen),
        lambda listen: sweep(X, (1, 2), random_state=0, listen=listen),
    ],
    ids=["full", "standardise", "tails", "Bayesian", "sweep"],
)
def test_fits_have_one_between_their_passes_too(run):
    seen = []
    with threadpool_limits(2, user_api="blas"):
        run(lambda event: seen.append(threads()))
        assert threads() == {2}
    assert seen
    assert all(found == {1} for found in seen)


@pytest.fixture
def two():
    with threadpool_limits(2, user_api="blas"):
        yield


def test_lazy_predictions_give_back_the_others(two):
    mixture, lazy = GaussianMixture(2, random_state=0).fit(X), da.from_array(X, chunks=(50, 3))
    for _ in range(20):
        mixture.predict_proba(lazy).compute(scheduler="threads", num_workers=4)
        assert threads() == {2}


def test_the_last_to_leave_may_be_another_thread_than_the_first_to_enter(two):
    entered, may_leave = threading.Event(), threading.Event()

    def stay():
        with one_blas_thread():
            entered.set()
            may_leave.wait(LONGEST)

    other = threading.Thread(target=stay)
    with one_blas_thread():
        other.start()
        assert entered.wait(LONGEST)
    assert threads() == {1}
    may_leave.set()
    other.join(10)
    assert threads() == {2}


def limited():
    with one_blas_thread():
        return threads()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_limits_its_own(two):
    assert limited() == {1}
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply_async(limited).get(timeout=LONGEST) == {1}


def limited_and_left():
    return limited(), threads()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_process_forked_in_the_context_begins_outside_of_it(two):
    with one_blas_thread(), multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply_async(limited_and_left).get(timeout=LONGEST) == ({1}, {2})
    assert threads() == {2}


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_process_forked_while_another_thread_enters_is_not_locked(two, monkeypatch):
    entering, may_enter = threading.Event(), threading.Event()
    set_limit = blas._set

    def slowly(state):
        entering.set()
        may_enter.wait(LONGEST)
        set_limit(state)

    monkeypatch.setattr(blas, "_set", slowly)
    other = threading.Thread(target=limited)
    other.start()
    try:
        assert entering.wait(LONGEST)
        monkeypatch.setattr(blas, "_set", set_limit)
        with multiprocessing.get_context("fork").Pool(1) as pool:
            assert pool.apply_async(limited_and_left).get(timeout=LONGEST) == ({1}, {2})
    finally:
        may_enter.set()
        other.join(20)


def test_a_caller_that_was_interrupted_leaves_no_limit(two, monkeypatch):
    set_limit = blas._set

    def interrupted(state):
        set_limit(state)
        raise KeyboardInterrupt

    monkeypatch.setattr(blas, "_set", interrupted)
    with pytest.raises(KeyboardInterrupt):
        limited()
    monkeypatch.setattr(blas, "_set", set_limit)
    assert limited_and_left() == ({1}, {2})
