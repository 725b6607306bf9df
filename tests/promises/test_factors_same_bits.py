"""Promise 3 for mixtures with factors, of all products or projected, and in principal axes."""

import os
import pickle
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import dask
import pytest
import zarr
from distributed import Client, LocalCluster

from daskgmm import GaussianMixture
from tests.models.test_factors import rows
from tests.promises.slow import bits

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

CASES = [("ppca", 12), ("factor", 90), ("mcfa", 12), ("mcfa", 90), ("pca", 90)]
"""Structures with factors, and full covariances in principal axes; own factors share their code."""


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    folder, paths = tmp_path_factory.mktemp("factors"), {}
    for d in (12, 90):
        paths[d] = str(folder / f"{d}.zarr")
        zarr.create_array(paths[d], data=rows(d, n=1200)[0], chunks=(100, d))
    return paths


def fitted(path, name):
    """Fit in as many batches as a large data set has."""
    chosen = {"pca": 10} if name == "pca" else {"covariance_type": name, "n_factors": 2}
    settings = {"max_iter": 3, "sample_rows": 300, "n_init": 1, "random_state": 0}
    with_race = path.endswith("12.zarr")
    settings["init_params"] = "kmeans" if with_race else "k-means++"
    with patch("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-6):
        return GaussianMixture(3, **chosen, **settings).fit(path)


@pytest.fixture(scope="module")
def alone(stores):
    with dask.config.set(num_workers=1):
        return {case: bits(fitted(stores[case[1]], case[0])) for case in CASES}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=str)
def test_threads(stores, alone, case):
    with dask.config.set(num_workers=5):
        assert bits(fitted(stores[case[1]], case[0])) == alone[case]


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "processes"), [(2, True), (8, False)])
def test_clusters(stores, alone, workers, processes):
    address = {"dashboard_address": "127.0.0.1:0"}
    cluster = LocalCluster(workers, threads_per_worker=1, processes=processes, **address)
    with cluster, Client(cluster):
        for case in CASES:
            assert bits(fitted(stores[case[1]], case[0])) == alone[case]


@pytest.mark.slow
@pytest.mark.parametrize("blas_threads", ["1", "2"])
def test_the_threads_of_blas_change_nothing(stores, alone, blas_threads, tmp_path):
    script = (
        "import pickle, sys, warnings; warnings.simplefilter('ignore');"
        "from tests.promises.test_factors_same_bits import CASES, fitted, bits;"
        "found = {case: bits(fitted(sys.argv[1 + (case[1] > 12)], case[0])) for case in CASES};"
        "open(sys.argv[3], 'wb').write(pickle.dumps(found))"
    )
    out = tmp_path / "bits.pkl"
    command = [sys.executable, "-c", script, stores[12], stores[90], str(out)]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": blas_threads}
    subprocess.run(command, env=environment, check=True, cwd=Path(__file__).parents[2])
    assert pickle.loads(out.read_bytes()) == alone
