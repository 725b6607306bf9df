"""Student-t components: densities and moments by SciPy, and the steps of EM."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad
from scipy.special import logsumexp
from scipy.stats import gamma, multivariate_t

from daskgmm.companions import Companions
from daskgmm.gaussian import STRUCTURES
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.components.merging import covariance_matrices
from daskgmm.gaussian.kernels.choice import choose_kernel
from daskgmm.gaussian.kernels.natural import NaturalKernel
from daskgmm.gaussian.kernels.numpy_backend import NumpyBackend
from daskgmm.gaussian.kernels.tailed import natural_kernel, whitened_kernel
from daskgmm.gaussian.kernels.whitened import WhitenedKernel
from daskgmm.gaussian.tails.log_bound import LogBound
from daskgmm.gaussian.tails.student import WIDE
from daskgmm.gaussian.tails.tails import TAILS
from daskgmm.testing.mixtures import random_mixture

K, D, N = 3, 4, 500
DEGREES = np.array([1.0, 4.0, 300.0])


def mixture(structure_name, seed=0):
    return replace(random_mixture(STRUCTURES[structure_name], K, D, seed), degrees=DEGREES)


def rows_and_weights():
    return 3 * np.random.default_rng(0).normal(size=(N, D)), np.linspace(0, 2, N)


def joint_by_scipy(parameters, rows):
    parts = zip(
        parameters.weights,
        parameters.means,
        covariance_matrices(parameters),
        parameters.degrees,
        strict=True,
    )
    return np.array(
        [
            np.log(weight) + multivariate_t(mean, scatter, df=nu).logpdf(rows)
            for weight, mean, scatter, nu in parts
        ]
    )


def factors_of(parameters, rows):
    """u of each component and row, from inverse matrices."""
    z = rows[None] - parameters.means[:, None]
    squares = np.einsum("kni,kij,knj->kn", z, np.linalg.inv(covariance_matrices(parameters)), z)
    return (DEGREES[:, None] + D) / (DEGREES[:, None] + squares)


def moments_of(kernel, rows, weights):
    (moments,) = NumpyBackend().moments([kernel], iter([Block(rows, Companions(weights))]))
    return moments


@pytest.mark.parametrize("structure_name", STRUCTURES)
def test_densities_and_moments_are_those_of_scipy(structure_name):
    parameters, (rows, weights) = mixture(structure_name), rows_and_weights()
    joint, u = joint_by_scipy(parameters, rows), factors_of(parameters, rows)
    gamma_ = weights * np.exp(joint - logsumexp(joint, axis=0))
    for kernel in (natural_kernel(parameters, rows.mean(0)), whitened_kernel(parameters)):
        moments = moments_of(kernel, rows, weights)
        assert_allclose(moments.log_likelihood, weights @ logsumexp(joint, axis=0), rtol=1e-11)
        sums = np.stack([gamma_, gamma_ * np.log(u), gamma_ * u * u]).sum(axis=2)
        assert_allclose(moments.tail, sums, rtol=1e-9)
        assert_allclose(moments.counts, gamma_.sum(axis=1), rtol=1e-10)
        assert_allclose(moments.mean_counts, (gamma_ * u).sum(axis=1), rtol=1e-10)
        z = rows[None] - moments.reference[:, None]
        first = np.einsum("kn,kni->ki", gamma_ * u, z)
        assert_allclose(moments.first, first, rtol=1e-8, atol=1e-8)
        second = np.einsum("kn,kni,knj->kij", gamma_ * u, z, z)
        if moments.pooled is not None:
            assert_allclose(moments.pooled, second.sum(axis=0), rtol=1e-8, atol=1e-8)
        else:
            expected = STRUCTURES[structure_name].statistic.of_matrices(second)
            assert_allclose(moments.second, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("structure_name", ["full", "tied", "diag", "EII"])
def test_parts_and_several_mixtures_of_a_pass_give_the_same(structure_name):
    (rows, weights), center = rows_and_weights(), np.full(D, 0.3)
    first, second = mixture(structure_name), mixture(structure_name, seed=1)
    plain = replace(second, degrees=None)
    kernels = [
        natural_kernel(first, center),
        WhitenedKernel.of(plain),
        whitened_kernel(second),
        NaturalKernel.of(plain, center),
        natural_kernel(second, center),
    ]
    blocks = [Block(rows[a : a + 90], Companions(weights[a : a + 90])) for a in range(0, N, 90)]
    together = NumpyBackend().moments(kernels, iter(blocks))
    for kernel, moments in zip(kernels, together, strict=True):
        half = moments_of(kernel, rows[:200], weights[:200])
        whole = half + moments_of(kernel, rows[200:], weights[200:])
        for one in (moments, moments_of(kernel, rows, weights)):
            assert_allclose(one.sums, whole.sums, rtol=1e-8, atol=1e-8)
            assert_allclose(one.log_likelihood, whole.log_likelihood, rtol=1e-10)
            if whole.tail is not None:
                assert_allclose(one.tail, whole.tail, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("scale", [1e12, 1e100, 1e150])
def test_rows_as_far_as_numbers_go_have_densities(scale):
    rows = np.array([[0.0] * D, [1.0] * D, [scale] * D])
    moments = moments_of(whitened_kernel(mixture("full")), rows, None)
    assert np.isfinite(moments.log_likelihood)
    assert np.isfinite(moments.tail).all()
    assert np.isfinite(moments.sums).all()
    assert_allclose(moments.counts.sum(), 3.0)


def test_light_tails_are_gaussian_and_heavy_ones_need_the_exact_kernel_sooner():
    (rows, _), plain = rows_and_weights(), random_mixture(STRUCTURES["full"], K, D)
    nearly = moments_of(whitened_kernel(replace(plain, degrees=np.full(K, 1e7))), rows, None)
    gaussian = moments_of(WhitenedKernel.of(plain), rows, None)
    assert_allclose(nearly.log_likelihood, gaussian.log_likelihood, rtol=1e-5)
    # An error of a squared distance counts (nu + d) / nu times as much in a density.
    about, far = (rows.mean(0), np.full(D, 2000.0)), replace(plain, degrees=np.full(K, 1.0))
    assert choose_kernel(plain, *about).is_centred
    assert not choose_kernel(replace(far, degrees=np.full(K, 0.01)), *about).is_centred


def test_an_outlier_has_more_than_ten_times_the_scatter_probably():
    parameters, (rows, _) = mixture("full"), rows_and_weights()
    kernel, u = whitened_kernel(parameters), factors_of(parameters, rows)
    with kernel.workspace(N) as work:
        tile = kernel.bind(work, N)
        tile.rows[:] = rows.T
        tile.log_joint()
        found = tile.outlying()
    shape = (DEGREES + D) / 2
    expected = gamma(shape[:, None], scale=u / shape[:, None]).cdf(1 / WIDE)
    assert_allclose(found, expected, rtol=1e-8, atol=1e-300)
    # The posterior of tau by the definition: prior times the normal density of the row.
    k, n = 1, 7
    matrix, z = covariance_matrices(parameters)[k], rows[n] - parameters.means[k]
    square = z @ np.linalg.inv(matrix) @ z

    def joint(tau):
        own = gamma(DEGREES[k] / 2, scale=2 / DEGREES[k]).pdf(tau)
        return own * tau ** (D / 2) * np.exp(-tau * square / 2)

    chance = quad(joint, 0, 1 / WIDE)[0] / quad(joint, 0, 50)[0]
    assert_allclose(found[k, n], chance, rtol=1e-6)


def test_the_step_of_the_tails_alone_gains_what_it_says():
    (rows, _), tail = rows_and_weights(), TAILS["t"]
    for seed in range(20):
        parameters = mixture("full", seed)
        parameters = replace(parameters, degrees=np.random.default_rng(seed).uniform(1, 60, size=K))
        before = moments_of(whitened_kernel(parameters), rows, None)
        after, gain = tail.alone(before, parameters)
        assert gain >= 0
        moments = moments_of(whitened_kernel(after), rows, None)
        assert moments.log_likelihood - before.log_likelihood >= gain - 1e-9


def test_the_step_of_the_tails_ends_where_the_likelihood_of_them_is_highest():
    (rows, _), tail = rows_and_weights(), TAILS["t"]
    parameters = replace(mixture("full"), degrees=np.array([3.0, 10.0, 200.0]))
    for _ in range(60):
        moments = moments_of(whitened_kernel(parameters), rows, None)
        parameters, _ = tail.alone(moments, parameters)
    best = moments_of(whitened_kernel(parameters), rows, None).log_likelihood
    inside = (parameters.degrees > 1) & (parameters.degrees < 1000)
    for k in range(K):
        for factor in (0.9, 1.1) if inside[k] else ():
            degrees = parameters.degrees.copy()
            degrees[k] *= factor
            other = moments_of(whitened_kernel(replace(parameters, degrees=degrees)), rows, None)
            assert other.log_likelihood <= best + 1e-9


def test_the_bound_of_logarithms_is_above_and_is_reached_by_rows_at_two_points():
    random = np.random.default_rng(0)
    for _ in range(200):
        nu, n = random.uniform(1, 50), int(random.integers(1, 6))
        weights, delta = random.exponential(size=n), random.exponential(20.0, size=n)
        delta[random.uniform(size=n) < 0.2] = 0.0
        y = 1 / (nu + delta)
        sums = [np.array([weights @ y**power]) for power in range(3)]
        bound = LogBound.of(np.array([nu]), *sums)
        s = np.concatenate([np.linspace(1 - nu, 0, 9), np.geomspace(1e-3, 1e3, 9)])
        exact = np.log1p(s[:, None] * y) @ weights
        found = bound.values(s[:, None])[:, 0]
        assert (found >= exact - 1e-9 * (1 + np.abs(exact))).all()
        step = 1e-6 * nu
        slopes = (bound.values(s[:, None] + step) - bound.values(s[:, None] - step)) / (2 * step)
        assert_allclose(bound.slopes(s[:, None]), slopes, rtol=1e-3, atol=1e-9)
        if n == 1:
            assert_allclose(found, exact, rtol=1e-6, atol=1e-9)
