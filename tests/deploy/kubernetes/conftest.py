"""The pods of each overlay, and what those of them fit that run as processes."""

import pytest
import zarr

from daskgmm import GaussianMixture
from tests.deploy.kubernetes.processes import Node
from tests.deploy.kubernetes.rows import CHUNKS, K, X

ROLES = ("scheduler", "worker", "driver")


@pytest.fixture(scope="session")
def made_beforehand(tmp_path_factory):
    """What users make before they apply an overlay."""
    from tests.deploy.kubernetes.documented import claim, secret

    return [claim(), secret(tmp_path_factory.mktemp("secret"))]


@pytest.fixture
def pods_of(made_beforehand):
    """Return the pods of an overlay, by their roles."""
    from tests.deploy.kubernetes.pods import pods  # skips where there is no operator
    from tests.deploy.kubernetes.rendering import overlay

    def of(name):
        found = pods([*overlay(name), *made_beforehand])
        return {role: [pod for pod in found if pod.role == role] for role in ROLES}

    return of


@pytest.fixture(scope="session")
def quiet():
    """What threads of one process fit."""
    return GaussianMixture(K, random_state=0).fit(zarr.create_array({}, data=X, chunks=CHUNKS))


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    node = Node(tmp_path_factory.mktemp("node"))
    zarr.create_array(node.data / "rows.zarr", data=X, chunks=CHUNKS)
    return node
