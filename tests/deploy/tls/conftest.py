"""Certificates, rows in many chunks, the bits of a quiet fit, and a cluster on four hosts."""

import pickle
import subprocess
import sys

import pytest
import zarr

from tests.deploy.tls.cluster import Cluster, patience
from tests.deploy.tls.hosts import hosts
from tests.deploy.tls.shipped import ROOT, certificates
from tests.oracle.data import blobs

IMPATIENT = patience(connect="2s", tcp="12s", ttl="5s")
"""The least that Dask takes: 11 s for tcp, and 10 heartbeats of 0.5 s for ttl."""


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    return certificates(tmp_path_factory.mktemp("tls") / "certificates")


@pytest.fixture(scope="session")
def foreign(tmp_path_factory):
    """Certificates of another CA that the same script made."""
    return certificates(tmp_path_factory.mktemp("tls") / "foreign")


@pytest.fixture(scope="session")
def stored(tmp_path_factory):
    path = tmp_path_factory.mktemp("tls") / "rows.zarr"
    zarr.create_array(path, data=blobs(300_000, 4, 4, seed=2), chunks=(5000, 4))
    return path


@pytest.fixture(scope="session")
def quiet(stored, tmp_path_factory):
    """Return the bits of a fit on one thread of another process, where nothing happens."""
    out = tmp_path_factory.mktemp("tls") / "quiet.pkl"
    command = [sys.executable, "-m", "tests.deploy.tls.fit", str(stored), "here", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return pickle.loads(out.read_bytes())


@pytest.fixture(scope="session")
def network():
    with hosts() as lent:
        yield lent


@pytest.fixture(scope="session")
def cluster(network, made, tmp_path_factory):
    started = Cluster(network, made, tmp_path_factory.mktemp("tls"), IMPATIENT)
    try:
        started.start()
        yield started
    finally:
        started.stop()
