"""Labelled arrays in, labelled arrays out: coordinates, chunks and gaps are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr

from daskgmm import GaussianMixture, plan, sweep
from daskgmm.errors import DataError

K = 3

CHEAP = {"init_params": "k-means++", "n_init": 1, "random_state": 0}
SIZES = {"time": 6, "y": 20, "x": 30, "member": 2}
CHUNKS = {"time": 2, "y": 8, "x": 30, "member": 1}
DEPTHS = [0.0, 10.0, 20.0]


def coordinates(dims: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {"spatial_ref": ((), 0, {"crs_wkt": "LOCAL_CS[]"})}
    for dim in dims:
        found[dim] = np.arange(SIZES[dim]) * 1.5
    if {"y", "x"} <= set(dims):
        found["area"] = (("y", "x"), np.ones((SIZES["y"], SIZES["x"])))
    return found


def grid(n_dims: int, *, profile: bool, lazy: bool = True, holes: bool = True) -> xr.Dataset:
    """Temperature and salinity of three water masses, with land that is NaN."""
    random, dims = np.random.default_rng(n_dims), tuple(SIZES)[:n_dims]
    shape = (600,) if n_dims == 1 else tuple(SIZES[dim] for dim in dims)
    mass = random.integers(0, K, shape)
    temp = random.normal(size=(*shape, len(DEPTHS))) + 5.0 * mass[..., None]
    salt = random.normal(size=shape) - 4.0 * (mass == 1)
    if holes:
        salt[random.random(shape) < 0.2] = np.nan
    if not profile:
        temp = temp[..., 0]
    own = (*dims, "depth") if profile else dims
    place = coordinates(dims) if n_dims > 1 else {"time": np.arange(600), "spatial_ref": ((), 0)}
    if profile:
        place["depth"] = DEPTHS
    about = {"units": "degC", "grid_mapping": "spatial_ref"}
    ds = xr.Dataset(
        {"temp": (own, temp, about), "salt": (dims, salt, {"units": "1e-3"})},
        place,
        attrs={"title": "ocean", "units": "none"},
    )
    if not lazy:
        return ds
    chunks: dict[str, int] = {"time": 70} if n_dims == 1 else {dim: CHUNKS[dim] for dim in dims}
    return ds.chunk({**chunks, **({"depth": 2} if profile else {})})


def features_last(ds: xr.Dataset, dims: tuple[str, ...]) -> np.ndarray:
    """The same rows as a plain matrix, in C order of the whole grid."""
    temp = ds.temp.transpose(*dims, ...).values.reshape(ds.salt.size, -1)
    return np.column_stack([temp, ds.salt.transpose(*dims).values.reshape(-1)])


@pytest.mark.parametrize(
    ("n_dims", "profile", "lazy"),
    [
        (1, False, True),
        (1, True, True),
        (2, False, False),
        (2, True, True),
        (3, False, True),
        (3, True, False),
        (4, False, False),
        (4, True, True),
    ],
)
def test_round_trip(n_dims: int, profile: bool, lazy: bool) -> None:
    ds = grid(n_dims, profile=profile, lazy=lazy)
    dims = ds.salt.dims
    mixture = GaussianMixture(K, missing="drop", **CHEAP)
    mixture.fit(ds, feature_dims=("depth",) if profile else None)
    plain = features_last(ds, dims)
    expected = GaussianMixture(K, missing="drop", **CHEAP).fit(plain)
    if n_dims == 1 or not lazy:
        # Rows come in the same order, and so start alike.
        np.testing.assert_allclose(mixture.means_, expected.means_, rtol=1e-8)
    gone = np.isnan(ds.salt)
    for predict, name in (("predict", "label"), ("score_samples", "log_density")):
        found = getattr(mixture, predict)(ds)
        assert isinstance(found, xr.DataArray)
        assert found.name == name
        assert found.dims == dims
        assert set(found.coords) == {n for n in ds.coords if n != "depth"}
        xr.testing.assert_equal(
            found.coords.to_dataset(), ds.drop_dims("depth", errors="ignore").coords.to_dataset()
        )
        assert found.attrs["title"] == "ocean"
        assert found.attrs["grid_mapping"] == "spatial_ref"
        assert "units" not in found.attrs
        assert found.chunks == ds.salt.chunks
        missing = (found == -1) if name == "label" else np.isnan(found)
        xr.testing.assert_equal(missing.variable, gone.variable)
        flat = getattr(mixture, predict)(plain_named(mixture, plain))
        np.testing.assert_allclose(found.values.reshape(-1), flat, rtol=1e-12)
    posteriors = mixture.predict_proba(ds)
    assert posteriors.dims == (*dims, "component")
    assert posteriors.component.values.tolist() == [0, 1, 2]
    if lazy:
        assert posteriors.chunks == (*ds.salt.chunks, (K,))
    sums = posteriors.sum("component", skipna=False)
    np.testing.assert_allclose(sums.values[~gone.values], 1.0)
    assert np.isnan(sums.values[gone.values]).all()


def plain_named(mixture: GaussianMixture, x: np.ndarray) -> da.Array:
    # As a Dask array: scikit-learn warns of NumPy arrays that have no names.
    return da.from_array(x, chunks=-1)


@pytest.mark.parametrize("n_dims", [1, 2, 3, 4])
@pytest.mark.parametrize("profile", [False, True])
def test_no_rechunk_and_no_stack(n_dims: int, profile: bool) -> None:
    ds = grid(n_dims, profile=profile)
    mixture = GaussianMixture(K, random_state=0, missing="drop")
    mixture.fit(ds, feature_dims=("depth",) if profile else ())
    names = {
        str(key[0] if isinstance(key, tuple) else key)
        for key in dict(mixture.predict_proba(ds).data.__dask_graph__())
    }
    assert names
    assert not [n for n in names if any(bad in n for bad in ("rechunk", "stack", "reshape"))]
    tasks = dask.optimize(mixture.predict(ds).data)[0].__dask_graph__()
    assert len(tasks) < 20 * mixture.predict(ds).data.npartitions


def test_flags_are_cf() -> None:
    ds = grid(2, profile=False)
    labels = GaussianMixture(K, random_state=0, missing="drop").fit(ds).predict(ds)
    assert labels.attrs["long_name"] == "most probable component"
    assert labels.attrs["flag_values"] == [-1, 0, 1, 2]
    assert labels.attrs["flag_meanings"] == "missing component_0 component_1 component_2"
    full = grid(2, profile=False, holes=False)
    labels = GaussianMixture(K, random_state=0).fit(full).predict(full)
    assert labels.attrs["flag_values"] == [0, 1, 2]


def test_names_and_units() -> None:
    ds = grid(3, profile=True)
    mixture = GaussianMixture(K, random_state=0, missing="drop").fit(ds, feature_dims="depth")
    assert list(mixture.feature_names_in_) == [
        "temp(depth=0)", "temp(depth=10)", "temp(depth=20)", "salt",
    ]  # fmt: skip
    assert mixture.feature_units_ == ("degC", "degC", "degC", "1e-3")
    assert mixture.feature_dims_ == ("depth",)
    mixture.fit(np.random.default_rng(0).normal(size=(50, 2)))
    assert not hasattr(mixture, "feature_names_in_")
    assert not hasattr(mixture, "feature_dims_")


def test_features_are_matched_by_name() -> None:
    ds = grid(2, profile=True)
    mixture = GaussianMixture(K, random_state=0, missing="drop").fit(ds, feature_dims="depth")
    expected = mixture.predict(ds)
    turned = ds[["salt", "temp"]].isel(depth=[2, 0, 1]).assign(other=ds.salt * 2)
    xr.testing.assert_identical(mixture.predict(turned).load(), expected.load())
    with pytest.raises(DataError, match=r"lacks the features temp\(depth=20\), which"):
        mixture.predict(ds.isel(depth=[0, 1]))
    with pytest.raises(DataError, match="lacks the features salt"):
        mixture.score(ds.drop_vars("salt"))


@pytest.mark.parametrize("lazy", [False, True])
def test_weights_are_broadcast(lazy: bool) -> None:
    ds = grid(3, profile=False, lazy=lazy)
    weight = np.cos(np.deg2rad(ds.y * 2))
    mixture = GaussianMixture(K, random_state=0, missing="drop").fit(ds, sample_weight=weight)
    full = weight.broadcast_like(ds.salt).transpose(*ds.salt.dims)
    dims = ds.salt.dims
    order = np.argsort(full.values.reshape(-1), kind="stable")
    expected = GaussianMixture(K, random_state=0, missing="drop")
    expected.fit(features_last(ds, dims)[order], sample_weight=full.values.reshape(-1)[order])
    assert mixture.lower_bound_ == pytest.approx(expected.lower_bound_, abs=1e-4)
    by_name = GaussianMixture(K, random_state=0, missing="drop")
    by_name.fit(ds.assign(w=full), sample_weight="w")
    np.testing.assert_allclose(by_name.means_, mixture.means_, rtol=1e-10)
    assert list(by_name.feature_names_in_) == ["temp", "salt"]


def test_weights_that_do_not_fit() -> None:
    ds = grid(3, profile=False)
    mixture = GaussianMixture(K, missing="drop")
    with pytest.raises(DataError, match="dimensions level, which are not among"):
        mixture.fit(ds, sample_weight=xr.DataArray(np.ones(4), dims="level"))
    with pytest.raises(DataError, match="differ in their coordinates along y"):
        mixture.fit(ds, sample_weight=xr.DataArray(np.ones(7), dims="y"))
    shifted = xr.DataArray(np.ones(20), dims="y", coords={"y": np.arange(20) + 7.0})
    with pytest.raises(DataError, match="differ in their coordinates along y"):
        mixture.fit(ds, sample_weight=shifted)


def test_weights_on_a_grid_need_names() -> None:
    ds = grid(3, profile=False)
    with pytest.raises(DataError, match=r"xarray\.DataArray"):
        GaussianMixture(K, missing="drop").fit(ds, sample_weight=np.ones(ds.salt.size))
    line, weights = grid(1, profile=False), np.random.default_rng(0).random(600)
    mixture = GaussianMixture(K, random_state=0, missing="drop").fit(line, sample_weight=weights)
    named = GaussianMixture(K, random_state=0, missing="drop")
    named.fit(line, sample_weight=xr.DataArray(weights, dims="time"))
    np.testing.assert_allclose(mixture.means_, named.means_, rtol=1e-12)


def test_an_array_must_say_what_its_features_are() -> None:
    image = grid(3, profile=True, holes=False).temp
    with pytest.raises(DataError, match=r"feature_dims=\('band',\)\), or feature_dims=\(\)"):
        GaussianMixture(K).fit(image)
    mixture = GaussianMixture(K, random_state=0).fit(image, feature_dims=["depth"])
    assert list(mixture.feature_names_in_) == ["depth=0", "depth=10", "depth=20"]
    assert mixture.predict(image).dims == ("time", "y", "x")
    single = GaussianMixture(K, random_state=0).fit(image, feature_dims=())
    assert single.means_.shape == (K, 1)
    assert list(single.feature_names_in_) == ["temp"]
    with pytest.raises(DataError, match="names band, which X does not have"):
        GaussianMixture(K).fit(image, feature_dims="band")
    with pytest.raises(DataError, match="feature_dims is for xarray's arrays"):
        GaussianMixture(K).fit(np.ones((9, 2)), feature_dims="band")


def test_variables_on_no_common_grid() -> None:
    ds = grid(2, profile=False).assign(bounds=(("time", "nv"), np.zeros((6, 2))))
    with pytest.raises(DataError, match="lie on no common grid"):
        GaussianMixture(K).fit(ds)
    text = grid(2, profile=False).assign(name=(("time", "y"), np.full((6, 20), "a")))
    with pytest.raises(DataError, match="'name' of X has dtype"):
        GaussianMixture(K).fit(text)


def test_a_mask_on_fewer_dimensions_is_a_feature_everywhere() -> None:
    ds = grid(3, profile=False, holes=False).assign(depth=("y", np.arange(20.0)))
    mixture = GaussianMixture(K, random_state=0).fit(ds)
    column = np.broadcast_to(np.arange(20.0)[None, :, None], (6, 20, 30)).reshape(-1)
    assert mixture.fitted_on_["mean"][2] == pytest.approx(column.mean())
    assert mixture.predict(ds).shape == (6, 20, 30)


def test_grid_mappings_that_are_variables_are_no_features() -> None:
    ds = grid(2, profile=False).reset_coords("spatial_ref")
    mixture = GaussianMixture(K, random_state=0, missing="drop").fit(ds)
    assert list(mixture.feature_names_in_) == ["temp", "salt"]
    assert "spatial_ref" in mixture.predict(ds).coords


@pytest.mark.parametrize("declared", ["_FillValue", "missing_value", "nodata"])
def test_integer_nodata(declared: str) -> None:
    random = np.random.default_rng(0)
    counts = np.where(random.random((40, 50)) < 0.5, 1000, 5000) + random.integers(0, 99, (40, 50))
    pixels = counts.astype("i2")
    pixels[:5] = -9999
    image = xr.DataArray(pixels, dims=("y", "x"), name="b", attrs={declared: -9999}).chunk(y=16)
    image.encoding["dtype"] = "int16"  # as whatever opens an array notes
    mixture = GaussianMixture(2, random_state=0, missing="drop").fit(image, feature_dims=())
    assert mixture.fitted_on_["missing"] == 250
    assert mixture.fitted_on_["minimum"][0] >= 1000
    labels = mixture.predict(image)
    assert (labels[:5] == -1).all()
    assert (labels[5:] >= 0).all()
    assert declared not in labels.attrs
    with pytest.raises(DataError, match=r"contains NaN in y\[0\], x\[0\] \(batch 0\)"):
        GaussianMixture(2).fit(image, feature_dims=())


def test_errors_say_where_on_the_grid() -> None:
    ds = grid(3, profile=False, holes=False).load()
    ds.salt[4, 13, 7] = np.inf
    lazy = ds.chunk(CHUNKS_3)
    with pytest.raises(DataError, match=r"infinity in time\[4\], y\[13\], x\[7\] \(batch \d+\), "):
        GaussianMixture(K).fit(lazy)
    ds.salt[4, 13, 7] = 0.0
    mixture = GaussianMixture(K, random_state=0).fit(ds.chunk(CHUNKS_3))
    with pytest.raises(DataError, match=r"infinity in time\[4\], y\[13\], x\[7\], column 1 "):
        mixture.predict(lazy).load()


CHUNKS_3 = {"time": 2, "y": 8, "x": 30}


def test_unlike_chunks() -> None:
    ds = grid(3, profile=False)
    unlike = ds.assign(temp=ds.temp.chunk(y=20))
    mixture = GaussianMixture(K, random_state=0, missing="drop").fit(unlike)
    expected = GaussianMixture(K, random_state=0, missing="drop").fit(ds)
    np.testing.assert_allclose(mixture.means_, expected.means_, rtol=1e-10)


def test_opened_without_dask_stays_out_of_memory(tmp_path: Path) -> None:
    ds = grid(3, profile=True)
    ds.to_zarr(tmp_path / "x.zarr", consolidated=False)
    opened = xr.open_zarr(tmp_path / "x.zarr", chunks=None, consolidated=False)
    mixture = GaussianMixture(K, random_state=0, missing="drop").fit(opened, feature_dims="depth")
    assert not opened.temp.variable._in_memory
    chunked = xr.open_zarr(tmp_path / "x.zarr", chunks={}, consolidated=False)
    labels = mixture.predict(chunked)
    assert labels.chunks == chunked.salt.chunks
    xr.testing.assert_equal(labels.load(), mixture.predict(ds).load())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::daskgmm.errors.ChoiceWarning")  # few sizes
def test_sweeps() -> None:
    ds = grid(3, profile=True)
    found = sweep(ds, range(2, 5), random_state=0, missing="drop", feature_dims="depth")
    assert found.best().n_components == K
    assert found.best().predict(ds).dims == ("time", "y", "x")


def test_plans() -> None:
    ds = grid(3, profile=True)
    found = plan(ds, K, feature_dims="depth")
    assert found.rows == ds.salt.size
    assert found.features == 4
    assert found.chunks == ds.salt.data.npartitions
    assert plan(ds.assign(w=ds.y), K, feature_dims="depth", sample_weight="w").features == 4


@pytest.mark.slow
def test_a_cluster_gives_the_same_bits(tmp_path: Path) -> None:
    from distributed import Client, LocalCluster

    grid(3, profile=True).to_zarr(tmp_path / "x.zarr", consolidated=False)
    ds = xr.open_zarr(tmp_path / "x.zarr", chunks={}, consolidated=False)
    settings = {"random_state": 0, "missing": "drop", "standardise": True}
    here = GaussianMixture(K, **settings).fit(ds, feature_dims="depth")
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster),
    ):
        there = GaussianMixture(K, **settings).fit(ds, feature_dims="depth")
        labels = there.predict(ds).load()
    np.testing.assert_array_equal(here.means_, there.means_)
    xr.testing.assert_equal(labels, here.predict(ds).load())


@pytest.mark.parametrize("lazy", [False, True])
def test_names_of_predictions_are_taken(lazy: bool, tmp_path: Path) -> None:
    ds = grid(2, profile=False, holes=False, lazy=lazy)
    mixture = GaussianMixture(K, random_state=0).fit(ds)
    along = ds.rename(y="component")
    assert mixture.predict(along).dims == ("time", "component")
    with pytest.raises(DataError, match=r"X\.rename\({'component': 'component_of_x'}\)"):
        mixture.predict_proba(along)
    with pytest.raises(DataError, match="coordinate 'label', which"):
        mixture.predict(ds.assign_coords(label=("y", np.arange(20))))
    top = {"outputs": ("top",)}
    for name in ("rank", "top_component", "top_posterior"):
        with pytest.raises(DataError, match=f"coordinate '{name}', which"):
            mixture.predict_to_zarr(ds.rename(y=name), tmp_path / "p.zarr", **top)
    with pytest.raises(DataError, match="single point without dimensions"):
        mixture.predict_to_zarr(ds.isel(time=0, y=0), tmp_path / "p.zarr")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("lazy", [False, True])
def test_a_single_point(lazy: bool) -> None:
    ds = grid(2, profile=True, holes=False, lazy=lazy)
    mixture = GaussianMixture(K, random_state=0).fit(ds, feature_dims="depth")
    line, point = ds.isel(time=[3], y=4), ds.isel(time=3, y=4)
    for predict in ("predict", "score_samples", "predict_proba"):
        found = getattr(mixture, predict)(point)
        assert found.dims == (("component",) if predict == "predict_proba" else ())
        expected = getattr(mixture, predict)(line).isel(time=0)
        np.testing.assert_array_equal(found.values, expected.values)
    assert mixture.score(point) == mixture.score(line)
    with pytest.raises(DataError, match="minimum of 2"):
        mixture.fit(point, feature_dims="depth")
    with pytest.raises(DataError, match=r"infinity in the only row"):
        mixture.predict(point * np.inf).load()
    with pytest.raises(DataError, match=r"infinity in the only row"):
        mixture.score(point * np.inf)


@pytest.mark.parametrize("lazy", [False, True])
def test_no_points(lazy: bool) -> None:
    ds = grid(3, profile=True, holes=False, lazy=lazy)
    mixture = GaussianMixture(K, random_state=0).fit(ds, feature_dims="depth")
    none = ds.isel(y=slice(0, 0))
    assert mixture.predict(none).load().shape == (6, 0, 30)
    assert mixture.predict_proba(none).load().shape == (6, 0, 30, K)
    with pytest.raises(DataError, match="no rows"):
        mixture.score(none)
    with pytest.raises(DataError, match="minimum of 2"):
        mixture.fit(none, feature_dims="depth")


def test_selected_and_renamed_without_dask(tmp_path: Path) -> None:
    ds = grid(3, profile=False)
    ds.to_zarr(tmp_path / "x.zarr", consolidated=False)
    opened = xr.open_zarr(tmp_path / "x.zarr", chunks=None, consolidated=False)
    mixture = GaussianMixture(K, random_state=0, missing="drop").fit(opened.isel(time=0))
    for select in (
        lambda each: each.isel(time=0),
        lambda each: each.isel(time=[0, 2], y=slice(3, 9)),
        lambda each: each.rename(y="latitude"),
    ):
        found = mixture.predict(select(opened))
        assert found.chunks is not None
        xr.testing.assert_equal(found.load(), mixture.predict(select(ds.load())))


@pytest.mark.parametrize(
    ("fitted", "given"),
    [
        (np.array([0.1, 0.2, 1e-5], "f4"), [0.1, 0.2, 1e-5]),
        ([10, 20, 30], [10.0, 20.0, 30.0]),
        (
            np.array(["2020-01-01", "2020-02-01", "2020-03-01T12"], "M8[ns]"),
            np.array(["2020-01-01", "2020-02-01", "2020-03-01T12"], "M8[s]"),
        ),
        (np.array([1, 2, 3], "m8[D]").astype("m8[ns]"), np.array([1, 2, 3], "m8[D]")),
        (["a", "b", "c"], np.array(["a", "b", "c"], object)),
    ],
)
def test_labels_of_features_do_not_depend_on_precision(fitted: Any, given: Any) -> None:
    ds = grid(1, profile=True, holes=False, lazy=False)
    mixture = GaussianMixture(K, random_state=0)
    mixture.fit(ds.assign_coords(depth=fitted), feature_dims="depth")
    expected = mixture.predict(ds.assign_coords(depth=fitted))
    found = mixture.predict(ds.assign_coords(depth=given))
    np.testing.assert_array_equal(found.values, expected.values)


def test_labels_of_features_are_short() -> None:
    ds = grid(1, profile=True, holes=False, lazy=False).temp
    for labels, expected in (
        (np.array([0.1, 10, -0.0], "f4"), ["depth=0.1", "depth=10", "depth=0"]),
        (
            np.array(["2020-01-01", "2020-01-01T06:30", "2021-01-01"], "M8[ns]"),
            ["depth=2020-01-01", "depth=2020-01-01T06:30", "depth=2021-01-01"],
        ),
    ):
        mixture = GaussianMixture(1).fit(ds.assign_coords(depth=labels), feature_dims="depth")
        assert list(mixture.feature_names_in_) == expected


def test_mixtures_fitted_without_names_are_told() -> None:
    image = grid(2, profile=True, holes=False, lazy=False).temp
    mixture = GaussianMixture(K, random_state=0).fit(image.values.reshape(-1, 3))
    with pytest.raises(DataError, match=r"mixture\.feature_dims_ = \('band',\)"):
        mixture.predict(image)
    mixture.feature_dims_ = ("depth",)
    labels = mixture.predict(image)
    np.testing.assert_array_equal(
        labels.values.reshape(-1), mixture.predict(image.values.reshape(-1, 3))
    )
    again = GaussianMixture(K, random_state=0).fit_predict(image, feature_dims=("depth",))
    assert again.dims == ("time", "y")


def test_errors_say_where_on_a_grid_in_memory() -> None:
    ds = grid(3, profile=False, holes=False, lazy=False)
    mixture = GaussianMixture(K, random_state=0).fit(ds)
    ds.salt[4, 13, 7] = np.inf
    where = r"infinity in time\[4\], y\[13\], x\[7\] \(batch \d+\), column 1 "
    for use in (mixture.predict, mixture.score, GaussianMixture(K).fit):
        with pytest.raises(DataError, match=where):
            use(ds)


def test_groups_of_a_grid_need_its_order() -> None:
    ds = grid(3, profile=False)
    groups = np.broadcast_to(np.arange(6)[:, None, None], ds.salt.shape).reshape(-1)
    with pytest.raises(ValueError, match="come block by block"):
        sweep(ds, range(2, 4), missing="drop", groups=groups)
    found = sweep(ds.load(), range(2, 4), missing="drop", groups=groups, random_state=0)
    assert np.isfinite(found.table["heldout"]).any()
