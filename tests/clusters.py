"""Clusters of this machine that tests share."""

import os
import signal
import time
from contextlib import contextmanager
from multiprocessing.forkserver import set_forkserver_preload

import dask
from distributed import LocalCluster, Status
from distributed.utils import get_mp_context

from tests.waiting import LONGEST


@contextmanager
def forked():
    """Start the processes of local clusters from one that has imported what they need.

    A worker is then there in 0.1 s, not after 3 s of a processor. What such workers take of
    memory, and their environment, is not what users have: `spawned` is for that. Nobody looks at
    their profiles either.
    """
    with dask.config.set(
        {
            "distributed.worker.multiprocessing-method": "forkserver",
            "distributed.worker.profile.enabled": False,
            "distributed.admin.system-monitor.interval": "10s",
        }
    ):
        get_mp_context()  # sets modules of its own, once
        set_forkserver_preload(
            ["distributed.nanny", "dask.dataframe", "daskgmm.models.fitting.estimator"]
        )
        yield


def spawned():
    """Start the processes of local clusters as users do, while this context lasts."""
    return dask.config.set(
        {
            "distributed.worker.multiprocessing-method": "spawn",
            "distributed.worker.profile.enabled": True,
            "distributed.admin.system-monitor.interval": "500ms",
        }
    )


def two_workers():
    """Return a cluster of two processes with one thread each."""
    return LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=50
    )


def kill(nanny):
    """Kill the process of a worker at once."""
    os.kill(nanny.pid, signal.SIGKILL)


def alive(cluster):
    """Wait for two workers that have started, and ask for others if a nanny has given up.

    It does so if its worker dies while it starts; so one is left that nobody kills.
    """
    started = time.monotonic()
    while time.monotonic() < started + LONGEST:
        known = set(cluster.scheduler.workers)
        found = [
            nanny
            for nanny in list(cluster.workers.values())
            if nanny.worker_address in known
            and getattr(nanny.process, "status", None) is Status.running
        ]
        if len(found) >= 2:
            return found
        if time.monotonic() > started + 10:
            cluster.scale(2)
        time.sleep(0.05)
    raise AssertionError("no worker came back")
