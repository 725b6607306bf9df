"""Rows that miss values: the same bits on threads and clusters, memory within the plan."""

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

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

STRUCTURES = ("full", "tied", "diag", "VVE")


def lazy_rows():
    x = rows(4000)
    x[np.random.default_rng(0).random(x.shape) < 0.2] = np.nan
    return da.from_array(x, chunks=(400, D))


X = lazy_rows()


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-6)


def found(structure):
    mixture = GaussianMixture(
        K, covariance_type=structure, missing="marginalise", max_iter=3, tol=0.0, random_state=0
    ).fit(X)
    return bits(mixture) | {"imputed": bytes(mixture.impute(X).compute())}


ALONE = {}


def alone(structure):
    if structure not in ALONE:
        with dask.config.set(num_workers=1):
            ALONE[structure] = found(structure)
    return ALONE[structure]


def test_the_rows_are_cut_into_many_batches():
    assert len(cut_batches(as_rows(X), seconds_per_row(K, D))) >= 8


@pytest.mark.slow
@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("threads", [2, 4])
def test_threads(structure, threads):
    with dask.config.set(num_workers=threads):
        assert found(structure) == alone(structure)


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "processes"), [(1, False), (2, True)])
def test_clusters(workers, processes):
    cluster = LocalCluster(
        n_workers=workers,
        threads_per_worker=2,
        processes=processes,
        dashboard_address="127.0.0.1:0",
    )
    with cluster, Client(cluster):
        for structure in STRUCTURES:
            assert found(structure) == alone(structure)
