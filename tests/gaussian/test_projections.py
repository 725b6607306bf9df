"""Moments that are projected on few axes give what those of all products give."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp

import daskgmm.gaussian.covariance.algebra.projections as projections
import daskgmm.gaussian.kernels.factors as factors
from daskgmm.companions import Companions
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.components.projection import projected
from daskgmm.gaussian.covariance.low_rank.precision import Axes, joined, parts
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.kernels.choice import choose_kernel
from daskgmm.gaussian.kernels.factors import FactorKernel
from daskgmm.gaussian.kernels.numpy_backend import NumpyBackend
from daskgmm.gaussian.kernels.whitened import WhitenedKernel
from daskgmm.gaussian.kernels.workspace import HUGE_PAGE, tile_rows, workspace_nbytes
from daskgmm.gaussian.m_step import maximise
from daskgmm.testing.mixtures import log_joint

K, D, Q, N = 3, 9, 2, 700

NAMES = [f"{family}-{Q}" for family in ("ppca", "factor")]


@pytest.fixture(autouse=True)
def few_products(monkeypatch):
    monkeypatch.setattr(projections, "MOST_PRODUCTS", 0)


def mixture(name, seed=0, apart=2.0, noise=(0.3, 1.0)):
    """Return a mixture of K components of D features."""
    random = np.random.default_rng(seed)
    variances = random.uniform(*noise, size=(K, D))
    if name.startswith("ppca"):
        variances[:] = variances[:, :1]
    covariances = joined(random.normal(size=(K, Q, D)), variances)
    means = apart * random.normal(size=(K, D))
    own = STRUCTURES[name].precision
    covariances = own.covariances(own.factorise(covariances))
    return projected(name, random.dirichlet(np.full(K, 5.0)), means, covariances)


def rows(seed=1):
    return 2.0 * np.random.default_rng(seed).normal(size=(N, D))


def kernels(parameters, center):
    return [FactorKernel.of(parameters, center), WhitenedKernel.of(parameters)]


def moments_of(kernel, x, weights=None, size=N, known=None):
    blocks = (
        Block(x[i : i + size], Companions(None if weights is None else weights[i : i + size]))
        for i in range(0, len(x), size)
    )
    return NumpyBackend().moments([kernel], blocks, known)[0]


@pytest.mark.parametrize("name", NAMES)
def test_densities_are_those_of_normal_distributions(name):
    parameters, x = mixture(name), rows()
    for kernel in kernels(parameters, x.mean(0)):
        with kernel.workspace(N) as work:
            for b in (N, 5):
                tile = kernel.bind(work, min(b, work.joint.shape[1]))
                tile.rows[:] = (x[: tile.rows.shape[1]] - kernel.center).T
                tile.log_joint()
                expected = log_joint(parameters, x[: tile.rows.shape[1]])
                assert_allclose(tile.joint, expected, rtol=1e-11, atol=1e-10)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_moments_are_weighted_sums(name, weighted):
    parameters, x = mixture(name), rows()
    w = np.random.default_rng(2).uniform(size=N) if weighted else None
    joint = log_joint(parameters, x)
    logs = logsumexp(joint, axis=0)
    gamma = np.exp(joint - logs) * (1.0 if w is None else w)
    axes = Axes(parameters.precisions_cholesky).projections
    for kernel in kernels(parameters, x.mean(0)):
        for size in (N, 1, 301):
            moments = moments_of(kernel, x, w, size)
            assert_allclose(moments.counts, gamma.sum(1), rtol=1e-9)
            difference = x[None] - kernel.reference[:, None]
            first = np.einsum("kn,kni->ki", gamma, difference)
            assert_allclose(moments.first, first, rtol=1e-9, atol=1e-8)
            squares = np.einsum("kn,kni->ki", gamma, difference**2)
            assert_allclose(moments.second[:, :D], squares, rtol=1e-9)
            z = np.einsum("kqi,kni->kqn", axes, difference)
            products = np.einsum("kn,kqn,kni->kqi", gamma, z, difference)
            assert_allclose(moments.second[:, D:].reshape(K, Q, D), products, rtol=1e-9, atol=1e-7)
            total = (logs * (1.0 if w is None else w)).sum()
            assert_allclose(moments.log_likelihood, total, rtol=1e-12)


@pytest.mark.parametrize("few", [False, True])
@pytest.mark.parametrize("n", [1, 100, N])
def test_bits_depend_on_the_rows_alone(n, few, monkeypatch):
    """Not on the borders of blocks, the size of the buffers, or how rows lie in memory."""
    parameters, x = mixture("factor-2"), rows()[:n]
    kernel = FactorKernel.of(parameters, x.mean(0))
    monkeypatch.setattr(factors, "are_few", lambda *_: few)
    first = moments_of(kernel, x)
    for size, known, order in ((n, n, "C"), (7, None, "C"), (1, n, "F"), (n, None, "F")):
        other = moments_of(kernel, np.asarray(x, order=order), None, size, known)
        assert_array_equal(other.sums, first.sums)
        assert other.log_likelihood == first.log_likelihood


def test_rows_of_another_type_are_those_in_doubles():
    parameters, x = mixture("factor-2"), rows().astype(np.float32)
    kernel = FactorKernel.of(parameters, x.mean(0, dtype=float))
    found = moments_of(kernel, x, size=301)
    assert_array_equal(found.sums, moments_of(kernel, x.astype(float)).sums)


def test_buffers_are_those_of_the_plan():
    parameters = mixture("factor-2")
    kernel = FactorKernel.of(parameters, np.zeros(D))
    b = kernel.tile_rows
    assert b == tile_rows(1 + D + (Q + 1) * D, K, kernel.structure.least_tile_rows(D)) == 2048
    assert kernel.feature_rows == kernel.structure.n_buffer_rows(K, D) == 1 + K * (1 + Q)
    with kernel.workspace() as work:
        held = sum(part.nbytes for part in (work.rows, work.features, work.joint, work.turned))
    planned = workspace_nbytes(b, K, D, kernel.feature_rows)
    assert held == planned - 3 * b * 8 - 2 * HUGE_PAGE


def test_tiles_of_many_features_have_512_rows():
    """Of 1,000 features and 20 components; those of all products have 256."""
    structure = STRUCTURES["factor-10"]
    assert tile_rows(structure.n_statistics(1000), 20, structure.least_tile_rows(1000)) == 512
    assert STRUCTURES["full"].least_tile_rows(1000) == 0


@pytest.mark.parametrize("name", NAMES)
def test_several_mixtures_share_a_pass(name):
    x, one, other = rows(), mixture(name), mixture(name, 5)
    far = replace(one, means=one.means + 1e7)
    many = [
        choose_kernel(each, x.mean(0), np.abs(x - x.mean(0)).max(0)) for each in (one, far, other)
    ]
    assert [type(kernel) for kernel in many] == [FactorKernel, WhitenedKernel, FactorKernel]
    together = NumpyBackend().moments(many, iter([Block(x)]))
    for kernel, moments in zip(many, together, strict=True):
        alone = moments_of(kernel, x)
        assert_allclose(moments.sums, alone.sums, rtol=1e-10, atol=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_a_step_is_the_em_step_of_the_whole_covariance(name):
    """By Ghahramani & Hinton's formulas with S, and the covariance of the factors put back."""
    parameters, x = mixture(name), rows()
    gamma = np.exp(log_joint(parameters, x) - logsumexp(log_joint(parameters, x), axis=0))
    precision = STRUCTURES[name].precision
    for kernel in kernels(parameters, x.mean(0)):
        for reg_covar in (0.0, 0.3):
            step = maximise(moments_of(kernel, x), name, reg_covar, parameters).parameters
            found = precision.matrices(step.covariances, D)
            for k in range(K):
                mean = gamma[k] @ x / gamma[k].sum()
                difference = x - mean
                s = (difference.T * gamma[k]) @ difference / gamma[k].sum() + reg_covar * np.eye(D)
                old = precision.matrices(parameters.covariances, D)[k]
                noise = parameters.covariances[k, -1]
                low = old - np.diag(noise)
                values, vectors = np.linalg.eigh(low)
                w = vectors[:, -Q:] * np.sqrt(values[-Q:])
                beta = w.T @ np.linalg.inv(old)
                theta = np.eye(Q) - beta @ w + beta @ s @ beta.T
                w = s @ beta.T @ np.linalg.inv(theta)
                left = np.diag(s - w @ beta @ s)
                if name.startswith("ppca"):
                    left = np.full(D, left.mean())
                assert_allclose(found[k], w @ theta @ w.T + np.diag(left), rtol=1e-8, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_steps_climb_to_the_exact_maximum(name, monkeypatch):
    one, random = mixture(name), np.random.default_rng(3)
    covariance = STRUCTURES[name].precision.matrices(mixture(name, 7).covariances, D)[0]
    x = random.multivariate_normal(np.ones(D), covariance, size=N)
    first = slice(0, 1)
    single = replace(
        one,
        weights=np.ones(1),
        means=one.means[first],
        covariances=one.covariances[first],
        precisions_cholesky=one.precisions_cholesky[first],
    )
    bounds = []
    for _ in range(1000):
        moments = moments_of(FactorKernel.of(single, x.mean(0)), x)
        bounds.append(moments.log_likelihood / N)
        single = maximise(moments, name, 0.0, single).parameters
    assert np.diff(bounds).min() > -1e-12
    monkeypatch.undo()
    best = maximise(moments_of(WhitenedKernel.of(single), x), name, 0.0, single).parameters
    top = moments_of(WhitenedKernel.of(best), x).log_likelihood / N
    assert bounds[-1] == pytest.approx(top, abs=1e-9)


def exact_log_density(x, mean, loadings, noise):
    """Return the log density of a row in rational arithmetic: only the logarithm is rounded."""
    w = [[Fraction(value) for value in row] for row in loadings]
    a = [
        [
            sum(row[i] * row[j] for row in w) + (Fraction(noise[i]) if i == j else 0)
            for j in range(D)
        ]
        + [Fraction(x[i]) - Fraction(mean[i])]
        for i in range(D)
    ]
    determinant, square = Fraction(1), Fraction(0)
    for i in range(D):  # elimination: pivots are those of L D L^T
        determinant *= a[i][i]
        square += a[i][-1] ** 2 / a[i][i]
        for j in range(i + 1, D):
            factor = a[j][i] / a[i][i]
            a[j] = [one - factor * other for one, other in zip(a[j], a[i], strict=True)]
    return -0.5 * (float(square) + math.log(determinant) + D * math.log(2 * math.pi))


@pytest.mark.parametrize("small", [1e-2, 1e-10, 1e-12])
def test_little_noise_takes_the_exact_kernel(small):
    """Where squares of projections would cancel against the distances."""
    parameters = mixture("ppca-2", noise=(small, small))
    random = np.random.default_rng(4)
    (loadings,), (noise,) = parts(parameters.covariances[:1])
    x = parameters.means[0] + random.normal(size=(20, Q)) @ loadings
    x += np.sqrt(small) * random.normal(size=x.shape)
    center = x.mean(0)
    kernel = choose_kernel(parameters, center, np.abs(x - center).max(0))
    assert isinstance(kernel, FactorKernel) == (small == 1e-2)
    with kernel.workspace(20) as work:
        tile = kernel.bind(work, 20)
        tile.rows[:] = (x - kernel.center).T
        tile.log_joint()
        found = tile.joint[0] - np.log(parameters.weights[0])
    exact = [exact_log_density(row, parameters.means[0], loadings, noise) for row in x]
    # Loadings are rounded to units of their last place, which is seen along the noise.
    rounding = 1e-16 * np.abs(loadings).max() * 10 / np.sqrt(small)
    assert_allclose(found, exact, rtol=1e-8 + 100 * rounding)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("apart", [2.0, 300.0])
def test_rows_without_a_part_in_a_component_are_left_out(apart, weighted, monkeypatch):
    """At 2 pairs have parts of 1e-37 to 1e-2; at 300 a row is of one component alone."""
    parameters = mixture("factor-2", apart=apart)
    random = np.random.default_rng(5)
    x = parameters.means[random.integers(K, size=N)] + random.normal(size=(N, D))
    w = random.uniform(size=N) if weighted else None
    kernel = FactorKernel.of(parameters, x.mean(0))
    found = {}
    for few in (False, True):
        pairs = []
        monkeypatch.setattr(
            factors, "are_few", lambda n, *_, few=few, of=pairs: of.append(n) or few
        )
        found[few] = moments_of(kernel, x, w)
        assert N <= sum(pairs) < K * N
    assert_allclose(found[True].sums, found[False].sums, rtol=1e-12, atol=1e-8)
    assert found[True].log_likelihood == found[False].log_likelihood


def test_pairs_are_few_where_sums_over_them_take_less_time():
    """Times of both at d=1000 and d=70, in microseconds: 750 and 5000, 190 and 215, 1500 each."""
    assert factors.are_few(512, (20, 10, 512), 1000)
    assert not factors.are_few(20 * 512, (20, 10, 512), 1000)
    assert not factors.are_few(3 * 512, (3, 20, 512), 1000)
    assert not factors.are_few(2 * 512, (20, 4, 512), 70)
