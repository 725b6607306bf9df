"""Pictures are drawn without a display, and none stays open."""

import matplotlib
import numpy as np
import pytest

from daskgmm import GaussianMixture


@pytest.fixture(autouse=True)
def pyplot(monkeypatch):
    matplotlib.use("Agg")
    from matplotlib import pyplot

    def show(*arguments, **settings):
        raise AssertionError("shown")

    monkeypatch.setattr(pyplot, "show", show)
    yield pyplot
    pyplot.close("all")


MEANS = np.array([[0.0, 0.0, 5.0], [6.0, 1.0, 5.0]])
COVARIANCES = np.array([np.diag([1.0, 2.0, 0.1]), [[2.0, 1.2, 0.0], [1.2, 1.0, 0.1], [0, 0.1, 3]]])


@pytest.fixture
def mixture():
    """Two components over three features, and nothing known of rows."""
    return GaussianMixture.from_parameters([0.3, 0.7], MEANS, COVARIANCES)


@pytest.fixture(scope="session")
def rows():
    random = np.random.default_rng(0)
    numbers = random.choice(2, 5000, p=[0.3, 0.7])
    noise = random.normal(size=(5000, 3))
    roots = np.linalg.cholesky(COVARIANCES)
    return MEANS[numbers] + (roots[numbers] @ noise[..., None])[..., 0]
