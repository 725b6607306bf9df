"""Clusters that grow and shrink as they please: each fit ends with the bits of a quiet one."""

import threading
from contextlib import contextmanager

import pytest
from distributed import Client, LocalCluster
from distributed.utils import get_mp_context

from daskgmm import GaussianMixture
from daskgmm.em.events import BatchDone
from tests.promises.short_life import work
from tests.promises.slow import SETTINGS, bits, slowed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]


@contextmanager
def cluster_of(n_workers, **settings):
    with (
        LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            silence_logs=50,
            **settings,
        ) as cluster,
        Client(cluster),
    ):
        yield cluster


@contextmanager
def queue(address, *lifetimes):
    """Keep as many workers running as there are lifetimes, each a job that another follows."""
    context, over = get_mp_context(), threading.Event()

    def run(lifetime):
        while not over.is_set():
            worker = context.Process(target=work, args=(address, lifetime))
            worker.start()
            while worker.is_alive() and not over.wait(0.05):
                pass
            worker.kill()
            worker.join()

    threads = [threading.Thread(target=run, args=(each,)) for each in lifetimes]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_an_autoscaler_takes_workers_away_from_their_tasks(stored, quiet):
    """As one does that deletes the pod of a worker: at once, whatever it computes."""
    busy, taken = {}, []
    with cluster_of(3) as cluster:

        def rescale(event):
            workers = cluster.scheduler.workers
            taken.extend(busy.pop(address) for address in busy.keys() - workers.keys())
            if not isinstance(event, BatchDone) or event.done != event.total // 3:
                return
            if len(workers) > 1:
                busy.update({address: len(each.processing) for address, each in workers.items()})
                cluster.scale(1)
            else:
                busy.clear()
                cluster.scale(3)

        mixture = GaussianMixture(**SETTINGS).fit(slowed(stored), listen=rescale)
    assert sum(tasks > 0 for tasks in taken) >= 3
    assert bits(mixture) == quiet


def test_adaptive_scaling(stored, quiet):
    seen = set()
    with cluster_of(1) as cluster:
        cluster.adapt(minimum=1, maximum=3, interval="200ms", wait_count=1, target_duration="100ms")
        mixture = GaussianMixture(**SETTINGS).fit(
            slowed(stored), listen=lambda event: seen.add(len(cluster.scheduler.workers))
        )
    assert len(seen) > 1
    assert bits(mixture) == quiet


@pytest.mark.parametrize("where", ["here", "on the workers"])
def test_lifetimes_retire_workers_that_hold_results(stored, monkeypatch, where):
    """Those of merges on the workers, and rows of a cache; a fit has 45 tasks or more."""
    few, settings = {**SETTINGS, "max_iter": 3}, {}
    if where == "on the workers":
        monkeypatch.setattr("daskgmm.passes.over_batches.HERE_BYTES", 0)
        settings["cache"] = "5MB"
    seen = set()
    with cluster_of(0) as cluster, queue(cluster.scheduler_address, 20, 15):
        mixture = GaussianMixture(**few).fit(
            slowed(stored), listen=lambda event: seen.update(cluster.scheduler.workers), **settings
        )
    assert len(seen) > 2
    assert bits(mixture) == bits(GaussianMixture(**few).fit(slowed(stored, 0.0)))


def test_one_worker_after_the_other(stored):
    """Nobody takes what the last one held: of 15 tasks each, where a pass has 9."""
    settings = {**SETTINGS, "max_iter": 2}
    seen = set()
    with cluster_of(0) as cluster, queue(cluster.scheduler_address, 15):
        mixture = GaussianMixture(**settings).fit(
            slowed(stored), listen=lambda event: seen.update(cluster.scheduler.workers)
        )
    assert len(seen) >= 3
    assert bits(mixture) == bits(GaussianMixture(**settings).fit(slowed(stored, 0.0)))
