"""Regressions on disk: what `regress` returns, in Zarr and Parquet."""

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr

from daskgmm import GaussianMixture
from daskgmm.errors import DataError, SettingError
from tests.oracle.data import blobs

N, D, K = 300, 4, 3

X = blobs(N, D, K, seed=3)

GIVEN = X[:, [0, 2]]


@pytest.fixture(scope="module")
def mixture():
    return GaussianMixture(K, random_state=0, max_iter=300).fit(X)


@pytest.fixture(scope="module")
def named():
    mixture = GaussianMixture(K, random_state=0, max_iter=300)
    return mixture.fit(pd.DataFrame(X, columns=["a", "b", "c", "d"]))


def assert_written(found, expected, names):
    for place, name in enumerate(names):
        np.testing.assert_allclose(found[f"mean_{name}"], expected.mean[:, place], rtol=1e-12)
        np.testing.assert_allclose(
            found[f"variance_{name}"], expected.variance[:, place], rtol=1e-12
        )
    np.testing.assert_allclose(found["log_density"], expected.log_density, rtol=1e-12)


def test_zarr(mixture, tmp_path):
    expected = mixture.regress(GIVEN, [1, 3])
    for number, rows in enumerate((GIVEN, da.from_array(GIVEN, chunks=(70, 1)))):
        out = tmp_path / f"{number}.zarr"
        written = mixture.regress_to_zarr(rows, out, [1, 3], dtype="float64", chunks=64)
        assert written.rows == N
        group = zarr.open_group(out, mode="r")
        assert sorted(group.array_keys()) == [
            "log_density", "mean_1", "mean_3", "variance_1", "variance_3"
        ]  # fmt: skip
        assert_written({name: array[:] for name, array in group.arrays()}, expected, [1, 3])


def test_a_grid(named, tmp_path):
    grid = xr.Dataset(
        {name: (("y", "x"), GIVEN[:, place].reshape(15, 20)) for place, name in enumerate("ac")},
        coords={"y": np.arange(15) * 0.5},
    )
    expected = named.regress(pd.DataFrame(GIVEN, columns=["a", "c"]), ["b", "d"])
    for number, data in enumerate((grid, grid.chunk(y=4))):
        out = tmp_path / f"{number}.zarr"
        named.regress_to_zarr(data, out, ["b", "d"], dtype="float64")
        found = xr.open_zarr(out, consolidated=False)
        np.testing.assert_array_equal(found["y"], grid["y"])
        means = found["mean_d"].to_numpy().ravel()
        np.testing.assert_allclose(means, expected.mean[:, 1], rtol=1e-12)


def test_parquet(named, tmp_path):
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"]).assign(key=np.arange(N))
    expected = named.regress(frame, ["d", "b"])
    frame.to_parquet(tmp_path / "t.parquet", row_group_size=90)
    for rows in (frame, dd.from_pandas(frame, npartitions=2), str(tmp_path / "t.parquet")):
        out = tmp_path / "p.parquet"
        named.regress_to_parquet(rows, out, ["d", "b"], key="key", dtype="float64", overwrite=True)
        found = pd.read_parquet(out)
        np.testing.assert_array_equal(found["key"], frame["key"])
        assert_written(found, expected, ["d", "b"])


def test_gaps(tmp_path):
    holed = GIVEN.copy()
    holed[::5, 0], holed[7] = np.nan, np.nan
    mixture = GaussianMixture(K, random_state=0, max_iter=300, missing="marginalise").fit(X)
    expected = mixture.regress(holed, [1, 3])
    mixture.regress_to_zarr(holed, tmp_path / "z", [1, 3], dtype="float64")
    group = zarr.open_group(tmp_path / "z", mode="r")
    assert_written({name: array[:] for name, array in group.arrays()}, expected, [1, 3])
    assert np.isnan(group["mean_1"][7])


def test_a_run_of_other_targets_is_another(mixture, tmp_path, monkeypatch):
    """Of the same given columns: what they tell of is in the identity of a run."""
    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-9)

    class Stop(Exception):
        pass

    def stop(done, total):
        if done == 3:
            raise Stop

    lazy, out = da.from_array(X[:, :2], chunks=(50, 2)), tmp_path / "z"
    wide = mixture.marginal([0, 1, 2])
    moved = mixture.marginal([0, 1, 3])
    with pytest.raises(Stop):
        wide.regress_to_zarr(lazy, out, [2], chunks=50, dtype="float64", progress=stop)
    with pytest.raises(FileExistsError, match="another model"):
        moved.regress_to_zarr(lazy, out, [2], chunks=50, dtype="float64")
    moved.regress_to_zarr(lazy, out, [2], chunks=50, dtype="float64", overwrite=True)
    expected = moved.regress(X[:, :2], 2)
    written = zarr.open_group(out, mode="r")["mean_2"][:]
    np.testing.assert_allclose(written, expected.mean, rtol=1e-12)  # in other blocks


def test_all_columns_where_those_without_the_targets_are_needed(mixture, tmp_path):
    out, store = tmp_path / "z", str(tmp_path / "x.zarr")
    da.to_zarr(da.from_array(X, chunks=(100, 4)), store)
    pd.DataFrame(X, columns=list("abcd")).to_parquet(tmp_path / "x.parquet")
    advice = r"has all 4 columns.*numpy.delete\(X, \[1, 3\], axis=1\)"
    for rows in (X, da.from_array(X), store):
        with pytest.raises(DataError, match=advice):
            mixture.regress(rows, [1, 3])
        with pytest.raises(DataError, match=advice):
            mixture.regress_to_zarr(rows, out, [1, 3])
    with pytest.raises(DataError, match=advice):
        mixture.regress_to_parquet(str(tmp_path / "x.parquet"), tmp_path / "p.parquet", [1, 3])
    with pytest.raises(ValueError, match="X has 3 features, but"):
        mixture.regress_to_zarr(X[:, :3], out, [1, 3])


def test_refusals(mixture, named, tmp_path):
    with pytest.raises(SettingError, match="dtype is 'uint8'"):
        mixture.regress_to_zarr(GIVEN, tmp_path / "z", [1, 3], dtype="uint8")
    with pytest.raises(SettingError, match="no column 'z'"):
        named.regress_to_zarr(GIVEN, tmp_path / "z", "z")
    with pytest.raises(SettingError, match="All 4 columns"):
        mixture.regress_to_zarr(GIVEN, tmp_path / "z", [0, 1, 2, 3])
