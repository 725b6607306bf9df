"""Scores and curvature of a mixture in its own coordinates, against finite differences."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import log_softmax, logsumexp

import daskgmm.gaussian.covariance.algebra.packed as packed
from daskgmm.companions import Companions
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.charts.conditionals import CompleteRows
from daskgmm.gaussian.charts.row_scores import responsibilities, scores_of_rows
from daskgmm.gaussian.charts.score_chart import ScoreChart
from daskgmm.gaussian.charts.score_curvature import sums_of_squares
from daskgmm.gaussian.covariance.structures import STRUCTURES, n_parameters
from daskgmm.gaussian.kernels.natural import NaturalKernel
from daskgmm.gaussian.kernels.numpy_backend import NumpyBackend
from daskgmm.gaussian.kernels.whitened import WhitenedKernel
from tests.gaussian.mixtures import beside, parameters_of

K, D, STEP = 3, 2, 1e-4
R = np.random.default_rng(0)
ROOTS = R.normal(size=(K, D, D))
MATRICES = ROOTS @ ROOTS.swapaxes(1, 2) + np.eye(D)
MEANS, WEIGHTS = 2 * R.normal(size=(K, D)), np.array([0.2, 0.3, 0.5])
X, W = 2 * R.normal(size=(60, D)), R.uniform(0.5, 2.0, 60)
NAMES = ("full", "tied", "diag", "spherical", "EEI", "EII")


def log_likelihood(chart, point, labels=None):
    """Return it at a point of the chart, straight from densities with the precision I - E."""
    own, logs = chart.parameters, []
    coordinates = np.asarray(chart.free @ point).reshape(K, -1)
    odds = log_softmax(np.log(own.weights) + coordinates[:, 0])
    for j in range(K):
        factor, scale = own.precisions_cholesky[j], coordinates[j, 1 + D :]
        u = factor if chart.detail == 2 else np.diag(np.broadcast_to(factor, D))
        if chart.detail == 2:
            diagonal = np.equal(*packed.indices(D))
            change = packed.unpack(scale * np.where(diagonal, np.sqrt(2), 1), D)
        else:
            change = np.diag(np.broadcast_to(scale * np.sqrt(2 / (D if len(scale) < D else 1)), D))
        precision = np.eye(D) - change
        z = (X - own.means[j]) @ u - np.linalg.solve(precision, coordinates[j, 1 : 1 + D])
        determinant = np.linalg.slogdet(precision)[1] / 2 + np.linalg.slogdet(u)[1]
        distances = np.einsum("ni,ij,nj->n", z, precision, z)
        noise = chart.noise * np.trace(u @ precision @ u.T)
        logs.append(odds[j] + determinant - (distances + noise) / 2 - D / 2 * np.log(2 * np.pi))
    of_rows = logsumexp(logs, axis=0)
    if labels is not None:
        of_rows = np.where(labels < 0, of_rows, np.array(logs)[labels, np.arange(len(X))])
    return of_rows @ W


def labels_of(kind):
    some = np.where(R.random(len(X)) < 0.4, R.integers(0, K, len(X)), -1)
    return {"none": None, "some": some, "all": R.integers(0, K, len(X))}[kind]


@pytest.fixture(params=[(name, noise) for name in NAMES for noise in (0.0, 0.05)], ids=str)
def chart(request):
    name, noise = request.param
    return ScoreChart.of(
        parameters_of(name, WEIGHTS, MEANS, MATRICES), noise=noise, reg_covar=noise
    )


@pytest.mark.parametrize("name", NAMES)
def test_there_are_as_many_coordinates_as_free_parameters(name):
    chart = ScoreChart.of(parameters_of(name, WEIGHTS, MEANS, MATRICES))
    assert chart.n_parameters == n_parameters(STRUCTURES[name], K, D)


@pytest.mark.parametrize("kind", ["none", "some", "all"])
def test_scores_are_slopes_of_the_log_likelihood(chart, kind):
    steps, labels = STEP * np.eye(chart.n_parameters), labels_of(kind)
    slopes = [log_likelihood(chart, e, labels) - log_likelihood(chart, -e, labels) for e in steps]
    scores = np.array(slopes) / (2 * STEP)
    block = Block(X, Companions(W, labels))
    found = scores_of_rows(chart, CompleteRows.of(chart), block)
    assert_allclose(found @ W, scores, rtol=1e-6, atol=1e-6)
    own, noise = chart.parameters, chart.noise
    natural = NaturalKernel.of(own, X.mean(0), noise)
    for kernel in (WhitenedKernel.of(own, noise=noise), natural):
        if labels is not None:
            kernel = kernel.with_classes(chart.classes)
        blocks = iter([Block(X, Companions(W, labels))])
        (moments,) = NumpyBackend().moments([kernel], blocks, len(X))
        for found in chart.of_moments([moments, moments]):
            assert_allclose(found, scores, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", ["none", "some"])
def test_curvature_is_that_of_the_log_likelihood(chart, kind):
    steps, labels = STEP * np.eye(chart.n_parameters), labels_of(kind)
    at = {}

    def value(point):
        key = tuple(np.rint(point / STEP).astype(int))
        if key not in at:
            at[key] = log_likelihood(chart, point, labels)
        return at[key]

    second = [
        [value(a + b) - value(a - b) - value(b - a) + value(-a - b) for b in steps] for a in steps
    ]
    given, block = CompleteRows.of(chart), Block(X, Companions(W, labels))
    sums = sums_of_squares(chart, given, block, all_rows=True)
    found = sums.curvature(chart)
    unknown = sums_of_squares(chart, given, block)
    assert_allclose(unknown.curvature(chart), found, rtol=1e-9, atol=1e-11)
    assert_allclose(found * W.sum(), -np.array(second) / (4 * STEP**2), atol=1e-4)
    scores = scores_of_rows(chart, given, block)
    wanted = (scores * W) @ scores.T
    assert_allclose(sums.of_rows * W.sum(), wanted, rtol=1e-12, atol=1e-12)
    assert_allclose(sums.counts, responsibilities(chart, given(block), labels) @ W)


@pytest.mark.parametrize("name", NAMES)
def test_variances_follow_small_changes_of_coordinates(name):
    chart = ScoreChart.of(parameters_of(name, WEIGHTS, MEANS, MATRICES))
    size = chart.n_parameters
    draws = R.normal(size=(size, size))
    covariance = draws @ draws.T
    own, changes = chart.parameters, []
    for step in 1e-6 * np.linalg.cholesky(covariance).T:
        odds, means, covariances = beside(chart, step)
        of_form = STRUCTURES[own.structure].precision.of_matrices(covariances)
        changes.append((odds - own.weights, means - own.means, of_form - own.covariances))
    weights, means, covariances = (
        np.sum(np.square(np.array(part) / 1e-6), axis=0) for part in zip(*changes, strict=True)
    )
    found = chart.deviations(covariance)
    assert_allclose(chart.weight_variances(covariance), weights, rtol=1e-4)
    assert_allclose(found[1] ** 2, means, rtol=1e-4)
    assert_allclose(found[2] ** 2, covariances, rtol=1e-4)


@pytest.mark.parametrize("exponent", [-400, 400])
@pytest.mark.parametrize("name", ["full", "tied", "diag", "spherical"])
def test_variances_of_variances_neither_underflow_nor_overflow(name, exponent):
    """Of rows of 2^-400 standard errors of covariances were 0, of rows of 2^400 infinite."""
    unit = 2.0**exponent
    plain = ScoreChart.of(parameters_of(name, WEIGHTS, MEANS, MATRICES))
    scaled = ScoreChart.of(parameters_of(name, WEIGHTS, MEANS * unit, MATRICES * unit**2))
    draws = R.normal(size=(plain.n_parameters, plain.n_parameters))
    one, other = (chart.deviations(draws @ draws.T) for chart in (plain, scaled))
    assert_array_equal(other[1], one[1] * unit)
    assert_array_equal(other[2], one[2] * unit**2)
