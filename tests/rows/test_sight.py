"""Processes that do not see the data fail; a Zarr chunk that is not there would read as zeros."""

import dask
import numpy as np
import pytest
import zarr
from distributed import Client, LocalCluster

from daskgmm import GaussianMixture, open_data
from daskgmm.errors import SourceError
from daskgmm.rows.opening import as_rows
from tests.oracle.data import blobs

SETTINGS = {"n_components": 2, "max_iter": 2, "tol": 0.0, "random_state": 0}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(params=[2, 3])
def stored(tmp_path, request):
    X = blobs(4000, 3, 2, seed=1)
    zarr.create_array(
        tmp_path / "here" / "rows.zarr", data=X, chunks=(500, 3), zarr_format=request.param
    )
    return X, tmp_path / "here"


def test_a_relative_path_means_the_same_to_workers_elsewhere(stored, tmp_path, monkeypatch):
    X, folder = stored
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=50
        ) as cluster,
        Client(cluster),
    ):
        monkeypatch.chdir(folder)  # after the worker was started
        there = GaussianMixture(**SETTINGS).fit("rows.zarr")
        labels = there.predict("rows.zarr").compute()
        with pytest.raises(SourceError, match=r"rows\.zarr is not on .*Give an absolute path"):
            GaussianMixture(**SETTINGS).fit(zarr.open_array("rows.zarr"))
    here = GaussianMixture(**SETTINGS).fit(X)
    np.testing.assert_allclose(there.means_, here.means_)
    np.testing.assert_array_equal(labels, here.predict(X))


def test_data_that_are_not_there_are_no_zeros(stored):
    _, folder = stored
    rows = as_rows(folder / "rows.zarr")
    segment = rows.segment(0, len(rows.lengths))
    folder.rename(folder.with_name("gone"))
    with pytest.raises(SourceError, match="that driver and workers all see"):
        list(segment.stream())


def test_labelled_arrays_that_are_not_there(stored):
    xarray = pytest.importorskip("xarray", reason="no xarray")
    _, folder = stored
    xarray.Dataset({"a": (("x", "y"), np.ones((4, 5)))}).to_zarr(
        folder / "group.zarr", zarr_format=3, consolidated=False
    )
    found = open_data(folder / "group.zarr", variables=["a"])
    folder.rename(folder.with_name("gone"))
    with pytest.raises(SourceError, match="is not on"), dask.config.set(scheduler="sync"):
        found["a"].compute()


def test_an_array_alone_with_missing_chunks_reads_as_zarr_means_it(tmp_path):
    path = tmp_path / "sparse.zarr"
    zarr.create_array(path, shape=(1000, 2), chunks=(100, 2), dtype="f8", fill_value=3.0)
    rows = as_rows(path)
    blocks = list(rows.segment(0, len(rows.lengths)).stream())
    assert all((block == 3.0).all() for block in blocks)
