"""Promise 4: a lost worker costs its own batches, and no bit."""

import random
import threading
import time

import pytest
from distributed import Client, LocalCluster

from daskgmm import GaussianMixture
from daskgmm.em.events import BatchDone, PassEnded
from tests.clusters import alive, kill, two_workers
from tests.promises.slow import ITERATIONS, SETTINGS, bits, slowed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    # A nanny that is asked to close while it replaces its worker says so.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]


@pytest.fixture
def cluster():
    with two_workers() as cluster, Client(cluster):
        yield cluster


class Assassin:
    """Calls `strike` once in every pass, at a random batch of its first half."""

    def __init__(self, strike, seed=0):
        self.random = random.Random(seed)
        self.strike, self.strikes, self.due = strike, 0, 0

    def __call__(self, event):
        if isinstance(event, PassEnded):
            self.due = None
        elif isinstance(event, BatchDone):
            if self.due is None or event.done == 1:
                self.due = self.random.randint(1, max(1, event.total // 2))
            if event.done == self.due:
                self.strike()
                self.strikes += 1


def test_kill_a_random_worker_in_every_pass(cluster, stored, quiet):
    def strike():
        kill(assassin.random.choice(alive(cluster)))

    assassin = Assassin(strike)
    mixture = GaussianMixture(**SETTINGS).fit(slowed(stored), listen=assassin)
    assert assassin.strikes >= ITERATIONS + 1
    assert bits(mixture) == quiet


def test_results_that_are_lost_while_the_driver_is_busy(cluster, stored):
    def listen(event):
        if isinstance(event, BatchDone) and event.done == 2 and len(killed) < 3:
            killed.append(alive(cluster)[0])
            kill(killed[-1])
            time.sleep(0.3)  # results that have ended are lost meanwhile

    killed = []
    settings = {**SETTINGS, "max_iter": 3}
    mixture = GaussianMixture(**settings).fit(slowed(stored), listen=listen)
    assert len(killed) == 3
    assert bits(mixture) == bits(GaussianMixture(**settings).fit(slowed(stored, 0.0)))


def test_kill_the_worker_that_holds_the_parameters(cluster, stored, quiet):
    def strike():
        tasks = list(cluster.scheduler.tasks.values())
        holders = [
            worker.address
            for task in tasks
            if str(task.key).startswith("parameters-")
            for worker in task.who_has or ()
        ]
        for nanny in alive(cluster):
            if nanny.worker_address in holders[:1]:
                kill(nanny)
                killed.append(nanny)

    killed = []
    settings = {**SETTINGS, "max_iter": 4}
    alone = GaussianMixture(**settings)
    assassin = Assassin(strike, seed=1)
    mixture = GaussianMixture(**settings).fit(slowed(stored), listen=assassin)
    assert len(killed) >= 3
    assert bits(alone.fit(slowed(stored, 0.0))) == bits(mixture)


def test_a_worker_is_retired_and_others_join(stored, quiet):
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=50
        ) as cluster,
        Client(cluster) as client,
    ):
        joined = []

        def strike():
            if len(joined) < 2:
                cluster.scale(len(cluster.workers) + 1)
                joined.append(True)
            elif assassin.strikes < 8:
                addresses = list(client.nthreads())
                client.retire_workers(addresses[:1], close_workers=True)

        assassin = Assassin(strike, seed=2)
        mixture = GaussianMixture(**SETTINGS).fit(slowed(stored), listen=assassin)
        assert assassin.strikes >= ITERATIONS + 1
    assert bits(mixture) == quiet


def test_losses_with_a_cache_and_with_merges_on_the_workers(monkeypatch, cluster, stored, quiet):
    monkeypatch.setattr("daskgmm.passes.over_batches.HERE_BYTES", 0)
    assassin = Assassin(lambda: kill(assassin.random.choice(alive(cluster))), seed=3)
    struck = []

    def now_and_then(event):
        if len(struck) < 6:
            before = assassin.strikes
            assassin(event)
            struck.extend([True] * (assassin.strikes - before))

    mixture = GaussianMixture(**SETTINGS).fit(slowed(stored), cache="5MB", listen=now_and_then)
    assert len(struck) == 6
    assert bits(mixture) == quiet


def test_two_fits_at_once_do_not_disturb_each_other(stored, quiet):
    found = {}

    def fit(name):
        found[name] = bits(GaussianMixture(**SETTINGS).fit(slowed(stored, 0.002)))

    with Client(
        processes=False, n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0"
    ):
        threads = [threading.Thread(target=fit, args=(name,)) for name in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == {0: quiet, 1: quiet}
