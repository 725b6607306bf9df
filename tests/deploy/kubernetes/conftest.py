"""The pods of each overlay."""

import pytest

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
