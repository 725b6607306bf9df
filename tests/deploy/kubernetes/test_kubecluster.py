"""What KubeCluster would send with the options that are shipped."""

import asyncio
import re
import subprocess

import pytest
import yaml
from dask_kubernetes.operator import KubeCluster
from dask_kubernetes.operator.kubecluster import kubecluster as library
from distributed import Status
from tornado.ioloop import IOLoop

from tests.deploy.kubernetes.rendering import DEPLOY, overlay
from tests.deploy.kubernetes.schemas import faults
from tests.deploy.kubernetes.test_commands import parsed

OPTIONS = DEPLOY / "kubecluster.yaml"


class Sent(Exception):
    """Carries what was on its way to the API server."""


class Recorder:
    """Stands where KubeCluster speaks to the API server."""

    def __init__(self, document, namespace=None):
        self.document = document

    def __await__(self):
        async def itself():
            return self

        return itself().__await__()

    async def exists(self):
        return False

    async def create(self):
        raise Sent(self.document)

    @classmethod
    async def get(cls, name, namespace=None):
        raise library.kr8s.NotFoundError


@pytest.fixture
def options(tmp_path, monkeypatch):
    """The keywords that are shipped, in a folder where their first line was followed."""
    overlay("kubecluster")  # skips where there is no kubectl
    text = OPTIONS.read_text()
    (command,) = re.findall(r"^# +(kubectl kustomize .*)$", text, re.MULTILINE)
    command = command.replace("deploy/kubernetes", str(DEPLOY))
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True, timeout=60)
    monkeypatch.chdir(tmp_path)
    return yaml.safe_load(text)


async def sent(options):
    here = {"asynchronous": True, "loop": IOLoop.current()}
    cluster = KubeCluster(namespace="default", **here, **options)
    try:
        await cluster
    except Sent as error:
        return error.args[0]
    finally:
        cluster.status = Status.closed  # there is nothing to close
    raise AssertionError("nothing was sent")


def test_what_is_sent(options, monkeypatch):
    adapt = options.pop("adapt")
    assert 1 <= adapt["minimum"] <= adapt["maximum"]
    for kind in ("DaskCluster", "Pod", "Service", "DaskWorkerGroup"):
        monkeypatch.setattr(library, kind, Recorder)
    document = asyncio.run(sent(options))
    assert document == overlay("kubecluster")[0]
    assert faults(document) == []


def test_the_overlay_is_one_document():
    """KubeCluster reads no more."""
    assert [document["kind"] for document in overlay("kubecluster")] == ["DaskCluster"]


def test_the_spec_that_the_library_makes_itself_is_why():
    """It asks for commands that Dask has no longer; where this fails, options may get shorter."""
    made = library.make_cluster_spec("daskgmm", n_workers=2, image="daskgmm")
    (scheduler,) = made["spec"]["scheduler"]["spec"]["containers"]
    with pytest.raises(AssertionError, match="no such program: dask-scheduler"):
        parsed(scheduler["args"])
