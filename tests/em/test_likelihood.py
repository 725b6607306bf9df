"""Scores and curvature of rows with gaps, noise and labels, against derivatives row by row."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import logsumexp

from daskgmm.companions import Companions
from daskgmm.em.likelihood import Likelihood, moments_of_block, moments_of_parts
from daskgmm.em.slopes import Steps
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.charts.score_chart import ScoreChart
from daskgmm.gaussian.charts.slopes import Beside
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.kernels.numpy_backend import NumpyBackend
from tests.gaussian.mixtures import parameters_of

K, D, N, STEP = 2, 2, 16, 1e-3
R = np.random.default_rng(0)
ROOTS = R.normal(size=(K, D, D))
MATRICES = ROOTS @ ROOTS.swapaxes(1, 2) + np.eye(D)
MEANS, WEIGHTS = 2 * R.normal(size=(K, D)), np.array([0.3, 0.7])
W = R.uniform(0.5, 2.0, N)
X = 2 * R.normal(size=(N, D))
GAPS = np.where(R.random((N, D)) < 0.4, np.nan, X)
GAPS[np.isnan(GAPS).all(axis=1)] = [0.5, np.nan]
NOISE = R.uniform(0.1, 2.0, (N, D))
LABELS = R.integers(-1, K, N)
NAMES = ("full", "tied", "diag", "spherical")

CASES = {
    "gaps": (GAPS, None, None),
    "noise": (X, NOISE, None),
    "gaps and labels": (GAPS, None, LABELS),
    "noise and labels": (X, NOISE, LABELS),
}


def log_likelihood(chart, point, x, noise, labels):
    """Return it at a point of the chart: a loop over rows."""
    own, total = Beside.of(chart, point).parameters, 0.0
    covariances = STRUCTURES[own.structure].precision.matrices(own.covariances, D)
    for row in range(N):
        there = np.flatnonzero(~np.isnan(x[row]))
        logs = np.empty(K)
        for j in range(K):
            covariance = covariances[j] + (0.0 if noise is None else np.diag(noise[row]))
            covariance, z = covariance[np.ix_(there, there)], (x[row] - own.means[j])[there]
            logs[j] = np.log(own.weights[j]) - 0.5 * (
                z @ np.linalg.solve(covariance, z) + np.linalg.slogdet(2 * np.pi * covariance)[1]
            )
        known = labels is not None and labels[row] >= 0
        total += W[row] * (logs[labels[row]] if known else logsumexp(logs))
    return total


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", NAMES)
def test_scores_and_curvature_are_derivatives(name, case):
    x, noise, labels = CASES[case]
    chart = ScoreChart.of(parameters_of(name, WEIGHTS, MEANS, MATRICES))
    likelihood = Likelihood("gaps" in case, None if noise is None else D, labels is not None)
    half_range = np.nanmax(np.abs(x - chart.center), axis=0)
    block, steps = Block(x, Companions(W, labels, noise)), STEP * np.eye(chart.n_parameters)
    given = x, noise, labels

    ends = {s: [log_likelihood(chart, s * e, *given) for e in steps] for s in (-1, 1, -2, 2)}
    slopes = (np.subtract(ends[1], ends[-1]) * 8 - np.subtract(ends[2], ends[-2])) / (12 * STEP)
    kernel = likelihood.kernel(chart, chart.parameters, half_range)
    moments = moments_of_parts(NumpyBackend(), kernel, block, [0, 1, 7])
    assert [each.rows for each in moments] == [1, 6, N - 7]
    assert_allclose(chart.of_moments(moments).sum(0), slopes, rtol=1e-6, atol=1e-6)

    beside = Steps.along(chart, np.eye(chart.n_parameters))
    each = moments_of_block(NumpyBackend(), beside.kernels(likelihood, half_range), block)
    found = beside.products(each) * W.sum()
    at = log_likelihood(chart, 0 * steps[0], *given)
    for i, own in enumerate(steps):
        for j in {i, 0, chart.n_parameters - 1}:
            other = steps[j]
            if i == j:
                second = ends[1][i] + ends[-1][i] - 2 * at
            else:
                second = (
                    log_likelihood(chart, own + other, *given)
                    + log_likelihood(chart, -own - other, *given)
                    - log_likelihood(chart, own - other, *given)
                    - log_likelihood(chart, other - own, *given)
                ) / 4
            assert found[i, j] == pytest.approx(-second / STEP**2, rel=1e-3, abs=2e-3)
