"""Variables of a Dataset that only describe others are no features."""

import numpy as np
import pytest
import xarray as xr

from daskgmm import GaussianMixture, open_labelled

T, Y = 6, 40
SETTINGS = {"n_components": 2, "random_state": 0}


def ocean():
    random = np.random.default_rng(0)
    groups = np.arange(Y) % 2 * 8
    about = {"ancillary_variables": "sst_flag", "cell_measures": "area: cell_area"}
    return xr.Dataset(
        {
            "sst": (("t", "y"), random.normal(size=(T, Y)) + groups, about),
            "sss": (("t", "y"), random.normal(size=(T, Y)) + groups, {"grid_mapping": "crs"}),
            "sst_flag": (("t", "y"), np.zeros((T, Y), "i1")),
            "cell_area": (("y",), np.ones(Y)),
            "y_edges": (("y", "side"), np.zeros((Y, 2))),
            "t_mean": (("t", "side"), np.full((T, 2), "2020-01-01", "M8[ns]")),
            "crs": ((), 0),
            "level": ((), 10.0),
        },
        {
            "t": ("t", np.arange(T), {"climatology": "t_mean"}),
            "y": ("y", np.arange(float(Y)), {"bounds": "y_edges"}),
        },
    )


OF_NUMBERS = pytest.mark.filterwarnings("ignore:The variable .* of X is not a feature")


@OF_NUMBERS
@pytest.mark.parametrize("lazy", [True, False])
def test_a_dataset_as_it_is(lazy, tmp_path):
    ds = ocean().chunk({"t": 2}) if lazy else ocean()
    mixture = GaussianMixture(**SETTINGS).fit(ds)
    assert list(mixture.feature_names_in_) == ["sst", "sss"]
    chosen = GaussianMixture(**SETTINGS).fit(ds[["sst", "sss"]])
    np.testing.assert_array_equal(mixture.means_, chosen.means_)
    mixture.predict_to_zarr(ds, tmp_path / "out.zarr")
    written = xr.open_zarr(tmp_path / "out.zarr", consolidated=False, decode_coords="all")
    np.testing.assert_array_equal(written.label, mixture.predict(ds))
    assert set(written.variables) == {"label", "t", "y", "crs"}


def test_what_could_be_a_feature_is_not_left_out_without_a_word():
    with pytest.warns(UserWarning, match="is not a feature") as caught:
        GaussianMixture(**SETTINGS).fit(ocean())
    said = " ".join(str(each.message) for each in caught)
    assert "'sst_flag' of X is not a feature, as another one names it in its attribute anc" in said
    assert "'cell_area' of X is not a feature" in said
    assert "y_edges" not in said
    assert "level" not in said


@pytest.mark.parametrize("suffix", ["nc", "zarr"])
def test_of_a_file(suffix, tmp_path):
    path, ds = tmp_path / f"ocean.{suffix}", ocean()
    if suffix == "nc":
        pytest.importorskip("h5netcdf")
        ds.to_netcdf(path, engine="h5netcdf")
    else:
        ds.to_zarr(path, consolidated=False)
    found = open_labelled(path)
    assert set(found.data_vars) == {"sst", "sss", "crs"}
    assert set(GaussianMixture(**SETTINGS).fit(found).feature_names_in_) == {"sst", "sss"}
    # What is chosen by name is a feature, whatever else names it.
    chosen = open_labelled(path, ["sst", "sst_flag"])
    fitted = GaussianMixture(**SETTINGS, reg_covar=1e-3).fit(chosen)
    assert list(fitted.feature_names_in_) == ["sst", "sst_flag"]


def test_weights_may_be_auxiliary():
    ds = ocean().drop_vars("sst_flag")
    weighted = GaussianMixture(**SETTINGS).fit(ds, sample_weight="cell_area")
    assert list(weighted.feature_names_in_) == ["sst", "sss"]
    plain = GaussianMixture(**SETTINGS).fit(ds[["sst", "sss"]])
    np.testing.assert_allclose(weighted.means_, plain.means_)


def test_variables_without_dimensions_are_one_row_together():
    """A point of all variables stays what it was."""
    mixture = GaussianMixture(**SETTINGS).fit(ocean()[["sst", "sss"]])
    point = ocean()[["sst", "sss"]].isel(t=0, y=0)
    assert mixture.predict(point).shape == ()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
def test_bands_of_a_raster(tmp_path, monkeypatch):
    rasterio = pytest.importorskip("rasterio")
    pytest.importorskip("rioxarray")
    from click.testing import CliRunner

    from daskgmm.cli import main

    path = tmp_path / "scene.tif"
    values = np.random.default_rng(0).normal(size=(3, 16, 16)).astype("f4")
    where = rasterio.Affine(10, 0, 5e5, 0, -10, 5e6)
    settings = {"width": 16, "height": 16, "count": 3, "dtype": "float32", "crs": "EPSG:32632"}
    with rasterio.open(path, "w", driver="GTiff", transform=where, **settings) as file:
        file.write(values)
    found = open_labelled(path)
    assert found.dims == ("band", "y", "x")
    mixture = GaussianMixture(**SETTINGS).fit(found, feature_dims="band")
    assert list(mixture.feature_names_in_) == ["band=1", "band=2", "band=3"]
    monkeypatch.chdir(tmp_path)
    fit = ["fit", "scene.tif", "--out", "m.json", "-k", "2"]
    done = CliRunner().invoke(main, [*fit, "--features", "band"])
    assert done.exit_code == 0, done.output
    assert "--features band" in CliRunner().invoke(main, [*fit, "--overwrite"]).output
    predict = ["predict", "m.json", "scene.tif", "--out", "l.zarr"]
    assert CliRunner().invoke(main, predict).exit_code == 0
    labels = xr.open_zarr(tmp_path / "l.zarr", consolidated=False).label
    np.testing.assert_array_equal(labels, GaussianMixture.load("m.json").predict(found))
