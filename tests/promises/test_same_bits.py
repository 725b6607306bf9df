"""Promise 3: same data, chunks, settings and seed give the same bits wherever passes run."""

import os
import pickle
import random
import subprocess
import sys
import time
from copy import copy
from pathlib import Path

import dask
import dask.array as da
import pytest
from distributed import Client, LocalCluster

from daskgmm import GaussianMixture
from daskgmm.passes.batches import cut_batches, seconds_per_row
from daskgmm.rows.opening import as_rows
from tests.oracle.data import STRUCTURES
from tests.promises.slow import K, bits

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def alone(stored):
    with dask.config.set(num_workers=1):
        return {name: bits(fitted(stored, name)) for name in STRUCTURES}


def fitted(X, covariance_type):
    return GaussianMixture(
        K, covariance_type=covariance_type, max_iter=3, random_state=0, n_init=1
    ).fit(X)


def test_the_rows_are_cut_into_many_batches(stored):
    assert len(cut_batches(as_rows(stored), seconds_per_row(K, 15))) >= 4


@pytest.mark.parametrize("covariance_type", STRUCTURES)
@pytest.mark.parametrize("threads", [2, pytest.param(5, marks=pytest.mark.slow)])
def test_threads(stored, alone, covariance_type, threads):
    with dask.config.set(num_workers=threads):
        assert bits(fitted(stored, covariance_type)) == alone[covariance_type]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("workers", "threads", "processes"), [(1, 1, False), (1, 3, False), (2, 2, True), (8, 1, False)]
)
def test_clusters(stored, alone, workers, threads, processes):
    cluster = LocalCluster(
        n_workers=workers,
        threads_per_worker=threads,
        processes=processes,
        dashboard_address="127.0.0.1:0",
    )
    with cluster, Client(cluster):
        for covariance_type in STRUCTURES:
            assert bits(fitted(stored, covariance_type)) == alone[covariance_type]


@pytest.mark.slow
def test_a_dask_array_on_a_cluster_and_on_threads(stored):
    X = (da.from_zarr(stored) - 1.0) * 2.0
    here = bits(fitted(X, "full"))
    with Client(
        processes=False, n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0"
    ):
        assert bits(fitted(X, "full")) == here
        assert bits(fitted(X.persist(), "full")) == here


def statistics_and_clusters(x, mixture):
    mixture = copy(mixture).merge_components(x)
    stepped = mixture.step(mixture.moments(x))
    drift, later = mixture.drift(x), mixture.update(x)
    tested = drift.p_value, drift.mean_shifts.tobytes(), drift.p_values.tobytes()
    return (
        bits(stepped),
        bits(later),
        tested,
        mixture.merging_.entropy.tobytes(),
        mixture.clusters_.tobytes(),
    )


@pytest.mark.slow
def test_moments_updates_drift_and_merged_components(stored):
    mixture = fitted(stored, "full")
    with dask.config.set(num_workers=1):
        alone = statistics_and_clusters(stored, mixture)
    with dask.config.set(num_workers=3):
        assert statistics_and_clusters(stored, mixture) == alone
    for workers, processes in ((1, False), (2, True)):
        with Client(
            processes=processes,
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
        ):
            assert statistics_and_clusters(stored, mixture) == alone


def _at_random(block):
    time.sleep(random.uniform(0, 0.02))
    return block


@pytest.mark.slow
def test_results_that_arrive_in_another_order(stored):
    X = da.from_zarr(stored)
    delayed = X.map_blocks(_at_random, dtype=float)
    with dask.config.set(num_workers=1):
        in_order = bits(fitted(X, "full"))
    with dask.config.set(num_workers=4):
        assert bits(fitted(delayed, "full")) == in_order
    with Client(
        processes=False, n_workers=4, threads_per_worker=1, dashboard_address="127.0.0.1:0"
    ):
        assert bits(fitted(delayed, "full")) == in_order


@pytest.mark.slow
@pytest.mark.parametrize("blas_threads", ["1", "2"])
def test_the_threads_of_blas_and_openmp_change_nothing(stored, alone, blas_threads, tmp_path):
    """They are set when a process starts; passes use one, and so does the start."""
    script = (
        "import pickle, sys, warnings; warnings.simplefilter('ignore');"
        "from tests.promises.test_same_bits import fitted, bits;"
        "found = bits(fitted(sys.argv[1], 'full'));"
        "open(sys.argv[2], 'wb').write(pickle.dumps(found))"
    )
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, blas_threads)}
    out = tmp_path / "bits.pkl"
    command = [sys.executable, "-c", script, stored, str(out)]
    subprocess.run(command, env=environment, check=True, cwd=Path(__file__).parents[2])
    assert pickle.loads(out.read_bytes()) == alone["full"]
