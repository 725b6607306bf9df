"""Moments under candidates: those of a loop over rows, whatever the blocks and the back end."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from daskgmm.companions import Companions
from daskgmm.gaussian import STRUCTURES
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.kernels.backends import BACKENDS
from daskgmm.gaussian.kernels.choice import TOLERANCE, natural_errors
from daskgmm.gaussian.kernels.factors import FactorKernel
from daskgmm.gaussian.kernels.natural import NaturalKernel
from daskgmm.gaussian.kernels.whitened import WhitenedKernel
from daskgmm.gaussian.truncation.anchors import Anchors
from daskgmm.gaussian.truncation.cells import Cells
from daskgmm.gaussian.truncation.kernel import (
    TruncatedKernel,
    compared_rows,
    truncated_moments,
)
from tests.gaussian.mixtures import parameters_of

N, K, D, S = 3000, 12, 3, 9

RNG = np.random.default_rng(0)

X = RNG.normal(size=(N, D)) * [1.0, 2.0, 3.0] + 5.0

ROOTS = RNG.normal(size=(K, D, D)) * 0.4

MATRICES = np.eye(D) + ROOTS @ ROOTS.transpose(0, 2, 1)

MEANS = X[:K].copy()

WEIGHTS = np.where(np.arange(N) % 7 != 3, RNG.uniform(0.1, 2.0, N), 0.0)

FORMS = {
    "natural": lambda parameters: NaturalKernel.of(parameters, X.mean(axis=0)),
    "whitened": WhitenedKernel.of,
}


def cells(m, *, points=X[100 : 100 + S], first=(0, 4, S)):
    """Return cells about some rows, in two regions, with m candidates each."""
    candidates = np.array([np.sort(RNG.choice(K, m, replace=False)) for _ in range(S)])
    z = (points - X.mean(axis=0)) / X.std(axis=0)
    first = np.array(first)
    centers = np.array([z[a:b].mean(axis=0) for a, b in pairwise(first)])
    anchors = Anchors(centers, z, first)
    return Cells(X.mean(axis=0), X.std(axis=0), anchors, candidates.astype(np.int64))


def mixture(name):
    return parameters_of(name, np.full(K, 1 / K), MEANS, MATRICES)


def blocks(edges=(), weights=None, x=X):
    parts = np.split(np.arange(N), list(edges))
    given = Companions(weights)
    return (Block(x[part], given.map(lambda each, part=part: each[part])) for part in parts)


def moments(kernel, backend="numpy", **how):
    (found,) = truncated_moments(BACKENDS[backend], [kernel], blocks(**how), N)
    return found


def by_rows(parameters, covariances, own, weights):
    """Return counts, first moments, second moments and F, with a loop over rows."""
    counts, first, second, free = np.zeros(K), np.zeros((K, D)), np.zeros((K, D, D)), 0.0
    log_densities = np.log(parameters.weights) + np.stack(
        [
            multivariate_normal(mean, covariance).logpdf(X)
            for mean, covariance in zip(parameters.means, covariances, strict=True)
        ],
        axis=1,
    )
    places = own.of_rows(X)
    for x, weight, place, each in zip(X, weights, places, log_densities, strict=True):
        some = own.candidates[place]
        total = logsumexp(each[some])
        responsibilities = weight * np.exp(each[some] - total)
        counts[some] += responsibilities
        first[some] += responsibilities[:, None] * x
        second[some] += responsibilities[:, None, None] * np.outer(x, x)
        free += weight * total
    return counts, first, second, free, log_densities, places


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("weighted", [False, True])
def test_moments_are_those_of_a_loop_over_rows(form, backend, weighted):
    parameters, own = mixture("full"), cells(4)
    weights = WEIGHTS if weighted else None
    kernel = TruncatedKernel.of(FORMS[form](parameters), own)
    found = moments(kernel, backend, weights=weights)
    each = np.ones(N) if weights is None else weights
    counts, first, second, free, *_ = by_rows(parameters, MATRICES, own, each)
    reference = found.reference
    np.testing.assert_allclose(found.counts, counts, rtol=1e-10)
    centred = first - counts[:, None] * reference
    np.testing.assert_allclose(found.first, centred, rtol=1e-9, atol=1e-9)
    about = (
        second
        - reference[:, :, None] * first[:, None]
        - first[:, :, None] * reference[:, None]
        + counts[:, None, None] * reference[:, :, None] * reference[:, None]
    )
    expected = STRUCTURES["full"].statistic.of_matrices(about)
    np.testing.assert_allclose(found.second, expected, rtol=1e-8, atol=1e-8)
    assert found.log_likelihood == pytest.approx(free, rel=1e-12)
    assert found.weight == pytest.approx(each.sum(), rel=1e-14)
    assert found.rows == N


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["full", "tied", "diag", "spherical", "VEE"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_with_all_as_candidates_moments_are_those_of_a_plain_pass(form, name, backend):
    kernel = FORMS[form](mixture(name))
    found = moments(TruncatedKernel.of(kernel, cells(K)), backend, weights=WEIGHTS)
    (plain,) = BACKENDS[backend].moments([kernel], blocks(weights=WEIGHTS), N)
    np.testing.assert_allclose(found.sums, plain.sums, rtol=1e-9, atol=1e-9)
    if plain.pooled is not None:
        np.testing.assert_allclose(found.pooled, plain.pooled, rtol=1e-9, atol=1e-9)
    assert found.log_likelihood == pytest.approx(plain.log_likelihood, rel=1e-12)
    assert found.left_out[0] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_borders_of_blocks_change_no_bit(form, backend):
    kernel = TruncatedKernel.of(FORMS[form](mixture("full")), cells(4))
    one = moments(kernel, backend, weights=WEIGHTS)
    other = moments(kernel, backend, weights=WEIGHTS, edges=[1, 2, 700, 701, 2500])
    for name in ("sums", "left_out"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes()
    assert one.log_likelihood == other.log_likelihood


def test_pools_are_of_so_many_rows_whatever_the_blocks(monkeypatch):
    monkeypatch.setattr("daskgmm.gaussian.truncation.kernel.POOL_BYTES", 8 * D * 500)
    kernel = TruncatedKernel.of(FORMS["natural"](mixture("full")), cells(4))
    one, other = moments(kernel), moments(kernel, edges=range(7, N, 7))
    assert one.sums.tobytes() == other.sums.tobytes()
    assert one.left_out.tobytes() == other.left_out.tobytes()
    counts, *_, free, _, _ = by_rows(mixture("full"), MATRICES, kernel.cells, np.ones(N))
    np.testing.assert_allclose(one.counts, counts, rtol=1e-10)
    assert one.log_likelihood == pytest.approx(free, rel=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_what_is_left_out_is_told_by_the_rows_compared(weighted):
    parameters, own = mixture("full"), cells(2)
    weights = WEIGHTS if weighted else np.ones(N)
    kernel = TruncatedKernel.of(FORMS["natural"](parameters), own)
    found = moments(kernel, weights=WEIGHTS if weighted else None)
    *_, log_densities, places = by_rows(parameters, MATRICES, own, weights)
    some = np.take_along_axis(log_densities, own.candidates[places], axis=1)
    missed = logsumexp(log_densities, axis=1) - logsumexp(some, axis=1)
    compared = compared_rows(weights, kernel.compared_every)
    assert kernel.compared_every == K / (2 * 2 * 0.05)
    every = min(kernel.compared_every, np.count_nonzero(weights) // 1000)
    assert len(compared) == -(-np.count_nonzero(weights) // every)
    assert weights[compared].all()
    total = np.average(missed[compared], weights=weights[compared]) * weights.sum()
    np.testing.assert_allclose(found.left_out, [total, weights.sum()], rtol=1e-9)
    assert total == pytest.approx((weights * missed).sum(), rel=0.2)
    assert total > 1.0


def test_rows_of_weight_0_may_be_anything():
    kernel = TruncatedKernel.of(FORMS["natural"](mixture("full")), cells(4))
    wild = np.where(WEIGHTS[:, None] == 0, np.array([np.inf, np.nan, 1e300]), X)
    one, other = moments(kernel, weights=WEIGHTS), moments(kernel, weights=WEIGHTS, x=wild)
    # In another cell, they are beside other rows.
    np.testing.assert_allclose(one.sums, other.sums, rtol=1e-10, atol=1e-10)
    assert one.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-12)


def test_long_cells_are_those_of_short_ones(monkeypatch):
    kernel = TruncatedKernel.of(FORMS["natural"](mixture("full")), cells(4))
    short = moments(kernel, weights=WEIGHTS)
    never = "daskgmm.gaussian.truncation.short_cells.ShortCells.takes"
    monkeypatch.setattr(never, lambda *_: False)
    long = moments(kernel, weights=WEIGHTS)
    np.testing.assert_allclose(short.sums, long.sums, rtol=1e-10, atol=1e-9)
    assert short.log_likelihood == pytest.approx(long.log_likelihood, rel=1e-13)


@pytest.mark.parametrize("name", ["full", "diag", "spherical"])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("most", [0.0, 0.25])
def test_narrow_components_among_others_are_as_exact_as_in_the_slower_form(
    name, backend, most, monkeypatch
):
    """Whether a cell with one takes the faster form for the others, or the slower one for all."""
    monkeypatch.setattr("daskgmm.gaussian.truncation.short_cells.MOST_NARROW", most)
    narrow, center, own = np.isin(np.arange(K), [2, 7]), X.mean(axis=0), cells(8)
    matrices = np.where(narrow[:, None, None], 1e-12 * MATRICES, MATRICES)
    parameters = parameters_of(name, np.full(K, 1 / K), MEANS, matrices)
    errors = natural_errors(parameters, center, np.abs(X - center).max(axis=0))
    np.testing.assert_array_equal(errors >= TOLERANCE, narrow)
    slower = TruncatedKernel.of(WhitenedKernel.of(parameters), own)
    faster = slower.with_narrow(parameters, narrow, center, 0.0)
    np.testing.assert_array_equal(faster.reference[narrow], MEANS[narrow])
    np.testing.assert_array_equal(faster.reference[~narrow], np.tile(center, (K - 2, 1)))
    alone = TruncatedKernel.of(WhitenedKernel.of(parameters, faster.reference), own)
    found = moments(faster, backend, weights=WEIGHTS)
    expected = moments(alone, backend, weights=WEIGHTS)
    np.testing.assert_allclose(found.sums, expected.sums, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.left_out, expected.left_out, rtol=1e-9)
    assert found.log_likelihood == pytest.approx(expected.log_likelihood, rel=1e-12)
    assert found.counts[narrow].max() > 0.1  # that of the rows that are the means


def test_where_all_or_none_are_narrow_nothing_changes():
    parameters, own = mixture("full"), cells(4)
    slower = TruncatedKernel.of(WhitenedKernel.of(parameters), own)
    assert slower.with_narrow(parameters, np.ones(K, bool), X.mean(axis=0), 0.0) is slower
    faster = TruncatedKernel.of(FORMS["natural"](parameters), own)
    assert faster.with_narrow(parameters, np.zeros(K, bool), X.mean(axis=0), 0.0) is faster
    tied = mixture("tied")
    slower = TruncatedKernel.of(WhitenedKernel.of(tied), own)
    assert slower.with_narrow(tied, np.arange(K) == 2, X.mean(axis=0), 0.0) is slower


def test_each_row_is_in_the_cell_of_the_nearest_anchor():
    own = cells(2)
    z = (X - own.origin) / own.scales
    distances = ((z[:, None] - own.anchors.points) ** 2).sum(axis=2)
    np.testing.assert_array_equal(own.of_rows(X), distances.argmin(axis=1))


def test_far_regions_are_not_looked_at():
    """Of many regions four are looked at: what is nearest among these."""
    points = RNG.normal(size=(400, D))
    order = np.argsort(points[:, 0])
    first = np.arange(0, 401, 20)
    z = points[order]
    centers = np.stack([z[a:b].mean(axis=0) for a, b in pairwise(first)])
    anchors = Anchors(centers, z, first)
    rows = RNG.normal(size=(500, D))
    near = np.argsort(((rows[:, None] - centers) ** 2).sum(axis=2), axis=1)[:, :4]
    distances = ((rows[:, None] - z) ** 2).sum(axis=2)
    seen = np.repeat((np.arange(20) == near[:, :, None]).any(axis=1), 20, axis=1)
    nearest = np.where(seen, distances, np.inf).argmin(axis=1)
    np.testing.assert_array_equal(anchors.nearest(rows), nearest)


def test_kernels_of_projections_have_no_candidates():
    d = 80
    parameters = parameters_of("ppca-2", np.full(2, 0.5), np.zeros((2, d)), [np.eye(d)] * 2)
    with pytest.raises(TypeError, match="FactorKernel has no candidates"):
        TruncatedKernel.of(FactorKernel.of(parameters, np.zeros(d)), cells(2))
