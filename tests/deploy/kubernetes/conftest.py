"""The pods of each overlay."""

import pytest

from tests.deploy.kubernetes.documented import claim, secret
from tests.deploy.kubernetes.pods import pods
from tests.deploy.kubernetes.rendering import overlay


@pytest.fixture(scope="session")
def made_beforehand(tmp_path_factory):
    """What users make before they apply an overlay."""
    return [claim(), secret(tmp_path_factory.mktemp("secret"))]


@pytest.fixture
def pods_of(made_beforehand):
    """Return the pods of an overlay, by their roles."""

    def of(name):
        found = pods([*overlay(name), *made_beforehand])
        return {role: [pod for pod in found if pod.role == role] for role in ROLES}

    return of


ROLES = ("scheduler", "worker", "driver")
