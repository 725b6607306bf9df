"""Rows with known noise: the same bits on threads, clusters and whatever the noise is cut into."""

import dask
import dask.array as da
import numpy as np
import pytest
from distributed import Client, LocalCluster

from daskgmm import GaussianMixture
from daskgmm.passes.batches import cut_batches, seconds_per_row
from daskgmm.rows.opening import as_rows
from tests.promises.options import D, K, rows
from tests.promises.slow import bits

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::daskgmm.errors.DegenerateComponentWarning"),
]

N = 3000

X = da.from_array(rows(N), chunks=(300, D))

NOISE = np.random.default_rng(0).uniform(0.1, 0.3, (N, D))


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-6)


def found(structure="full", noise=None, init="k-means++"):
    noise = da.from_array(NOISE, chunks=(300, D)) if noise is None else noise
    mixture = GaussianMixture(
        K,
        covariance_type=structure,
        max_iter=3,
        tol=0.0,
        init_params=init,
        random_state=0,
        sample_rows=200,
    ).fit(X, noise_variance=noise)
    return bits(mixture) | {"score": mixture.score(X, noise_variance=noise)}


def test_the_rows_are_cut_into_many_batches():
    assert len(cut_batches(as_rows(X), seconds_per_row(K, D))) >= 8


@pytest.mark.slow
@pytest.mark.parametrize(("structure", "init"), [("full", "kmeans"), ("diag", "k-means++")])
def test_threads(structure, init):
    with dask.config.set(num_workers=1):
        alone = found(structure, init=init)
    with dask.config.set(num_workers=3):
        assert found(structure, init=init) == alone


@pytest.mark.slow
def test_cuts_of_the_noise():
    for noise in (NOISE, da.from_array(NOISE, chunks=(700, 1))):
        assert found(noise=noise) == found()


@pytest.mark.slow
def test_clusters():
    here, shared = found(), found(noise=NOISE[0])
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster),
    ):
        assert found() == here
        assert found(noise=NOISE[0]) == shared
