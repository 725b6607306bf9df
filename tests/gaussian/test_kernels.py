"""Both kernels against densities computed the slow way, and the guard between them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from daskgmm.companions import Companions
from daskgmm.gaussian import STRUCTURES, Parameters, maximise
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.components.merging import covariance_matrices
from daskgmm.gaussian.covariance.algebra.scatter import Scatter
from daskgmm.gaussian.kernels.choice import (
    TOLERANCE,
    choose_kernel,
    counted_together,
    natural_error,
)
from daskgmm.gaussian.kernels.compiled_backend import CompiledBackend
from daskgmm.gaussian.kernels.natural import NaturalKernel
from daskgmm.gaussian.kernels.numpy_backend import NumpyBackend
from daskgmm.gaussian.kernels.whitened import WhitenedKernel
from daskgmm.gaussian.kernels.workspace import TILE_ROWS, tile_rows
from tests.gaussian.mixtures import parameters_of

KERNELS = [NaturalKernel, WhitenedKernel]


def mixture(structure_name, k=3, d=2, seed=0, spread=1.0):
    random = np.random.default_rng(seed)
    factor = random.normal(size=(k, d, d)) + 2 * np.eye(d)
    full = factor @ factor.swapaxes(1, 2) * spread
    weights = random.dirichlet(np.full(k, 3.0))
    means = random.normal(size=(k, d)) * 3
    return parameters_of(structure_name, weights, means, full)


def log_joint(parameters, X):
    matrices = covariance_matrices(parameters)
    return np.stack(
        [
            np.log(w) + multivariate_normal(m, c).logpdf(X)
            for w, m, c in zip(parameters.weights, parameters.means, matrices, strict=True)
        ]
    )


def kernel_of(kind, parameters, X):
    return kind.of(parameters, X.mean(0)) if kind is NaturalKernel else kind.of(parameters)


def densities(kernel, X):
    with kernel.workspace(len(X)) as work:
        tile = kernel.bind(work, len(X))
        tile.rows[:] = (X - kernel.center).T
        tile.log_joint()
        return tile.joint + tile.shared_term()


def expectation(kernel, X, weights=None, capacity=None):
    return NumpyBackend().moments([kernel], iter([Block(X, Companions(weights))]), capacity)[0]


@pytest.mark.parametrize("structure_name", STRUCTURES)
@pytest.mark.parametrize("kind", KERNELS)
def test_log_joint_densities(kind, structure_name):
    parameters = mixture(structure_name)
    X = np.random.default_rng(1).normal(size=(50, 2)) * 4
    kernel = kernel_of(kind, parameters, X)
    found = densities(kernel, X)
    assert_allclose(found, log_joint(parameters, X), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("structure_name", STRUCTURES)
@pytest.mark.parametrize("weighted", [False, True])
def test_statistics_are_weighted_sums(structure_name, weighted):
    parameters = mixture(structure_name)
    random = np.random.default_rng(1)
    X = random.normal(size=(300, 2)) * 4
    weights = random.uniform(size=300) if weighted else None
    joint = log_joint(parameters, X)
    gamma = np.exp(joint - joint.max(0))
    gamma *= (np.ones(300) if weights is None else weights) / gamma.sum(0)
    for kind in KERNELS:
        found = expectation(kernel_of(kind, parameters, X), X, weights)
        assert_allclose(found.counts, gamma.sum(1), rtol=1e-10)
        means = found.reference + found.sums[1:3].T / found.counts[:, None]
        assert_allclose(means, gamma @ X / gamma.sum(1)[:, None], rtol=1e-9)
        assert found.rows == 300
        assert_allclose(found.weight, 300 if weights is None else weights.sum())
        w = np.ones(300) if weights is None else weights
        total = float(w @ logsumexp(joint, axis=0))
        if not (kind is NaturalKernel and STRUCTURES[structure_name].statistic.pools):
            # That one leaves the term that all components share to the survey.
            assert_allclose(found.log_likelihood, total, rtol=1e-10)
            step = maximise(found, structure_name, 0.0, parameters)
            expected = defined(parameters, gamma, X)
            assert_allclose(step.parameters.covariances, expected, rtol=1e-6, atol=1e-9)


def defined(parameters, gamma, X):
    """Covariances that a structure makes of matrices by their definition."""
    counts = gamma.sum(1)
    centred = X - (gamma @ X / counts[:, None])[:, None]
    full = np.einsum("kn,kni,knj->kij", gamma, centred, centred) / counts[:, None, None]
    structure = STRUCTURES[parameters.structure]
    if structure.shared:
        full = np.einsum("k,kij->ij", counts, full)[None] / counts.sum()
    if structure.free:
        return structure.precision.of_matrices(full)
    scatter = Scatter(counts, structure.statistic.form.of_matrices(full), X.shape[1])
    return structure.maximise(scatter, parameters.covariances)


@pytest.mark.parametrize("kind", KERNELS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (2, 3), (5, 16), (40, 8), (3, 33)])
def test_any_shape_and_tile_gives_the_same_statistics(kind, shape):
    k, d = shape
    parameters = mixture("full", k, d, seed=3)
    X = np.random.default_rng(2).normal(size=(777, d)) * 3
    kernel = kernel_of(kind, parameters, X)
    whole = expectation(kernel, X)
    for capacity in (1, 16, 100, 777):
        parts = expectation(kernel, X, capacity=capacity)
        assert_allclose(parts.sums, whole.sums, rtol=1e-9, atol=1e-9)
        assert_allclose(parts.log_likelihood, whole.log_likelihood, rtol=1e-12)
    expected = logsumexp(log_joint(parameters, X), axis=0).sum()
    assert_allclose(whole.log_likelihood, expected, rtol=1e-9)
    assert_allclose(whole.counts.sum(), len(X), rtol=1e-12)


@pytest.mark.parametrize("structure_name", STRUCTURES)
def test_merge_is_pure_and_adds(structure_name):
    parameters = mixture(structure_name)
    X = np.random.default_rng(1).normal(size=(100, 2))
    kernel = WhitenedKernel.of(parameters)
    one, other = expectation(kernel, X[:30]), expectation(kernel, X[30:])
    before = one.sums.copy()
    merged, whole = one + other, expectation(kernel, X)
    assert_allclose(merged.sums, whole.sums, rtol=1e-10, atol=1e-10)
    np.testing.assert_array_equal(one.sums, before)
    step = maximise(merged, structure_name, 0.0, parameters)
    assert_allclose(
        step.parameters.covariances,
        maximise(whole, structure_name, 0.0, parameters).parameters.covariances,
    )


@pytest.mark.parametrize("structure_name", STRUCTURES)
def test_guard_is_invariant_to_the_units_of_the_columns(structure_name):
    parameters = mixture(structure_name)
    center, half_range = np.zeros(2), np.array([10.0, 20.0])
    scale = 1e6
    scaled = Parameters(
        structure_name,
        parameters.weights,
        parameters.means * scale,
        parameters.covariances * scale**2,
        parameters.precisions_cholesky / scale,
    )
    assert_allclose(
        natural_error(scaled, center, half_range * scale),
        natural_error(parameters, center, half_range),
    )


def test_guard_switches_to_the_whitened_kernel():
    center, half_range = np.zeros(2), np.array([10.0, 10.0])
    assert isinstance(choose_kernel(mixture("full"), center, half_range), NaturalKernel)
    tight = mixture("full", spread=1e-9)
    assert isinstance(choose_kernel(tight, center, half_range), WhitenedKernel)


def test_of_many_columns_and_few_components_the_faster_kernel_is_taken():
    center, half_range = np.zeros(64), np.full(64, 3.0)

    def round_ones(name, k):
        means = np.random.default_rng(0).normal(size=(k, 64))
        return parameters_of(name, np.full(k, 1 / k), means, [np.eye(64)] * k)

    few, more = round_ones("full", 2), round_ones("full", 8)
    assert isinstance(choose_kernel(few, center, half_range), WhitenedKernel)
    assert isinstance(choose_kernel(more, center, half_range), NaturalKernel)
    # Where other mixtures need the products too, these are formed once.
    together = choose_kernel(few, center, half_range, together=10)
    assert isinstance(together, NaturalKernel)
    for name in ("diag", "tied", "spherical"):
        kernel = choose_kernel(round_ones(name, 2), center, half_range)
        assert isinstance(kernel, NaturalKernel)
    # A back end that forms them for each mixture gains nothing by the others.
    assert counted_together([few, more], share_products=True) == [10, 10]
    assert counted_together([few, more], share_products=False) == [2, 10]
    assert CompiledBackend.shares_products is False


@pytest.mark.parametrize("structure_name", STRUCTURES)
@pytest.mark.parametrize("separation", [1e1, 1e2, 1e3])
def test_guard_bounds_the_error_it_predicts(structure_name, separation):
    """Where it says that the fast kernel is exact to g, it is, against 80-bit densities."""
    random = np.random.default_rng(0)
    parameters = mixture(structure_name, seed=4)
    means = parameters.means * separation
    parameters = Parameters(
        structure_name,
        parameters.weights,
        means,
        parameters.covariances,
        parameters.precisions_cholesky,
    )
    X = np.concatenate([m + random.normal(size=(200, 2)) for m in means])
    center = X.mean(0)
    kernel = NaturalKernel.of(parameters, center)
    found = densities(kernel, X)
    own = np.repeat(np.arange(3), 200)
    exact = long_double_log_joint(parameters, X)
    error = np.abs(found - exact)[own, np.arange(len(X))].max()
    predicted = natural_error(parameters, center, np.abs(X - center).max(0))
    assert error <= 4 * predicted
    assert predicted < TOLERANCE or separation >= 1e3


def long_double_log_joint(parameters, X):
    X = X.astype(np.longdouble)
    k, d = parameters.means.shape
    precision = STRUCTURES[parameters.structure].precision
    U = precision.matrices(parameters.precisions_cholesky, d).astype(np.longdouble)
    U = np.broadcast_to(U, (k, d, d))
    whitened = np.einsum("nkj,kji->kni", X[:, None] - parameters.means, U)
    log_determinants = np.log(np.einsum("kii->ki", U)).sum(1)
    constant = np.log(parameters.weights) + log_determinants - d / 2 * np.log(2 * np.pi)
    return constant[:, None] - (whitened**2).sum(2) / 2


def test_tiles_fit_the_cache_within_bounds():
    low, high = TILE_ROWS
    assert tile_rows(6, 10) == high == 8192
    assert tile_rows(2145, 32) == low == 256
    assert tile_rows(45, 8) == 2048


def test_subnormal_responsibilities_are_kept_out():
    parameters = mixture("full", spread=1e-3)
    X = np.random.default_rng(0).normal(size=(1000, 2)) * 5
    sums = np.abs(expectation(NaturalKernel.of(parameters, X.mean(0)), X).sums)
    tiny = np.finfo(np.float64).tiny
    assert ((sums == 0) | (sums > tiny)).all()


def test_a_workspace_that_is_lent_is_not_lent_again():
    kernel = NaturalKernel.of(mixture("full"), np.zeros(2))
    with kernel.workspace(10) as one, kernel.workspace(10) as other:
        assert one is not other
        assert not np.shares_memory(one.rows, other.rows)
    with kernel.workspace(10) as again:
        assert again is one
