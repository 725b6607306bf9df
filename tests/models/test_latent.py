"""Latent coordinates of rows, and the points that they stand for."""

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from numpy.testing import assert_allclose
from sklearn.decomposition import PCA, FactorAnalysis

import daskgmm.gaussian.covariance.algebra.projections as projections
from daskgmm import GaussianMixture
from daskgmm.cli import main
from tests.models.test_factors import TYPES, rows

Q = 2


@pytest.fixture(scope="module")
def x():
    return rows(n=3000)[0]


@pytest.fixture(params=TYPES, scope="module")
def mixture(request, x):
    settings = {"covariance_type": request.param, "n_factors": Q, "random_state": 0}
    return GaussianMixture(3, **settings).fit(x)


def posterior_means(mixture, x):
    """Return W^T Sigma^-1 (x - mu) by matrices, in the most probable component of each row."""
    matrices, labels = mixture.covariances_in_data_units(), mixture.predict(x)
    return np.array(
        [
            mixture.factor_loadings_[k].T @ np.linalg.solve(matrices[k], row - mixture.means_[k])
            for row, k in zip(x, labels, strict=True)
        ]
    )


@pytest.mark.parametrize("limit", [64, 0])
def test_they_are_posterior_means(mixture, x, limit, monkeypatch):
    monkeypatch.setattr(projections, "MOST_PRODUCTS", limit)
    found = mixture.transform(x)
    assert_allclose(found, posterior_means(mixture, x), rtol=1e-8, atol=1e-10)
    assert mixture.transform(x.astype(np.float32)).dtype == np.float32


def test_one_component_is_as_in_scikit_learn():
    x = rows(k=1)[0]
    factor = GaussianMixture(covariance_type="factor", n_factors=Q, reg_covar=0, tol=1e-9).fit(x)
    reference = FactorAnalysis(Q, svd_method="lapack", tol=1e-8, max_iter=20_000).fit(x)
    assert_allclose(np.abs(factor.transform(x)), np.abs(reference.transform(x)), atol=1e-2)
    principal = GaussianMixture(covariance_type="ppca", n_factors=Q, reg_covar=0).fit(x)
    scores = PCA(Q).fit(x).transform(x)
    variances, noise = principal.explained_variance_[0], principal.noise_variance_[0]
    expected = np.abs(scores) * np.sqrt(variances - noise) / variances
    assert_allclose(np.abs(principal.transform(x)), expected, rtol=1e-6, atol=1e-6)


def test_points_are_nearer_than_the_means(mixture, x):
    latent, labels = mixture.transform(x), mixture.predict(x)
    points = mixture.inverse_transform(latent, labels)
    expected = mixture.means_[labels] + np.einsum(
        "ndq,nq->nd", mixture.factor_loadings_[labels], latent
    )
    assert_allclose(points, expected, rtol=1e-10, atol=1e-10)
    apart = ((x - points) ** 2).sum(1).mean()
    assert apart < 0.6 * ((x - mixture.means_[labels]) ** 2).sum(1).mean()


def test_lazy_rows_are_transformed_lazily(mixture, x):
    lazy = da.from_array(x, chunks=(700, 3))
    latent, labels = mixture.transform(lazy), mixture.predict(lazy)
    assert latent.chunks == ((700, 700, 700, 700, 200), (Q,))
    assert_allclose(latent.compute(), mixture.transform(x))
    points = mixture.inverse_transform(latent, labels)
    assert points.chunks == ((700, 700, 700, 700, 200), (8,))
    here = mixture.inverse_transform(mixture.transform(x), mixture.predict(x))
    assert_allclose(points.compute(), here)
    assert_allclose(mixture.inverse_transform(latent, labels.compute()).compute(), here)


def test_labelled_rows_are_transformed_to_labelled_arrays(x):
    grid = xr.DataArray(
        x.reshape(50, 60, 8), dims=("y", "x", "band"), coords={"y": np.arange(50) * 2.0}
    )
    settings = {"covariance_type": "factor", "n_factors": Q, "random_state": 0}
    mixture = GaussianMixture(3, **settings).fit(grid, feature_dims=["band"])
    found = mixture.transform(grid)
    assert (found.name, found.dims, found.shape) == ("latent", ("y", "x", "factor"), (50, 60, Q))
    assert_allclose(found["y"], grid["y"])
    frame = pd.DataFrame(x, columns=mixture.feature_names_in_)
    assert_allclose(found.to_numpy().reshape(-1, Q), mixture.transform(frame))
    lazy = mixture.transform(grid.chunk({"y": 20}))
    assert lazy.chunks[0] == (20, 20, 10)
    assert_allclose(lazy, found)
    for each in (grid, grid.chunk({"y": 20})):
        latent, labels = mixture.transform(each, return_labels=True)
        xr.testing.assert_identical(latent.compute(), found)
        xr.testing.assert_identical(labels.compute(), mixture.predict(grid))


class Counted:
    """An array that counts how many of its rows are read."""

    def __init__(self, values):
        self.values, self.read = values, 0
        self.shape, self.dtype, self.ndim = values.shape, values.dtype, values.ndim

    def __getitem__(self, index):
        found = self.values[index]
        self.read += len(found)
        return found


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_labels_come_from_the_same_read(mixture, x, dtype):
    x = x.astype(dtype)
    latent, labels = mixture.transform(x, return_labels=True)
    assert (latent.dtype, labels.dtype) == (dtype, np.int64)
    np.testing.assert_array_equal(latent, mixture.transform(x))
    np.testing.assert_array_equal(labels, mixture.predict(x))
    counted = Counted(x)
    lazy = da.from_array(counted, chunks=(700, 8), meta=x[:0])
    z, found = mixture.transform(lazy, return_labels=True)
    assert counted.read == 0
    assert (z.chunks, found.chunks) == ((lazy.chunks[0], (Q,)), (lazy.chunks[0],))
    z, found = dask.compute(z, found)
    assert counted.read == len(x)
    np.testing.assert_array_equal(z, latent)
    np.testing.assert_array_equal(found, labels)


def test_labels_come_with_the_names_of_each_form(x, tmp_path):
    frame = pd.DataFrame(x, columns=list("abcdefgh"))
    settings = {"covariance_type": "factor", "n_factors": Q, "random_state": 0}
    mixture = GaussianMixture(3, **settings).fit(frame)
    latent, labels = mixture.transform(frame, return_labels=True)
    parts = dd.from_pandas(frame, npartitions=3)
    z, found = mixture.transform(parts, return_labels=True)
    assert list(z.columns) == list(mixture.transform(parts).columns) == ["latent_0", "latent_1"]
    assert found.name == mixture.predict(parts).name == "component"
    z, found = dask.compute(z, found)
    assert_allclose(z, latent)
    np.testing.assert_array_equal(found, labels)
    assert z.index.equals(frame.index)
    zarr.create_array(tmp_path / "x.zarr", data=x, chunks=(800, 8))
    z, found = (
        GaussianMixture(3, **settings).fit(x).transform(tmp_path / "x.zarr", return_labels=True)
    )
    assert_allclose(z.compute(), latent)
    np.testing.assert_array_equal(found.compute(), labels)


@pytest.mark.parametrize("noise", [False, True])
def test_labels_tell_outliers_from_missing_rows(x, noise):
    holed = x.copy()
    holed[5, 2] = np.nan
    holed[:3] = 300.0 * np.random.default_rng(0).choice([-1, 1], size=(3, 8))
    settings = {"covariance_type": "ppca", "n_factors": Q, "random_state": 0}
    mixture = GaussianMixture(3, missing="drop", noise=noise, **settings).fit(holed)
    latent, labels = mixture.transform(holed, return_labels=True)
    np.testing.assert_array_equal(labels, mixture.predict(holed))
    assert labels[5] == (-2 if noise else -1)
    assert np.isnan(latent).all(1).tolist() == (labels < 0).tolist()


@pytest.mark.slow
def test_points_have_the_form_of_the_coordinates(x):
    settings = {"covariance_type": "factor", "n_factors": Q, "random_state": 0}
    frame = pd.DataFrame(x, columns=list("abcdefgh"))
    mixture = GaussianMixture(3, **settings).fit(frame)
    expected = mixture.inverse_transform(*mixture.transform(frame, return_labels=True))
    parts = dd.from_pandas(frame, npartitions=3)
    found = mixture.inverse_transform(*mixture.transform(parts, return_labels=True))
    assert list(found.columns) == list("abcdefgh")
    assert found.compute().index.equals(frame.index)
    assert_allclose(found.compute(), expected)
    lazy = da.from_array(x, chunks=(700, 8))
    unknown = lazy[lazy[:, 0] > -np.inf]  # lengths that nobody knows
    found = mixture.inverse_transform(*mixture.transform(unknown, return_labels=True))
    assert np.isnan(found.shape[0])
    assert_allclose(found.compute(), expected)
    grid = xr.DataArray(
        x.reshape(50, 60, 8), dims=("y", "x", "band"), coords={"y": np.arange(50) * 2.0}
    )
    of_grid = GaussianMixture(3, **settings).fit(grid, feature_dims=["band"])
    for each in (grid, grid.chunk({"y": 20})):
        points = of_grid.inverse_transform(*of_grid.transform(each, return_labels=True))
        assert (points.name, points.dims) == ("reconstruction", ("y", "x", "feature"))
        assert points["feature"].values.tolist() == of_grid.feature_names_in_.tolist()
        assert_allclose(points["y"], grid["y"])
        assert_allclose(points.to_numpy().reshape(-1, 8), expected)
    latent, labels = of_grid.transform(grid, return_labels=True)
    with pytest.raises(ValueError, match="labels that are a DataArray on the others"):
        of_grid.inverse_transform(latent, labels.to_numpy())
    with pytest.raises(ValueError, match="dimension 'factor' of length 2"):
        of_grid.inverse_transform(latent[..., :1], labels)


@pytest.mark.slow
def test_rows_without_a_component_have_no_coordinates(x):
    settings = {"covariance_type": "ppca", "n_factors": Q, "random_state": 0}
    holed = x.copy()
    holed[5, 2] = np.nan
    mixture = GaussianMixture(3, missing="drop", **settings).fit(holed)
    latent, labels = mixture.transform(holed), mixture.predict(holed)
    assert np.isnan(latent).all(1).nonzero()[0].tolist() == [5]
    assert np.isnan(mixture.inverse_transform(latent, labels)).all(1).sum() == 1
    far = x.copy()
    far[:10] = np.random.default_rng(0).uniform(-200, 200, size=(10, 8))
    mixture = GaussianMixture(3, noise=True, **settings).fit(far)
    assert np.isnan(mixture.transform(far)[mixture.predict(far) == -1]).all()


def test_points_are_in_units_of_the_data(x):
    scaled = x * 10.0 ** np.arange(8) + 5.0
    settings = {"covariance_type": "factor", "n_factors": Q, "random_state": 0}
    mixture = GaussianMixture(3, standardise=True, **settings).fit(scaled)
    points = mixture.inverse_transform(mixture.transform(scaled), mixture.predict(scaled))
    left = ((scaled - points) ** 2).mean(0) / scaled.var(0)
    assert (left < 0.3).all()


@pytest.mark.slow
@pytest.mark.parametrize("outputs", [("latent", "reconstruction_error"), ("posterior", "latent")])
def test_they_are_written(mixture, x, outputs, tmp_path, monkeypatch):
    latent, labels = mixture.transform(x), mixture.predict(x)
    errors = ((x - mixture.inverse_transform(latent, labels)) ** 2).sum(1)
    zarr.create_array(tmp_path / "x.zarr", data=x, chunks=(800, 8))
    mixture.save(tmp_path / "m.json")
    monkeypatch.chdir(tmp_path)
    common = ["predict", "m.json", "x.zarr", "--outputs", ",".join(outputs), "--dtype", "float64"]
    main([*common, "-o", "p.zarr"], standalone_mode=False)
    found = xr.open_zarr("p.zarr", consolidated=False)
    assert found["latent"].dims[1:] == ("factor",)
    assert_allclose(found["latent"], latent)
    frame = pd.DataFrame(x, columns=list("abcdefgh"))
    named = GaussianMixture(3, covariance_type="ppca", n_factors=Q, random_state=0).fit(frame)
    named.predict_to_parquet(frame, "p.parquet", outputs, key=(), dtype="float64")
    table = pd.read_parquet("p.parquet")
    assert_allclose(table[["latent_0", "latent_1"]], named.transform(frame))
    lazy = named.transform(dd.from_pandas(frame, npartitions=2))
    assert list(lazy.columns) == ["latent_0", "latent_1"]
    assert_allclose(lazy.compute(), named.transform(frame))
    if "reconstruction_error" in outputs:
        assert_allclose(found["reconstruction_error"], errors)
        # Posterior means are shrunk, so that it is not the distance from the subspace.
        assert "from the reconstruction" in found["reconstruction_error"].attrs["long_name"]


def test_other_mixtures_have_none(x, tmp_path):
    mixture = GaussianMixture(2, random_state=0).fit(x)
    assert not hasattr(mixture, "transform")
    assert not hasattr(mixture, "inverse_transform")
    with pytest.raises(AttributeError) as raised:
        mixture.transform(x)
    assert "Fit with one of 'ppca', 'factor', 'mcfa'" in str(raised.value.__cause__)
    with pytest.raises(ValueError, match="'latent' is of mixtures with factors"):
        mixture.predict_to_zarr(x, tmp_path / "p.zarr", ["latent"])


@pytest.mark.parametrize(
    ("latent", "labels", "message"),
    [
        (np.zeros((4, 3)), np.zeros(4, int), r"need the shapes \(n, 2\)"),
        (np.zeros((4, 2)), np.zeros(5, int), r"need the shapes \(n, 2\)"),
        (np.zeros((4, 2)), np.full(4, 3), "not numbers of the 3 components"),
        (np.zeros((4, 2)), np.zeros(4), "not numbers of the 3 components"),
    ],
)
def test_coordinates_of_another_shape_are_refused(mixture, latent, labels, message):
    with pytest.raises(ValueError, match=message):
        mixture.inverse_transform(latent, labels)
