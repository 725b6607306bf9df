"""Coordinates of structures narrower than their form, beside noise, and of posteriors."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from daskgmm.gaussian.block import Block
from daskgmm.gaussian.charts.choice import chart_at, has_chart
from daskgmm.gaussian.charts.structured import StructuredAnchor
from daskgmm.gaussian.covariance.low_rank.precision import LowRank, parts, turned
from daskgmm.gaussian.covariance.low_rank.structure import LowRankStructure
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.kernels.choice import choose_kernel
from daskgmm.gaussian.kernels.numpy_backend import NumpyBackend
from daskgmm.gaussian.kernels.whitened import WhitenedKernel
from daskgmm.gaussian.m_step import maximise
from daskgmm.gaussian.parameters import Parameters
from tests.gaussian.mixtures import parameters_of
from tests.oracle.data import blobs

K, D = 3, 5
X = blobs(400, D, K, seed=3)

NARROW = [name for name, structure in STRUCTURES.items() if not structure.free]
LOW_RANK = ["ppca-2", "factor-2", "mcfa-2"]


def moments(parameters, x=X):
    return NumpyBackend().moments([WhitenedKernel.of(parameters)], iter([Block(x)]))[0]


def projected_moments(parameters):
    kernel = choose_kernel(parameters, X.mean(0), np.abs(X - X.mean(0)).max(0))
    return NumpyBackend().moments([kernel], iter([Block(X)]))[0]


def mixture(name, seed, steps=2, found=moments):
    """Return parameters in a structure, some M-steps from random ones."""
    random = np.random.default_rng(seed)
    noise = random.normal(size=(K, D, 2 * D))
    covariances = noise @ noise.swapaxes(1, 2) / (2 * D) + 0.3 * np.eye(D)
    means = X[random.choice(len(X), K, replace=False)]
    at = parameters_of(name, random.dirichlet(np.full(K, 5.0)), means, covariances)
    for _ in range(steps):
        at = maximise(found(at), name, 0.0, at).parameters
    return at


def near(at, amount=0.02):
    """Return a mixture of the structure not far from another."""
    x = X * (1.0 + amount * np.sin(7.0 * X)) + amount
    return maximise(moments(at, x), at.structure, 0.0, at).parameters


def drawn(at, n=4000):
    """Return rows of a mixture."""
    precision, random = STRUCTURES[at.structure].precision, np.random.RandomState(0)
    whole = np.broadcast_to(at.covariances, (K, *at.covariances.shape[1:]))
    each = zip(at.means, whole, at.weights, strict=True)
    return np.concatenate([precision.draw(m, c, round(w * n), random) for m, c, w in each])


def kept(parameters):
    """Return a mixture as it is kept between passes."""
    return replace(parameters, covariances=np.empty(0))


def assert_same(found, other, tolerance):
    precision = STRUCTURES[other.structure].precision
    assert_allclose(found.weights, other.weights, rtol=1e-9)
    assert_allclose(found.means, other.means, rtol=tolerance, atol=tolerance)
    one, two = (precision.matrices(each.covariances, D) for each in (found, other))
    assert_allclose(one, two, rtol=tolerance, atol=tolerance)
    assert_allclose(
        precision.log_determinants(found.precisions_cholesky, D),
        precision.log_determinants(other.precisions_cholesky, D), atol=tolerance,
    )  # fmt: skip


@pytest.mark.parametrize("name", [*NARROW, *LOW_RANK])
def test_there_and_back(name):
    anchor = mixture(name, 0)
    other, chart = near(anchor), chart_at(kept(anchor))
    assert isinstance(chart, StructuredAnchor)
    # A step of common factors ends where it gains a hundredth of all its gains.
    assert_same(chart.parameters(chart.coordinates(other)), other, 0.02 if "mcfa" in name else 1e-5)
    assert_allclose(chart.coordinates(kept(other)), chart.coordinates(other), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", LOW_RANK)
def test_there_and_back_without_matrices(name, monkeypatch):
    for module in ("structure", "precision"):
        path = f"daskgmm.gaussian.covariance.low_rank.{module}.is_projected"
        monkeypatch.setattr(path, lambda d, q: True)
    anchor, other = (mixture(name, 0, steps, projected_moments) for steps in (4, 6))
    chart = chart_at(kept(anchor))
    assert not isinstance(chart, StructuredAnchor)
    assert_same(chart.parameters(chart.coordinates(other)), other, 1e-7)
    x = chart.coordinates(anchor)
    assert_allclose(x[K:], 0.0, atol=1e-7)  # but for the weights the anchor is the origin
    assert chart.parameters(x + 1e3) is None


@pytest.mark.parametrize("name", [*NARROW, "ppca-2", "factor-2"])
def test_the_em_step_is_the_gradient_within_the_structure(name):
    """Along an EM step the likelihood of rows of the model rises as the step is long, squared."""
    at = mixture(name, 2)
    x = drawn(at)
    image = maximise(moments(at, x), name, 0.0, at).parameters
    chart = chart_at(at)
    (origin,), (step,) = chart.of_points([kept(at)], [image], [np.ones((3, K))])
    ends = [chart.parameters(origin + sign * step) for sign in (0.5, -0.5)]
    up, down = (moments(end, x).log_likelihood / len(x) for end in ends)
    assert up - down == pytest.approx(float(step @ step), rel=0.1)


def test_one_noise_variance_stays_one_beside_a_column_of_large_units():
    """Whose noise the least one of a feature would raise alone, out of the structure."""
    random, structure, d = np.random.default_rng(0), STRUCTURES["ppca-2"], 70
    loadings = 0.3 * random.normal(size=(K, 2, d))
    loadings[:, 0, 0] = 2e4
    covariances = turned(loadings, np.ones((K, d)))
    factors = structure.precision.factorise(covariances)
    at = Parameters("ppca-2", np.full(K, 1 / K), np.zeros((K, d)), covariances, factors)
    chart = chart_at(at)
    x = chart.coordinates(at)
    x[-K * d :] -= 0.05
    _, noise = parts(chart.parameters(x).covariances)
    assert_allclose(noise, np.exp(-0.05 * np.sqrt(2 * K)), rtol=1e-12)


class SharedNoise(LowRankStructure):
    """Loadings of each component, and noise that they share."""

    family, separate = "shared-noise", False

    def __init__(self, q):
        super().__init__(q)
        self.precision = LowRank(q)


def test_a_low_rank_of_ones_own_has_no_coordinates():
    assert not has_chart(SharedNoise(2))
    assert all(has_chart(STRUCTURES[name]) for name in [*NARROW, *LOW_RANK])


def test_beside_noise_shares_go_there_and_back():
    plain = mixture("full", 0)
    noisy = replace(plain, weights=0.9 * plain.weights, noise_weight=0.1, log_volume=3.0)
    other = near(plain)
    other = replace(other, weights=0.7 * other.weights, noise_weight=0.3, log_volume=3.0)
    chart = chart_at(noisy)
    found = chart.parameters(chart.coordinates(other))
    assert found.noise_weight == pytest.approx(0.3, rel=1e-12)
    assert found.log_volume == 3.0
    assert_allclose(found.weights, other.weights, rtol=1e-12)
    assert_allclose(found.covariances, other.covariances, rtol=1e-9)
