"""Promise 3 for standard errors: groups of rows, and gaps."""

import dask
import dask.array as da
import numpy as np
import pytest
from distributed import Client, LocalCluster

from daskgmm import GaussianMixture
from daskgmm.passes.batches import cut_batches, seconds_per_row
from daskgmm.rows.opening import as_rows

pytestmark = pytest.mark.slow

R = np.random.default_rng(0)
X = R.normal(size=(4000, 2)) + 2.5 * (R.random(4000) < 0.4)[:, None]
LAZY, GROUPS = da.from_array(X, chunks=(150, 2)), da.from_array(np.arange(4000) % 70, chunks=150)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-7)


def found(mixture, gaps):
    each = mixture.standard_errors(LAZY), mixture.standard_errors(LAZY, groups=GROUPS)
    each += (gaps.standard_errors(da.where(LAZY > 3.0, np.nan, LAZY)),)
    return [bytes(np.asarray(part)) for e in each for part in (e.weights, e.means, e.covariances)]


def test_threads_and_clusters():
    assert len(cut_batches(as_rows(LAZY), seconds_per_row(2, 6))) >= 8
    close = {"tol": 1e-7, "max_iter": 500, "random_state": 0}
    mixture = GaussianMixture(2, **close).fit(X)
    gaps = GaussianMixture(2, missing="marginalise", **close).fit(np.where(X > 3.0, np.nan, X))
    with dask.config.set(num_workers=1):
        alone = found(mixture, gaps)
    with dask.config.set(num_workers=3):
        assert found(mixture, gaps) == alone
    cluster = LocalCluster(2, threads_per_worker=1, dashboard_address="127.0.0.1:0")
    with cluster, Client(cluster):
        assert found(mixture, gaps) == alone
