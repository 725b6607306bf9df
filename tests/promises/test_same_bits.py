"""Promise 3: same data, chunks, settings and seed give the same bits wherever passes run."""

import dask
import dask.array as da
import numpy as np
import pytest
import zarr
from distributed import Client, LocalCluster

from daskgmm import GaussianMixture
from daskgmm.passes.batches import cut_batches, seconds_per_row
from daskgmm.rows.opening import as_rows
from tests.oracle.data import STRUCTURES, blobs

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

K = 4


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    path = tmp_path_factory.mktemp("bits") / "rows.zarr"
    zarr.create_array(path, data=blobs(300_000, 4, K, seed=2), chunks=(5000, 4))
    return str(path)


@pytest.fixture(scope="module")
def quiet(stored):
    with dask.config.set(num_workers=1):
        return {name: bits(fitted(stored, name)) for name in STRUCTURES}


def fitted(X, covariance_type):
    return GaussianMixture(
        K, covariance_type=covariance_type, max_iter=3, random_state=0, n_init=1
    ).fit(X)


def bits(mixture):
    return [getattr(mixture, name).tobytes() for name in ("weights_", "means_", "covariances_")] + [
        np.array(mixture.lower_bounds_).tobytes()
    ]


def test_the_rows_are_cut_into_many_batches(stored):
    assert len(cut_batches(as_rows(stored), seconds_per_row(K, 15))) >= 4


@pytest.mark.parametrize("covariance_type", STRUCTURES)
@pytest.mark.parametrize("threads", [2, 5])
def test_threads(stored, quiet, covariance_type, threads):
    with dask.config.set(num_workers=threads):
        assert bits(fitted(stored, covariance_type)) == quiet[covariance_type]


@pytest.mark.parametrize(("workers", "threads", "processes"), [(1, 1, False), (2, 2, True)])
def test_clusters(stored, quiet, workers, threads, processes):
    cluster = LocalCluster(
        n_workers=workers,
        threads_per_worker=threads,
        processes=processes,
        dashboard_address="127.0.0.1:0",
    )
    with cluster, Client(cluster):
        for covariance_type in STRUCTURES:
            assert bits(fitted(stored, covariance_type)) == quiet[covariance_type]


def test_a_dask_array_on_a_cluster_and_on_threads(stored):
    X = (da.from_zarr(stored) - 1.0) * 2.0
    alone = bits(fitted(X, "full"))
    with Client(
        processes=False, n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0"
    ):
        assert bits(fitted(X, "full")) == alone
        assert bits(fitted(X.persist(), "full")) == alone
