"""Curvature of all rows along directions, from slopes, against that of Louis' formula."""

import dask.array as da
import numpy as np
import pytest
from numpy.testing import assert_allclose

import daskgmm.gaussian.charts.score_curvature as score_curvature
from daskgmm.companions import Companions
from daskgmm.em.scores import SEED
from daskgmm.em.slopes import products_along
from daskgmm.em.survey.sample import row_hashes
from daskgmm.gaussian.charts.score_chart import ScoreChart
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


@pytest.mark.parametrize("far", [0.0, 1e4], ids=["natural", "whitened"])
@pytest.mark.parametrize("name", ["full", "tied", "diag", "spherical", "EEI", "EII"])
def test_products_are_those_of_the_curvature(name, far, monkeypatch):
    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-9)
    chart = ScoreChart.of(
        parameters_of(name, WEIGHTS, MEANS + far, MATRICES), noise=0.05, reg_covar=0.05
    )
    x, directions = X + far, R.normal(size=(chart.n_parameters, 4))
    half_range = np.abs(x - chart.center).max(0)
    for share in (1.0, 0.4):
        kept = row_hashes(SEED, 0, N) <= np.uint64(2**64 * min(share, 1 - 1e-9))
        assert kept.sum() == N if share == 1.0 else 0.3 * N < kept.sum() < 0.5 * N
        found = products_along(dataset(x), chart, directions, half_range, share)
        wanted = score_curvature.curvature(chart, x[kept], W[kept]) @ directions
        assert_allclose(found, wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max())
