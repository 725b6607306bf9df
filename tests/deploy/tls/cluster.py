"""Scheduler and two workers on hosts of their own, and drivers that use them."""

import json
import os
import pickle
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass

from tests.deploy.tls.hosts import address
from tests.deploy.tls.shipped import ROOT, command, configuration

PORT = 8786
SCHEDULER = f"tls://{address('scheduler')}:{PORT}"
WORKERS = ("worker1", "worker2")
START_SECONDS = 60


def patience(connect, tcp, ttl):
    """Return environment variables of processes that wait so long."""
    return {
        "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": connect,
        "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": tcp,
        "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": ttl,
    }


class Cluster:
    """What the README's commands start, on hosts.

    Parameters
    ----------
    hosts : Hosts
    made : Path
        Folder of the certificates.
    folder : Path
        For logs.
    patience : dict
        Environment variables, by default of the scheduler alone: when it gives up a worker decides.
    patient : tuple of str
        Roles that get them.
    """

    def __init__(self, hosts, made, folder, patience, patient=("scheduler",)):
        self.hosts, self._made, self._folder = hosts, made, folder
        self._patience, self._patient = patience, patient
        self._started = {}

    def start(self):
        """Start all; return when both workers have registered."""
        arguments = _addressed(command("dask scheduler"), "scheduler")
        self._start("scheduler", "scheduler", arguments)
        self._wait_for("scheduler", "Scheduler at:")
        for worker in WORKERS:
            self.start_worker(worker)
        for worker in WORKERS:
            self._wait_for(worker, "Registered to:")

    def start_worker(self, host, made=None):
        """Start a worker on a host; return its process."""
        arguments = _addressed(command("dask worker"), host)
        scratch = ["--local-directory", str(self._folder / host), "--memory-limit", "1GiB"]
        return self._start(host, "worker", [*arguments, *scratch], made)

    def replace(self, worker):
        """End a worker, mend its cable, and start it again."""
        self.hosts.end(worker)
        self._started[worker].wait()
        self.hosts.mend(worker)
        self.start_worker(worker)
        self._wait_for(worker, "Registered to:")

    def log(self, host):
        """Return what the last process on a host has written."""
        return (self._folder / f"{host}.log").read_text()

    def process(self, host):
        """Return the id of the last process that was started on a host."""
        return self._started[host].pid

    def stop(self):
        """End everything."""
        for host in ("driver", *WORKERS, "scheduler"):
            self.hosts.end(host)
        for process in self._started.values():
            process.wait()

    def run(self, *arguments):
        """Run Python on the driver's host; return the process, which has ended."""
        return subprocess.run(
            self.hosts.on("driver", [sys.executable, *map(str, arguments)]),
            **_process(self._environment("driver")),
            stderr=subprocess.PIPE,
            check=False,
            timeout=100,
        )

    @contextmanager
    def driver(self, module, *arguments):
        """Lend a running driver."""
        full = self.hosts.on("driver", [sys.executable, "-m", module, *arguments])
        with subprocess.Popen(full, **_process(self._environment("driver"))) as process:
            try:
                yield process
            finally:
                process.kill()

    def _start(self, host, role, arguments, made=None):
        with (self._folder / f"{host}.log").open("w") as log:
            process = subprocess.Popen(
                self.hosts.on(host, arguments),
                **(_process(self._environment(role, made)) | {"stdout": log}),
                stderr=subprocess.STDOUT,
            )
        self._started[host] = process
        return process

    def _environment(self, role, made=None):
        clean = {name: value for name, value in os.environ.items() if name[:5] != "DASK_"}
        return {
            **clean,
            "PYTHONPATH": str(ROOT),
            "OPENBLAS_NUM_THREADS": "1",
            "DASK_CONFIG": str(configuration(made or self._made, role)),
            **(self._patience if role in self._patient else {}),
        }

    def _wait_for(self, host, words):
        deadline = time.monotonic() + START_SECONDS
        while words not in self.log(host):
            alive = self._started[host].poll() is None
            assert alive, f"{host} ended: {self.log(host)}"
            assert time.monotonic() < deadline, f"{host} says nothing: {self.log(host)}"
            time.sleep(0.05)


def _process(environment):
    return {"env": environment, "cwd": ROOT, "stdout": subprocess.PIPE, "text": True}


def _addressed(arguments, host):
    """Put this Python and our addresses in the place of those of the README."""
    placed = {"10.0.0.10": address("scheduler"), "10.0.0.11": address(host)}
    for given, ours in placed.items():
        arguments = [each.replace(given, ours) for each in arguments]
    assert arguments[0] == "dask"
    return [sys.executable, "-m", *arguments]


@dataclass(frozen=True)
class Disturbed:
    """What became of a fit that something happened to.

    Attributes
    ----------
    bits : dict
    before, struck, after : float
        Seconds of the passes before that, in which it happened, and last.
    workers : int
        When the last pass ended.
    batches : tuple of int
        Those that were back when it happened, and all, of that pass.
    """

    bits: dict
    before: float
    struck: float
    after: float
    workers: int
    batches: tuple


def disturb(cluster, data, out, strike):
    """Fit; call `strike` in the middle of the second pass of EM."""
    passes, batches = [], None
    with cluster.driver("tests.deploy.tls.fit", str(data), SCHEDULER, str(out)) as process:
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "PassEnded" and event["name"] == "expectation":
                passes.append(event)
            elif len(passes) == 1 and batches is None and event["done"] > 1:
                assert event["workers"] == 2
                batches = event["done"], event["total"]
                strike()
        assert process.wait() == 0
    seconds = [each["seconds"] for each in passes]
    return Disturbed(
        pickle.loads(out.read_bytes()),
        *(seconds[0], seconds[1], seconds[-1]),
        passes[-1]["workers"],
        batches,
    )
