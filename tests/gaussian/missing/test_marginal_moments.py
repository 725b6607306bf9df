"""Moments of rows that miss values, against a reference that takes row by row."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from daskgmm.companions import Companions
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.kernels.backends import backend_of, default_backend
from daskgmm.gaussian.kernels.numpy_backend import NumpyBackend
from daskgmm.gaussian.missing import short_groups
from daskgmm.gaussian.missing.conditional import marginal_factors
from daskgmm.gaussian.missing.kernel import MarginalKernel, given_nbytes, marginal_moments
from daskgmm.gaussian.missing.patterns import by_pattern, grouped, pool_rows
from daskgmm.gaussian.parameters import Parameters


def mixture(k=3, d=4, seed=0):
    random = np.random.default_rng(seed)
    factors = random.normal(size=(k, d, d))
    covariances = factors @ factors.transpose(0, 2, 1) + 0.5 * np.eye(d)
    weights, means = random.dirichlet(np.ones(k)), random.normal(size=(k, d))
    return weights, means, covariances


def with_gaps(n=200, d=4, seed=1, part=0.3):
    random = np.random.default_rng(seed)
    x = np.where(random.random((n, d)) < part, np.nan, random.normal(size=(n, d)))
    return x[~np.isnan(x).all(axis=1)]


def moments_row_by_row(x, weights, means, covariances, of_rows=None, noise=0.0):
    """Return N (k,), sums of x (k, d) and of x x^T (k, d, d), and the log-likelihood."""
    k, d = means.shape
    counts, first, second = np.zeros(k), np.zeros((k, d)), np.zeros((k, d, d))
    total = 0.0
    for row, of_row in zip(x, np.ones(len(x)) if of_rows is None else of_rows, strict=True):
        o, m = np.flatnonzero(~np.isnan(row)), np.flatnonzero(np.isnan(row))
        joint, expected, left = np.empty(k), np.empty((k, d)), np.zeros((k, d, d))
        for j in range(k):
            seen = covariances[j][np.ix_(o, o)]
            joint[j] = np.log(weights[j]) + multivariate_normal.logpdf(row[o], means[j, o], seen)
            joint[j] -= noise / 2 * np.trace(np.linalg.inv(seen))
            slopes = covariances[j][np.ix_(m, o)] @ np.linalg.inv(seen)
            expected[j, o] = row[o]
            expected[j, m] = means[j, m] + slopes @ (row[o] - means[j, o])
            left[j][np.ix_(m, m)] = covariances[j][np.ix_(m, m)] - slopes @ seen @ slopes.T
            whole = np.zeros((d, len(o)))
            whole[o], whole[m] = np.eye(len(o)), slopes
            left[j] += noise * (whole @ whole.T - np.eye(d))
        log_density = np.logaddexp.reduce(joint)
        gamma = of_row * np.exp(joint - log_density)
        total += of_row * log_density
        counts += gamma
        first += gamma[:, None] * expected
        outer = expected[:, :, None] * expected[:, None, :] + left
        second += gamma[:, None, None] * outer
    return counts, first, second, total


def kernel_of(weights, means, covariances, structure, natural, noise=0.0):
    form = STRUCTURES[structure].precision
    own = form.of_matrices(covariances[:1] if STRUCTURES[structure].shared else covariances)
    parameters = Parameters(structure, weights, means, own, form.factorise(own))
    center = np.full(means.shape[1], 0.3)
    return MarginalKernel.about(parameters, center, noise=noise, natural=natural), form.matrices(
        own, means.shape[1]
    )


def backends():
    """Return the names of those that this process has."""
    return sorted({"numpy", default_backend()})


@pytest.fixture
def alone(monkeypatch):
    """Patterns of few rows do not come together."""
    monkeypatch.setattr(short_groups, "FEW_NUMBERS", 0)


@pytest.mark.slow
@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("natural", [True, False])
@pytest.mark.parametrize("structure", [*STRUCTURES])
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_moments_are_those_of_a_reference_row_by_row(
    structure, natural, noise, together, monkeypatch
):
    if not together:
        monkeypatch.setattr(short_groups, "FEW_NUMBERS", 0)
    weights, means, covariances = mixture()
    kernel, own = kernel_of(weights, means, covariances, structure, natural, noise)
    own = np.broadcast_to(own, covariances.shape)
    x = with_gaps(25)
    of_rows = np.random.default_rng(2).random(len(x))
    (found,) = marginal_moments(NumpyBackend(), [kernel], iter([Block(x, Companions(of_rows))]))
    counts, first, second, total = moments_row_by_row(x, weights, means, own, of_rows, noise)
    r = kernel.reference
    np.testing.assert_allclose(found.counts, counts, rtol=1e-10)
    about = first - counts[:, None] * r
    np.testing.assert_allclose(found.first, about, atol=1e-10)
    second = second - first[:, :, None] * r[:, None] - r[:, :, None] * first[:, None]
    second += counts[:, None, None] * r[:, :, None] * r[:, None]
    if found.pooled is not None:
        np.testing.assert_allclose(found.pooled, second.sum(axis=0), atol=1e-9)
    else:
        entries = STRUCTURES[structure].statistic.of_matrices(second)
        np.testing.assert_allclose(found.second, entries, atol=1e-9)
    assert found.log_likelihood == pytest.approx(total, rel=1e-12)
    smaller = moments_row_by_row(x, weights, means, own, of_rows, noise - 1e-6)[-1]
    larger = moments_row_by_row(x, weights, means, own, of_rows, noise + 1e-6)[-1]
    assert found.traces == pytest.approx((smaller - larger) / 1e-6, rel=1e-6)
    assert found.rows == len(x)
    assert found.weight == pytest.approx(of_rows.sum())


def moments_of(kernels, x, weights=None, labels=None):
    blocks = iter([Block(x, Companions(weights, labels))])
    return marginal_moments(NumpyBackend(), kernels, blocks)


@pytest.mark.parametrize("natural", [True, False])
@pytest.mark.parametrize(
    ("structure", "noise", "size"), [("full", 0.1, 1 << 20), ("tied", 0.0, 300), ("EVE", 0.1, 1)]
)
def test_short_groups_have_the_moments_that_they_have_alone(
    structure, noise, size, natural, monkeypatch
):
    """Of several mixtures, with weights, labels, and calls of one group or of all."""
    monkeypatch.setattr(short_groups, "TOGETHER_BYTES", size)
    x, random = with_gaps(400), np.random.default_rng(3)
    weights, labels = random.integers(0, 3, len(x)).astype(float), random.integers(-1, 2, len(x))
    kernels = [kernel_of(*mixture(k), structure, natural, noise)[0] for k in (2, 3)]
    kernels = [replace(each, classes=np.arange(len(each.reference)) % 2) for each in kernels]
    found = moments_of(kernels, x, weights, labels)
    monkeypatch.setattr(short_groups, "FEW_NUMBERS", 0)
    for one, other in zip(found, moments_of(kernels, x, weights, labels), strict=True):
        np.testing.assert_allclose(one.sums, other.sums, rtol=1e-11, atol=1e-11)
        if one.pooled is not None:
            np.testing.assert_allclose(one.pooled, other.pooled, rtol=1e-11)
        assert one.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-13)
        assert one.traces == pytest.approx(other.traces, rel=1e-12)
        assert (one.weight, one.rows) == (other.weight, other.rows)


@pytest.mark.parametrize("name", backends())
@pytest.mark.parametrize("natural", [True, False])
def test_moments_are_the_same_bits_whatever_mixtures_are_beside(name, natural, monkeypatch):
    """Of k=60 patterns are not short, of k=2 they are, and in between some are."""
    monkeypatch.setattr("daskgmm.gaussian.missing.kernel.held_rows", lambda d: 300)
    x, backend = with_gaps(3000), backend_of(name, "")
    sizes = (2, 14, 60)
    kernels = [kernel_of(*mixture(k), "full", natural)[0] for k in sizes]
    groups = list(grouped(iter([Block(x)]), 4))
    shares = [np.mean([short_groups.are_short(k.whole, each) for each in groups]) for k in kernels]
    assert shares[0] > shares[1] > shares[2]
    together = marginal_moments(backend, kernels, iter([Block(x)]))
    for kernel, found in zip(kernels, together, strict=True):
        (alone,) = marginal_moments(backend, [kernel], iter([Block(x)]))
        np.testing.assert_array_equal(found.sums, alone.sums)
        assert found.log_likelihood == alone.log_likelihood
        assert found.traces == alone.traces


def test_short_groups_are_held_up_to_a_part_of_a_pool(monkeypatch):
    x = with_gaps(600)
    kernel = kernel_of(*mixture(), "full", natural=True)[0]
    (wanted,) = moments_of([kernel], x)
    monkeypatch.setattr("daskgmm.gaussian.missing.kernel.held_rows", lambda d: 50)
    (found,) = moments_of([kernel], x)
    np.testing.assert_allclose(found.sums, wanted.sums, rtol=1e-12, atol=1e-12)
    assert found.rows == wanted.rows


def test_a_short_group_that_is_singular_has_the_factors_of_whole_rows(monkeypatch):
    """Columns that repeat each other to rounding: products of factors have lost the difference."""
    weights, means, covariances = mixture()
    lower = np.linalg.cholesky(covariances)
    lower[:, 2] = lower[:, 0] + 1e-9 * lower[:, 2]
    lower = np.tril(lower)
    covariances = lower @ lower.swapaxes(1, 2)
    factors = np.ascontiguousarray(np.linalg.inv(lower).swapaxes(1, 2))
    parameters = Parameters("full", weights, means, covariances, factors)
    kernel, x = MarginalKernel.about(parameters, np.zeros(4)), with_gaps(40)
    (found,) = moments_of([kernel], x)
    monkeypatch.setattr(short_groups, "FEW_NUMBERS", 0)
    (wanted,) = moments_of([kernel], x)
    np.testing.assert_allclose(found.sums, wanted.sums, rtol=1e-6, atol=1e-6)


def test_whole_rows_have_the_moments_of_the_plain_kernel():
    kernel, _ = kernel_of(*mixture(), "full", natural=True)
    x = np.random.default_rng(0).normal(size=(500, 4))
    (found,) = marginal_moments(NumpyBackend(), [kernel], iter([Block(x)]))
    (plain,) = NumpyBackend().moments([kernel.of(np.ones(4, bool))], iter([Block(x)]), 500)
    np.testing.assert_array_equal(found.sums, plain.sums)
    assert found.log_likelihood == plain.log_likelihood


def test_rows_of_weight_zero_count_nothing_whatever_they_hold():
    kernel, _ = kernel_of(*mixture(), "full", natural=False)
    x = with_gaps()
    of_rows = np.ones(len(x))
    of_rows[::3] = 0
    huge = x.copy()
    huge[::3] = np.nan, 1e300, np.inf, -np.inf
    (one,) = marginal_moments(NumpyBackend(), [kernel], iter([Block(x[of_rows > 0])]))
    (other,) = marginal_moments(NumpyBackend(), [kernel], iter([Block(huge, Companions(of_rows))]))
    np.testing.assert_allclose(one.sums, other.sums, rtol=1e-11, atol=1e-11)
    assert other.rows == len(x)


@pytest.mark.parametrize("cuts", [[1], [7, 100], [*range(1, 190)]])
def test_borders_of_blocks_change_no_bit(cuts):
    kernel, _ = kernel_of(*mixture(), "full", natural=True)
    x = with_gaps()
    (whole,) = marginal_moments(NumpyBackend(), [kernel], iter([Block(x)]))
    blocks = iter([Block(part) for part in np.split(x, cuts)])
    (cut,) = marginal_moments(NumpyBackend(), [kernel], blocks)
    np.testing.assert_array_equal(whole.sums, cut.sums)


@pytest.mark.parametrize("d", [1, 3, 16, 17, 64, 65, 130])
def test_patterns_hold_their_rows_once_and_in_order(d):
    x = with_gaps(300, d, part=0.02 if d > 20 else 0.4)
    seen = []
    for pattern, rows in by_pattern(x):
        assert (np.isnan(x[rows]) == ~pattern).all()
        assert (np.diff(rows) > 0).all()
        seen += rows.tolist()
    assert sorted(seen) == list(range(len(x)))
    patterns = [pattern.tobytes() for pattern, _ in by_pattern(x)]
    assert len(patterns) == len(set(patterns)) == len(np.unique(np.isnan(x), axis=0))


def test_a_full_pool_is_grouped_and_the_rest_after_it(monkeypatch):
    monkeypatch.setattr("daskgmm.gaussian.missing.patterns.POOL_BYTES", 0)
    assert pool_rows(4) == 256
    x = with_gaps(1000)
    groups = list(grouped(iter([Block(x[:300]), Block(x[300:])]), 4))
    assert sum(len(block.x) for _, block in groups) == len(x)
    found = np.concatenate([block.x.ravel() for _, block in groups])
    np.testing.assert_array_equal(np.sort(found), np.sort(x[~np.isnan(x)]))


@pytest.mark.parametrize("scale", [1.0, 1e-4])
def test_factors_of_some_columns_are_those_of_their_covariance(scale):
    """The second mixture has columns that nearly repeat each other."""
    _, _, covariances = mixture()
    lower = np.linalg.cholesky(covariances)
    lower[:, 2] = lower[:, 0] + scale * lower[:, 2]
    lower = np.tril(lower)
    factors, columns = np.linalg.inv(lower).swapaxes(1, 2), np.array([0, 2, 3])
    found = marginal_factors(factors, columns)
    assert (np.diagonal(found, axis1=1, axis2=2) > 0).all()
    np.testing.assert_allclose(found, np.triu(found), atol=0)
    seen = (lower @ lower.swapaxes(1, 2))[:, columns[:, None], columns]
    np.testing.assert_allclose(found.swapaxes(1, 2) @ seen @ found, [np.eye(3)] * 3, atol=1e-6)


@pytest.mark.usefixtures("alone")
def test_kernels_of_patterns_are_kept_over_batches_as_far_as_there_is_room(monkeypatch):
    monkeypatch.setattr("daskgmm.gaussian.missing.kernel.KEPT_BYTES", 5 * given_nbytes(3, 4))
    kernel, _ = kernel_of(*mixture(), "full", natural=False)
    x, made = with_gaps(), []
    patterns = len(list(by_pattern(x)))
    assert patterns > 10
    given = MarginalKernel.given
    monkeypatch.setattr(
        MarginalKernel, "given", lambda self, each: made.append(each) or given(self, each)
    )
    for _ in range(3):
        marginal_moments(NumpyBackend(), [kernel], iter([Block(x)]))
    assert len(made) == 5 + 3 * (patterns - 5)
