"""Certificates, rows in many chunks, the bits of a quiet fit, and a cluster on four hosts."""

import warnings

import dask
import pytest
import zarr

from daskgmm import GaussianMixture
from tests.deploy.tls.cluster import Cluster, patience
from tests.deploy.tls.fit import SETTINGS
from tests.deploy.tls.hosts import hosts
from tests.deploy.tls.shipped import certificates
from tests.oracle.data import blobs
from tests.promises.slow import bits, slowed

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
def quiet(stored):
    """Return the bits of a fit on one thread, where nothing happens."""
    with dask.config.set(num_workers=1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bits(GaussianMixture(**SETTINGS).fit(slowed(str(stored), 0.0)))


@pytest.fixture(scope="module")
def network():
    with hosts() as lent:
        yield lent


@pytest.fixture(scope="module")
def cluster(network, made, tmp_path_factory):
    started = Cluster(network, made, tmp_path_factory.mktemp("tls"), IMPATIENT)
    try:
        started.start()
        yield started
    finally:
        started.stop()
