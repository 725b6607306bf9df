"""Coordinates about an anchor: round trips, the gradient, the metric."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from daskgmm.gaussian.block import Block
from daskgmm.gaussian.charts.anchor import Anchor
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.kernels.numpy_backend import NumpyBackend
from daskgmm.gaussian.kernels.whitened import WhitenedKernel
from daskgmm.gaussian.m_step import maximise
from tests.gaussian.mixtures import parameters_of
from tests.oracle.data import blobs

K, D = 3, 4
X = blobs(400, D, K, seed=3)
REG = 0.05

FREE = [name for name, structure in STRUCTURES.items() if structure.free]


def mixture(name, seed):
    random = np.random.default_rng(seed)
    noise = random.normal(size=(K, D, 2 * D))
    covariances = noise @ noise.swapaxes(1, 2) / (2 * D) + 0.3 * np.eye(D)
    weights = random.dirichlet(np.full(K, 5.0))
    means = X[random.choice(len(X), K, replace=False)]
    return parameters_of(name, weights, means, covariances)


def statistics(parameters, noise=REG):
    kernel = WhitenedKernel.of(parameters, noise=noise)
    return NumpyBackend().moments([kernel], iter([Block(X)]))[0]


def objective(parameters):
    moments = statistics(parameters)
    return moments.log_likelihood / moments.weight


@pytest.mark.parametrize("name", STRUCTURES)
def test_there_and_back(name):
    anchor, other = mixture(name, 0), mixture(name, 1)
    found = Anchor(anchor).parameters(Anchor(anchor).coordinates(other))
    for part in ("weights", "means", "covariances", "precisions_cholesky"):
        assert_allclose(getattr(found, part), getattr(other, part), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", FREE)
@pytest.mark.parametrize("at_anchor", [True, False])
def test_the_gradient_is_that_of_the_objective(name, at_anchor):
    anchor = Anchor(mixture(name, 0))
    parameters = mixture(name, 0 if at_anchor else 1)
    image = maximise(statistics(parameters), name, REG, parameters).parameters
    found = anchor.gradient(parameters, image, np.tile(image.weights, (3, 1)))
    x, step = anchor.coordinates(parameters), 1e-6
    for index, unit in enumerate(np.eye(len(x))):
        up, down = (objective(anchor.parameters(x + sign * step * unit)) for sign in (1, -1))
        assert found[index] == pytest.approx((up - down) / (2 * step), rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("name", FREE)
def test_near_an_optimum_the_em_step_is_the_gradient(name):
    parameters = mixture(name, 0)
    for _ in range(200):
        parameters = maximise(statistics(parameters), name, REG, parameters).parameters
    x = Anchor(parameters).coordinates(parameters)
    random = np.random.default_rng(0)
    near = Anchor(parameters).parameters(x + 1e-4 * random.normal(size=len(x)))
    image = maximise(statistics(near), name, REG, near).parameters
    anchor = Anchor(near)
    step = anchor.coordinates(image) - anchor.coordinates(near)
    gradient = anchor.gradient(near, image, np.tile(image.weights, (3, 1)))
    # Log weights may move together; but for that the metric is the identity.
    k = slice(0, K)
    roots = np.sqrt(near.weights)
    step[k] -= roots * (roots @ step[k])
    assert_allclose(step, gradient, atol=2e-3 * np.abs(step).max())


@pytest.mark.parametrize("name", STRUCTURES)
@pytest.mark.parametrize("reg_covar", [0.0, 1e-3, 0.5])
def test_the_exact_step_never_lowers_the_objective(name, reg_covar):
    parameters = mixture(name, 2)
    if not STRUCTURES[name].free:  # into the structure
        first = statistics(parameters, reg_covar)
        parameters = maximise(first, name, reg_covar, parameters).parameters
    before = -np.inf
    for _ in range(60):
        found = statistics(parameters, reg_covar)
        now = found.log_likelihood / found.weight
        assert now >= before - 1e-13
        before = now
        parameters = maximise(found, name, reg_covar, parameters).parameters


@pytest.mark.parametrize("name", FREE)
@pytest.mark.parametrize("entries", [1, 100, 10_000])
def test_points_together_are_as_each_alone(name, entries, monkeypatch):
    monkeypatch.setattr("daskgmm.gaussian.charts.anchor.TOGETHER_ENTRIES", entries)
    mixtures = [mixture(name, seed) for seed in (1, 2, 0, 3)]
    images = [mixture(name, seed) for seed in (4, 5, 6, 7)]
    shares = list(np.random.default_rng(0).dirichlet(np.full(K, 5.0), size=(4, 3)))
    anchor = Anchor(mixtures[2])
    at, gradients = anchor.of_points(mixtures, images, shares)
    expected = [anchor.coordinates(each) for each in mixtures]
    assert_allclose(at, expected, rtol=1e-14, atol=1e-15)
    of_anchor = np.sqrt(mixtures[2].weights) * np.log(mixtures[2].weights)
    assert_allclose(at[2], np.append(of_anchor, np.zeros(at.shape[1] - K)), rtol=0, atol=0)
    expected = [anchor.gradient(*each) for each in zip(mixtures, images, shares, strict=True)]
    assert_allclose(gradients, expected, rtol=1e-12, atol=1e-13)


def test_absurd_coordinates_are_refused():
    anchor = Anchor(mixture("full", 0))
    x = anchor.coordinates(mixture("full", 0))
    assert anchor.parameters(x + 1e3) is None
    assert anchor.parameters(x * np.nan) is None
