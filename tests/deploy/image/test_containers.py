"""Scheduler, two workers and the driver: four containers of one image on one network."""

import json
import sys
import time

import pytest

from tests.deploy.image.conftest import FIT, NOT_CONVERGED, found
from tests.deploy.image.engine import LOCKED_IN
from tests.deploy.image.files import COMPOSE

SCHEDULER = "tcp://scheduler:8786"
DRIVER = ["daskgmm", *FIT, "--scheduler", SCHEDULER, "--out", "model.json"]
WORKER = ["dask", "worker", SCHEDULER, "--nthreads", "1", "--memory-limit", "768MiB"]


READ_DASHBOARD = """
from urllib.request import urlopen
print(urlopen("http://127.0.0.1:8787/status", timeout=30).read().decode())
"""


class Cluster:
    """Containers of one image on one network, by name."""

    def __init__(self, engine, image, data):
        self.engine, self.image, self.data = engine, image, data
        engine.run("podman", "network", "create", "cluster")

    def start(self, name, *command, memory="1g"):
        self.engine.run(
            *("podman", "run", "--detach", "--name", name, "--network", "cluster", *LOCKED_IN),
            *("--tmpfs", "/tmp:size=64m", "--memory", memory, "--volume", f"{self.data}:/work"),
            *("--env", "DASKGMM_TRACEBACK=1", self.image, *command),
        )

    def stop(self, name):
        """Stop a container as its engine does; return its exit code."""
        self.engine.run("podman", "stop", "--time", "20", name)
        return self.code(name)

    def wait(self, name):
        """Wait for the end of a container; return its exit code."""
        return int(self.engine.run("podman", "wait", name).stdout)

    def code(self, name):
        return int(
            self.engine.run("podman", "inspect", "--format", "{{.State.ExitCode}}", name).stdout
        )

    def running(self, name):
        told = self.engine.run("podman", "inspect", "--format", "{{.State.Running}}", name).stdout
        return told.strip() == "true"

    def logs(self, name):
        ended = self.engine.run("podman", "logs", name)
        return ended.stdout + ended.stderr

    def remove(self):
        self.engine.run("podman", "rm", "--all", "--force", "--time", "0")
        self.engine.run("podman", "network", "rm", "cluster")


@pytest.fixture
def cluster(engine, image, data):
    started = Cluster(engine, image, data)
    try:
        started.start("scheduler", "dask", "scheduler")
        for name in ("worker1", "worker2"):
            started.start(name, *WORKER)
        yield started
    finally:
        started.remove()


def iterations(log):
    """Return the number of the last iteration that was logged."""
    lines = log.read_text().splitlines() if log.exists() else []
    events = [json.loads(line) for line in lines if line.endswith("}")]
    return max((each["iteration"] for each in events if each["event"] == "Iterated"), default=0)


def until(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_four_containers_find_the_same_bits(cluster, alone, data, figures):
    started = time.monotonic()
    cluster.start("driver", *DRIVER)
    assert cluster.wait("driver") == NOT_CONVERGED, cluster.logs("driver")
    figures["fit on four containers"] = f"{time.monotonic() - started:.1f} s"
    assert found(data / "model.json") == found(alone / "model.json")


def test_a_worker_that_is_stopped_costs_no_bit(cluster, alone, data):
    cluster.start("driver", *DRIVER, "--log-json", "events.jsonl")
    until(lambda: iterations(data / "events.jsonl") >= 3)
    assert cluster.stop("worker1") == 0  # it said good-bye: SIGKILL would be 137
    assert iterations(data / "events.jsonl") < 20
    assert cluster.wait("driver") == NOT_CONVERGED, cluster.logs("driver")
    assert found(data / "model.json") == found(alone / "model.json")


def test_a_driver_that_is_stopped_goes_on(cluster, alone, data):
    long = [*DRIVER, "--checkpoint", "fit.ckpt", "--log-json", "events.jsonl"]
    cluster.start("driver", *long)
    until(lambda: iterations(data / "events.jsonl") >= 3)
    assert cluster.stop("driver") == 130
    assert "The same command resumes from there" in cluster.logs("driver")
    assert not (data / "model.json").exists()
    cluster.start("again", *long)
    assert cluster.wait("again") == NOT_CONVERGED, cluster.logs("again")
    assert found(data / "model.json") == found(alone / "model.json")


def test_the_compose_file(engine, image, alone, data, figures):
    def compose(*command, **settings):
        return engine.run(
            *("podman-compose", "--file", COMPOSE, *command),
            DASKGMM_DATA=str(data),
            DASKGMM_IMAGE=image,
            **settings,
        )

    def up():
        return engine.run("podman", "ps", "--format", "{{.Names}}").stdout.split()

    started = time.monotonic()
    try:
        ended = compose("run", "-T", "--rm", "driver", *DRIVER)
        # podman-compose 1.0.3 tells the exit code, but does not exit with it.
        told = ended.stdout + ended.stderr
        assert f"exit code: {NOT_CONVERGED}\n" in told, told
        figures["compose, from nothing to a model"] = f"{time.monotonic() - started:.1f} s"
        assert found(data / "model.json") == found(alone / "model.json")
        assert sum("worker" in name for name in up()) == 2
        assert sum("scheduler" in name for name in up()) == 1
        assert "Dask" in engine.run(sys.executable, "-c", READ_DASHBOARD).stdout
    finally:
        compose("down")
    assert up() == []
