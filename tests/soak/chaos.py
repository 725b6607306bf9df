"""Drivers and workers that are killed, and what is looked at afterwards."""

import pickle
import random
import signal
import threading
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field

from distributed import Client, LocalCluster
from distributed.chaos import KillWorker

from tests.clusters import alive, kill
from tests.drivers import Driver
from tests.soak.jobs import FIT, FITTED, TROUBLES, WORK, Job, driver, quiet, save_model, write_rows

WORKER_SECONDS = 6.0
"""Mean time between two kills of workers."""

DRIVER_SECONDS = 3.0
"""Mean time after which a driver is killed; the last of its kills leaves it alone."""

DRIVERS = 5
"""Drivers that are killed before one is left alone, at most."""

LIMIT_SECONDS = 240
"""For a driver that nobody kills."""

EXPECTED = {"checkpoint.json", "out.zarr", "out.parquet", "found"}
"""Names that a job may leave; `out.zarr` and the like are looked into by the job."""


@dataclass
class Tally:
    """What has happened, and what should not have."""

    counts: Counter = field(default_factory=Counter)
    wrong: list = field(default_factory=list)

    def add(self, what):
        """Count something that happened."""
        self.counts[what] += 1


class Killer(threading.Thread):
    """Kills workers at exponential times, by SIGKILL, until it is stopped."""

    def __init__(self, cluster, seed, tally):
        super().__init__(daemon=True)
        self._cluster, self._random, self._tally = cluster, random.Random(seed), tally
        self._over = threading.Event()

    def run(self):
        """Kill one worker after the other."""
        while not self._over.wait(self._random.expovariate(1 / WORKER_SECONDS)):
            kill(self._random.choice(alive(self._cluster)))
            self._tally.add("workers killed")

    def stop(self):
        """Kill no more."""
        self._over.set()
        self.join()


def soak(folder, seed, *, minutes=None, rounds=None, told=print):
    """Do jobs until the time is over; return what happened."""
    tally, chance, known = Tally(), random.Random(seed), {}
    write_rows(folder)
    ends = time.monotonic() + 60 * (minutes if minutes is not None else 1e9)
    number = 0
    while time.monotonic() < ends and (rounds is None or number < rounds):
        with _cluster(chance, tally) as (cluster, client):
            for _ in range(10):  # then the cluster is another one
                if time.monotonic() > ends or number == rounds:
                    break
                number += 1
                job = _drawn(chance)
                if job not in known:
                    known[job] = _quietly(job, folder, folder / f"quiet-{len(known)}")
                _judge(job, folder, folder / f"round-{number}", known[job], cluster, chance, tally)
                told(f"{number} {job.work} of {job.option}, {job.trouble}: {dict(tally.counts)}")
            _check_scheduler(cluster, client, tally)
    return tally


def _cluster(chance, tally):
    """Return a context of a cluster of two processes whose workers are killed."""
    return _Cluster(chance.choice(["sys.exit", "segfault", "graceful", None]), chance, tally)


class _Cluster:
    def __init__(self, mode, chance, tally):
        self._mode, self._seed, self._tally = mode, chance.random(), tally

    def __enter__(self):
        self._cluster = LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=60
        )
        self._client = Client(self._cluster, set_as_default=False)
        if self._mode is not None:
            plugin = KillWorker(delay=f"{2 * WORKER_SECONDS} s", mode=self._mode)
            self._client.register_plugin(plugin)
            self._tally.add(f"clusters with distributed's plugin, {self._mode}")
        self._killer = Killer(self._cluster, self._seed, self._tally)
        self._killer.start()
        return self._cluster, self._client

    def __exit__(self, *error):
        self._killer.stop()
        self._client.close()
        self._cluster.close()


def _drawn(chance):
    trouble = chance.choice([None, None, None, *TROUBLES])
    return Job(chance.choice(WORK), chance.choice(FITTED), trouble)


def _quietly(job, folder, out):
    """Return the digest of a quiet run; trouble in the driver changes none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if job.work != FIT:
            save_model(job.option, folder)
        return quiet(job, folder, out)


def _judge(job, folder, out, wanted, cluster, chance, tally):
    """Do a job in drivers that are killed, and compare what it made."""
    out.mkdir()
    for attempt in range(DRIVERS + 1):
        # With such a disk a run may end in an error; the last driver has another.
        last = attempt == DRIVERS
        asked = Job(job.work, job.option) if last else job
        seconds = LIMIT_SECONDS if last else chance.expovariate(1 / DRIVER_SECONDS)
        code = _driven(asked, folder, out, cluster, seconds)
        if code == 0:
            break
        tally.add("drivers killed" if code == -signal.SIGKILL else "drivers that ended in an error")
        if last:
            tally.wrong.append(f"{job}: the driver that nobody killed ended with {code}")
            return
    tally.add(job.work)
    found = (out / "found").read_text()
    if found != wanted:
        tally.wrong.append(f"{job}: other bits than those of a quiet run")
    left = {path.name for path in out.iterdir()} - EXPECTED
    if left:
        tally.wrong.append(f"{job}: left behind {sorted(left)}")


def _driven(job, folder, out, cluster, seconds):
    """Run a driver for so long at most; return its exit code, that of a kill if it was killed."""
    started = Driver(
        driver, cluster.scheduler_address, pickle.dumps(job).hex(), str(folder), str(out)
    )
    with started:
        code = started.wait(seconds)
        if code is None:
            started.send_signal(signal.SIGKILL)
            code = started.wait()
    return code


def _check_scheduler(cluster, client, tally):
    """Note keys that are on the scheduler though the drivers that asked for them are gone."""
    deadline = time.monotonic() + 30
    while cluster.scheduler.tasks and time.monotonic() < deadline:
        time.sleep(0.1)
    if cluster.scheduler.tasks:
        keys = sorted(map(str, cluster.scheduler.tasks))[:5]
        tally.wrong.append(f"{len(cluster.scheduler.tasks)} keys are left on the scheduler: {keys}")
    tally.add("schedulers looked at")
