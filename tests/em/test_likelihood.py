"""Scores and curvature of rows with gaps, noise and labels, against derivatives row by row."""

from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose

from daskgmm.companions import Companions
from daskgmm.em.curvature import CurvatureWork
from daskgmm.em.likelihood import Likelihood, moments_of_parts
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.charts.score_chart import ScoreChart
from daskgmm.gaussian.kernels.numpy_backend import NumpyBackend
from tests.gaussian.mixtures import beside, parameters_of

K, D, N, STEP, FLOOR = 2, 3, 16, 1e-3, 0.05
R = np.random.default_rng(0)
ROOTS = R.normal(size=(K, D, D))
MATRICES = ROOTS @ ROOTS.swapaxes(1, 2) + np.eye(D)
MEANS, WEIGHTS = 2 * R.normal(size=(K, D)), np.array([0.3, 0.7])
W = R.uniform(0.5, 2.0, N)
X = 2 * R.normal(size=(N, D))
GAPS = np.where(R.random((N, D)) < 0.4, np.nan, X)
GAPS[np.isnan(GAPS).all(axis=1)] = [0.5, np.nan, np.nan]
NOISE = R.uniform(0.1, 2.0, (N, D))
DENSE = np.einsum("nij,nkj->nik", *2 * [R.normal(size=(N, D, D)) / 2]).reshape(N, D * D)
LABELS = R.integers(-1, K, N)
NAMES = ("full", "tied", "diag", "spherical")

CASES = {
    "plain": (X, None, None, FLOOR),
    "gaps": (GAPS, None, None, 0.0),
    "gaps and a floor": (GAPS, None, None, FLOOR),
    "noise": (X, NOISE, None, 0.0),
    "noise and a floor": (X, NOISE, None, FLOOR),
    "noise as matrices": (X, DENSE, None, 0.0),
    "gaps and labels": (GAPS, None, LABELS, 0.0),
    "noise and labels": (X, NOISE, LABELS, 0.0),
}


def log_likelihood(chart, point, x, noise, labels):
    """Return it at a point of the chart: a loop over rows."""
    (weights, means, covariances), total = beside(chart, point), 0.0
    for row in range(N):
        there = np.flatnonzero(~np.isnan(x[row]))
        added = np.zeros(D) if noise is None else noise[row]
        added = np.diag(added) if len(added) == D else added.reshape(D, D)
        own = (covariances + added)[np.ix_(range(K), there, there)]
        of_floor = own if noise is None else covariances
        z = (x[row] - means)[:, there, None]
        logs = np.log(weights) - 0.5 * (
            (z * np.linalg.solve(own, z)).sum(axis=(1, 2))
            + np.linalg.slogdet(2 * np.pi * own)[1]
            + chart.noise * np.trace(np.linalg.inv(of_floor), axis1=1, axis2=2)
        )
        known = labels is not None and labels[row] >= 0
        total += W[row] * (logs[labels[row]] if known else np.logaddexp.reduce(logs))
    return total


@pytest.mark.parametrize(
    ("name", "case"),
    [*(("full", case) for case in CASES), *product(NAMES[1:], ("gaps and a floor", "noise"))],
)
def test_scores_and_curvature_are_derivatives(name, case):
    *given, floor = CASES[case]
    x, noise, labels = given
    parameters = parameters_of(name, WEIGHTS, MEANS, MATRICES)
    chart = ScoreChart.of(parameters, noise=floor, reg_covar=floor)
    width = None if noise is None else noise.shape[1]
    likelihood = Likelihood("gaps" in case, width, labels is not None)
    half_range = np.nanmax(np.abs(x - chart.center), axis=0)
    block, steps = Block(x, Companions(W, labels, noise)), STEP * np.eye(chart.n_parameters)

    ends = {s: [log_likelihood(chart, s * e, *given) for e in steps] for s in (-1, 1, -2, 2)}
    slopes = (np.subtract(ends[1], ends[-1]) * 8 - np.subtract(ends[2], ends[-2])) / (12 * STEP)
    kernel = likelihood.kernel(chart, half_range)
    moments = moments_of_parts(NumpyBackend(), kernel, block, [0, 1, 7])
    assert [each.rows for each in moments] == [1, 6, N - 7]
    assert_allclose(chart.of_moments(moments).sum(0), slopes, rtol=1e-6, atol=1e-6)

    found = CurvatureWork(chart, likelihood)(None, iter([block])).curvature(chart) * W.sum()
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


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", NAMES)
def test_squares_are_those_of_the_scores_of_single_rows(name, case):
    """Whose moments are taken one by one."""
    x, noise, labels, floor = CASES[case]
    parameters = parameters_of(name, WEIGHTS, MEANS, MATRICES)
    chart = ScoreChart.of(parameters, noise=floor, reg_covar=floor)
    width = None if noise is None else noise.shape[1]
    likelihood = Likelihood("gaps" in case, width, labels is not None)
    block = Block(x, Companions(W, labels, noise))
    kernel = likelihood.kernel(chart, np.nanmax(np.abs(x - chart.center), axis=0))
    moments = moments_of_parts(NumpyBackend(), kernel, block, range(N))
    scores = chart.of_moments(moments) / np.sqrt(W)[:, None]
    work = CurvatureWork(chart, likelihood, all_rows=True)
    found = work(None, iter([block.part(slice(0, 5)), block.part(slice(5, N))]))
    assert_allclose(found.of_rows * W.sum(), scores.T @ scores, rtol=1e-9, atol=1e-9)
    assert_allclose(found.counts, sum(each.counts for each in moments))
    fewer = CurvatureWork(chart, likelihood)(None, iter([block]))
    assert_allclose(fewer.curvature(chart), found.curvature(chart), rtol=1e-9, atol=1e-11)
