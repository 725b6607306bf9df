"""What KubeCluster would send with the options that are shipped."""

import asyncio
import re
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from distributed import Status
from tornado.ioloop import IOLoop

from daskgmm.cli import main
from tests.deploy.command_lines import parsed
from tests.deploy.kubernetes.rendering import DEPLOY, kubectl, overlay
from tests.deploy.kubernetes.schemas import faults
from tests.waiting import LONGEST

library = pytest.importorskip(
    "dask_kubernetes.operator.kubecluster.kubecluster",
    reason="no KubeCluster: pip install dask-kubernetes",
)
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
def folder(tmp_path, monkeypatch):
    """Where daskgmm is started: rows, and the cluster as the options say it is made."""
    np.save(tmp_path / "rows.npy", np.zeros((4, 2)))
    shown = re.findall(r"^# +kubectl (kustomize .* > .*)$", OPTIONS.read_text(), re.MULTILINE)
    (command,) = [line.replace("deploy/kubernetes", str(DEPLOY)) for line in shown]
    line = f"{kubectl()} {command}"
    subprocess.run(["sh", "-c", line], cwd=tmp_path, check=True, timeout=LONGEST)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def keywords(folder, monkeypatch):
    """What daskgmm gives to KubeCluster."""
    given = {}

    def record(**keywords):
        given.update(keywords)
        raise OSError("as far as here")

    with monkeypatch.context() as patch:
        patch.setattr("dask_kubernetes.operator.KubeCluster", record)
        patch.setattr("kr8s.api", lambda: None)
        fit = ["fit", "rows.npy", "-k", "2", "--out", "m.json", "--cluster", "kubernetes"]
        ended = CliRunner().invoke(main, [*fit, "--cluster-options", str(OPTIONS)])
    assert "as far as here" in ended.output
    return given


async def sent(keywords):
    here = {"asynchronous": True, "loop": IOLoop.current()}
    cluster = library.KubeCluster(namespace="default", **here, **keywords)
    try:
        await cluster
    except Sent as error:
        return error.args[0]
    finally:
        cluster.status = Status.closed  # there is nothing to close
    raise AssertionError("nothing was sent")


def test_what_is_sent(keywords, monkeypatch):
    for kind in ("DaskCluster", "Pod", "Service", "DaskWorkerGroup"):
        monkeypatch.setattr(library, kind, Recorder)
    document = asyncio.run(sent(keywords))
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


def test_it_connects_without_tls(monkeypatch):
    """Why the page on TLS leaves it out; where this fails, it may be let in."""
    networking = pytest.importorskip("dask_kubernetes.operator.networking")

    async def forward(*_):
        return 1

    monkeypatch.setattr(networking, "port_forward_service", forward)
    service = SimpleNamespace(
        metadata=SimpleNamespace(name="daskgmm-scheduler", namespace="default"),
        spec=SimpleNamespace(type="ClusterIP", ports=[SimpleNamespace(name="tcp-comm", port=8786)]),
    )
    asked = networking.get_external_address_for_scheduler_service(service, True)
    assert asyncio.run(asked) == "tcp://localhost:1"
