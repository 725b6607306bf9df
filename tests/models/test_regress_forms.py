"""Regression and ranks of rows in every form: the same numbers, lazy where predictions are."""

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from numpy.testing import assert_allclose, assert_array_equal

from daskgmm import GaussianMixture
from tests.models.test_density import NAMES, rows, three

X = rows(1000)
NAMED = three(feature_names=NAMES)
EXPECTED = three().regress(X[:, [0, 2]], targets=[1])


def test_arrays_and_stores(tmp_path):
    given = X[:, [0, 2]]
    zarr.save_array(str(tmp_path / "x.zarr"), given)
    for x in (da.from_array(given, chunks=(300, 1)), str(tmp_path / "x.zarr")):
        found = three().regress(x, targets=[1])
        assert all(isinstance(each, da.Array) for each in found)
        assert found.mean.shape == (1000, 1)
        for ours, theirs in zip(found, EXPECTED, strict=True):
            assert_allclose(ours.compute(), theirs, rtol=1e-12)
    single = three().regress(da.from_array(given, chunks=300), targets=1)
    assert single.mean.shape == (1000,)
    single.mean.to_zarr(str(tmp_path / "mean.zarr"))
    assert_allclose(zarr.open_array(str(tmp_path / "mean.zarr"))[:], EXPECTED.mean[:, 0])


def test_frames_and_parquet(tmp_path):
    frame = pd.DataFrame(X, columns=NAMES, index=np.arange(1000) * 2)
    frame.to_parquet(tmp_path / "x.parquet")
    here = NAMED.regress(frame[["a", "c"]], targets=["b"])
    assert_array_equal(here.mean, EXPECTED.mean)
    stored = NAMED.regress(str(tmp_path / "x.parquet"), targets="b")
    assert_allclose(stored.mean.compute(), EXPECTED.mean[:, 0], rtol=1e-12)
    lazy = NAMED.regress(dd.from_pandas(frame, npartitions=3), targets=["b"])
    assert list(lazy.mean.columns) == list(lazy.variance.columns) == ["b"]
    assert lazy.log_density.name == "log_density"
    assert_allclose(lazy.variance.compute()["b"], EXPECTED.variance[:, 0], rtol=1e-12)
    assert_array_equal(lazy.mean.compute().index, frame.index)
    one = NAMED.regress(dd.from_pandas(frame, npartitions=3), targets="b")
    assert_allclose(one.mean.compute(), EXPECTED.mean[:, 0], rtol=1e-12)
    ranks = NAMED.density_rank(dd.from_pandas(frame, npartitions=3)).compute()
    assert ranks.name == "density_rank"
    assert_allclose(ranks, three().density_rank(X), rtol=1e-12)


@pytest.mark.parametrize("lazy", [False, True])
def test_labelled_arrays(lazy):
    grid = X.reshape(20, 50, 3)
    data = xr.Dataset(
        {name: (("y", "x"), grid[:, :, i]) for i, name in enumerate(NAMES)},
        coords={"y": np.arange(20)},
    )
    data = data.chunk({"y": 7}) if lazy else data
    mixture = three(feature_names=NAMES)
    mixture.feature_dims_ = ()
    found = mixture.regress(data, targets=["b"])
    assert found.mean.dims == ("y", "x", "target")
    assert list(found.mean.target.values) == ["b"]
    assert (found.mean.chunks is not None) == lazy
    assert_allclose(found.mean.values.reshape(-1, 1), EXPECTED.mean, rtol=1e-12)
    assert_allclose(found.log_density.values.ravel(), EXPECTED.log_density, rtol=1e-12)
    one = mixture.regress(data, targets="b")
    assert one.variance.dims == ("y", "x")
    assert_allclose(one.variance.values.ravel(), EXPECTED.variance[:, 0], rtol=1e-12)
    assert mixture.density_rank(data).dims == ("y", "x")


def test_rows_that_miss_a_value():
    given = X[:10, [0, 2]].copy()
    given[3, 1] = np.nan
    found = three(missing="drop").regress(given, targets=1)
    assert all(np.isnan(each[3]) for each in found)
    keep = np.arange(10) != 3
    assert_allclose(found.mean[keep], EXPECTED.mean[:10, 0][keep], rtol=1e-12)
    with pytest.raises(ValueError, match="missing"):
        three().regress(given, targets=1)


@pytest.mark.parametrize("standardise", [False, True])
@pytest.mark.parametrize("kind", ["full", "diag", "tied"])
def test_rows_are_regressed_on_what_they_have(kind, standardise):
    settings = {"missing": "marginalise", "standardise": standardise, "random_state": 0}
    mixture = GaussianMixture(2, covariance_type=kind, **settings, tol=1e-2).fit(X)
    given = X[:30, [0, 2]].copy()
    given[:10, 0], given[10:20, 1], given[20] = np.nan, np.nan, np.nan
    found = mixture.regress(given, targets=1)
    whole = mixture.regress(X[:30, [0, 2]], targets=1)
    by_last = mixture.marginal([1, 2]).regress(X[:30, [2]], targets=0)
    by_first = mixture.marginal([0, 1]).regress(X[:30, [0]], targets=1)
    for some, expected in ((slice(10), by_last), (slice(10, 20), by_first), (slice(21, 30), whole)):
        for ours, theirs in zip(found, expected, strict=True):
            assert_allclose(ours[some], theirs[some], rtol=1e-10, atol=1e-10)
    assert all(np.isnan(each[20]) for each in found)
    lazy = mixture.regress(da.from_array(given, chunks=(7, 2)), targets=1)
    assert_allclose(lazy.variance.compute(), found.variance, rtol=1e-12)


def test_single_precision():
    found = three().regress(X[:, [0, 2]].astype(np.float32), targets=1)
    assert found.mean.dtype == np.float32
    assert_allclose(found.mean, EXPECTED.mean[:, 0], rtol=1e-4, atol=1e-5)


def test_other_columns_are_refused():
    with pytest.raises(ValueError, match="takes those that are not targets"):
        three().regress(X, targets=1)
