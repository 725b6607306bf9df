"""Sums over batches that the curvature of all rows is made of."""

import dask.array as da
import numpy as np
from numpy.testing import assert_allclose

from daskgmm.companions import Companions
from daskgmm.em.curvature import CurvatureWork, squares_of_scores
from daskgmm.em.likelihood import Likelihood
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.charts.conditionals import CompleteRows
from daskgmm.gaussian.charts.score_chart import ScoreChart
from daskgmm.gaussian.charts.score_curvature import sums_of_squares
from daskgmm.passes.dataset import Dataset
from daskgmm.rows.companions.weights import weights_for
from daskgmm.rows.opening import as_rows
from tests.gaussian.mixtures import parameters_of

K, D, N = 3, 2, 500
R = np.random.default_rng(0)
ROOTS = R.normal(size=(K, D, D))
MATRICES = ROOTS @ ROOTS.swapaxes(1, 2) + np.eye(D)
MEANS, WEIGHTS = 2 * R.normal(size=(K, D)), np.array([0.2, 0.3, 0.5])
X, W = 2 * R.normal(size=(N, D)), R.uniform(0.5, 2.0, N)


def dataset(x):
    rows = as_rows(da.from_array(x, chunks=(70, D)))
    data = Dataset.of(rows, Companions(weights_for(rows, W)), K, 1 + D + D * D)
    assert len(data.batches) > 3
    return data


def test_sums_of_batches_are_those_of_all_rows(monkeypatch):
    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-9)
    chart = ScoreChart.of(parameters_of("full", WEIGHTS, MEANS, MATRICES))
    found = squares_of_scores(dataset(X), chart)
    wanted = sums_of_squares(chart, CompleteRows.of(chart), Block(X, Companions(W)))
    for name in ("weight", "counts"):
        assert_allclose(getattr(found, name), getattr(wanted, name), rtol=1e-12, atol=1e-12)
    # Of rows whose components are sure both sums have parts that cancel.
    assert_allclose(found.curvature(chart), wanted.curvature(chart), rtol=0, atol=1e-12)


def test_rows_without_weight_may_be_anything():
    chart = ScoreChart.of(parameters_of("full", WEIGHTS, MEANS, MATRICES))
    none = np.arange(N) % 3 == 0
    x, w = np.where(none[:, None], np.nan, X), np.where(none, 0.0, W)
    block = Block(x, Companions(w))
    work = CurvatureWork(chart, Likelihood())
    found = work(None, iter([block, block.part(slice(0, 1))]))
    kept = Block(X[~none], Companions(W[~none]))
    wanted = sums_of_squares(chart, CompleteRows.of(chart), kept)
    assert_allclose(found.scores, wanted.scores, rtol=1e-12, atol=1e-12)
    assert found.weight == wanted.weight
