"""Zarr groups, images and NetCDF from the command line: fit, sweep, plan, predict, info."""

import sys

import numpy as np
import pytest
import xarray as xr
import zarr

from daskgmm import GaussianMixture, open_data, open_labelled
from daskgmm.errors import SourceError
from daskgmm.models.model_file import load_model

DEPTHS = [0.0, 10.0, 20.0]
K = ("-k", 2)


def ocean():
    random = np.random.default_rng(0)
    shape = (6, 10, 12)
    mass = random.integers(0, 2, shape)
    temp = random.normal(size=(*shape, 3)) + 6.0 * mass[..., None]
    salt = random.normal(size=shape) - 5.0 * mass
    dims = ("time", "y", "x")
    about = {"grid_mapping": "crs"}
    return xr.Dataset(
        {
            "temp": ((*dims, "depth"), temp, {"units": "degC", **about}),
            "salt": (dims, salt, about),
            "area": (("y",), np.linspace(0.5, 2, 10)),
            "crs": ((), 0, {"crs_wkt": "LOCAL_CS[]"}),
        },
        {"depth": DEPTHS, "x": np.arange(12.0), "y": np.arange(10.0), "time": np.arange(6)},
    ).chunk(time=2, y=5)


@pytest.fixture(params=["zarr3", "zarr2", "nc"])
def path(request, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if request.param == "nc":
        sizes = {"temp": (2, 5, 12, 3), "salt": (2, 5, 12)}
        encoding = {name: {"chunksizes": each} for name, each in sizes.items()}
        ocean().to_netcdf("ocean.nc", encoding=encoding)
        return "ocean.nc"
    version = int(request.param[-1])
    ocean().to_zarr("ocean.zarr", zarr_format=version, consolidated=version == 2)
    return "ocean.zarr"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fitted(call, *arguments):
    done = call("fit", *arguments, *K, "-o", "m.json", "--quiet")
    assert done.exit_code == 0, done.output
    return load_model("m.json")


@pytest.mark.slow
def test_fit_predict_plan_sweep(path, call):
    chosen = ("--variables", "temp,salt", "--features", "depth")
    mixture = fitted(call, path, *chosen)
    ds = ocean()[["temp", "salt"]]
    expected = GaussianMixture(2, random_state=0).fit(ds, feature_dims=["depth"])
    np.testing.assert_allclose(mixture.means_, expected.means_, rtol=1e-8)
    assert mixture.feature_dims_ == ["depth"]
    assert mixture.feature_units_[0] == "degC"
    # The model file says what is needed.
    done = call("predict", "m.json", path, "-o", "p.zarr", "--outputs", "label,posterior")
    assert done.exit_code == 0, done.output
    found = xr.open_zarr("p.zarr", consolidated=False)
    np.testing.assert_array_equal(found.label, expected.predict(ds))
    assert found.label.dims == ("time", "y", "x")
    np.testing.assert_array_equal(found.x, ds.x)
    assert found.label.chunks == ds.salt.chunks
    assert "720 of 4 features" in call("plan", path, *chosen, *K).stdout
    swept = call("sweep", path, *chosen, "-k", "1-2", "-o", "best.json")
    assert "2 components" in swept.stdout
    told = call("info", "p.zarr").stdout
    assert "components   2" in told
    assert "720 (time: 6, y: 10, x: 12)" in told
    assert "whole" in told


@pytest.mark.slow
def test_weights_are_a_variable(path, call, here):
    mixture = fitted(call, path, "--variables", "salt", "--weight-column", "area")
    ds = ocean()
    expected = GaussianMixture(2, random_state=0).fit(ds[["salt"]], sample_weight=ds.area)
    np.testing.assert_allclose(mixture.weights_, expected.weights_, rtol=1e-8)
    ds.area.to_dataset().to_zarr("area.zarr", consolidated=False)
    beside = fitted(call, path, "--variables", "salt", "--weights", "area.zarr", "--overwrite")
    np.testing.assert_array_equal(beside.weights_, mixture.weights_)
    both = ("--weights", "area.zarr", "--weight-column", "area")
    assert call("fit", path, *K, "-o", "n.json", "--variables", "salt", *both).exit_code == 2


def test_what_to_type_is_said(path, call):
    for command in (("fit", path, *K, "-o", "m.json"), ("plan", path, *K)):
        refused = call(*command)
        assert refused.exit_code == 1
        assert "--variables temp --features depth (its points" in refused.stderr
        assert "salt (time: 6, y: 10, x: 12) float64" in refused.stderr
        assert "crs" not in refused.stderr
    refused = call("fit", path, *K, "-o", "m.json", "--variables", "temp,sal")
    assert "has no variable 'sal'" in refused.stderr
    refused = call("fit", path, *K, "-o", "m.json", "--variables", "temp,depth")
    assert "'depth' is the coordinate of a dimension" in refused.stderr
    refused = call("fit", path, *K, "-o", "m.json", "--variables", "temp", "--features", "deep")
    assert "feature_dims (--features) names deep" in refused.stderr
    told = call("info", path)
    assert told.exit_code == 0
    assert "(time: 6, y: 10, x: 12) float64, chunks 2 x 5 x 12" in told.stdout
    assert "--variables temp --features depth" in told.stdout


def test_the_only_reading_is_taken(here, call):
    """All variables of one grid are features, as all columns of a table are."""
    ds = ocean()
    ds[["salt"]].assign(warm=ds.temp[..., 0]).to_zarr("g.zarr", consolidated=False)
    mixture = fitted(call, "g.zarr")
    assert sorted(mixture.feature_names_in_) == ["salt", "warm"]
    assert list(open_data("g.zarr").data_vars) == ["salt", "warm"]
    ds[["salt"]].to_zarr("one.zarr", consolidated=False)
    refused = call("fit", "one.zarr", *K, "-o", "n.json")
    assert "--variables salt --features x" in refused.stderr
    assert fitted(call, "one.zarr", "--variables", "salt", "--overwrite").n_features_in_ == 1


@pytest.fixture
def image(here):
    random = np.random.default_rng(0)
    pixels = random.normal(size=(30, 40, 3)) + 5.0 * random.integers(0, 2, (30, 40, 1))
    return pixels.astype("f4")


@pytest.mark.parametrize("names", [("y", "x", "band"), None])
@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("axis", [False, True])
def test_images(here, call, image, names, version, axis):
    about = {"_FillValue": -9.0}
    if names and version == 2:
        about["_ARRAY_DIMENSIONS"] = list(names)
    named = {"dimension_names": names} if version == 3 else {}
    array = zarr.create_array(
        "i.zarr", shape=image.shape, chunks=(16, 40, 1), dtype="f4", fill_value=0,
        zarr_format=version, attributes=about, **named,
    )  # fmt: skip
    image[3, 4, 1] = -9
    array[:] = image
    band = "-1" if axis else (names or ("dim_0", "dim_1", "dim_2"))[2]
    mixture = fitted(call, "i.zarr", "--features", band, "--missing", "drop")
    assert mixture.fitted_on_["rows"] == 1199
    assert mixture.fitted_on_["missing"] == 1
    done = call("predict", "m.json", "i.zarr", "-o", "p.zarr", "--chunks", "8")
    assert done.exit_code == 0, done.output
    labels = zarr.open_array("p.zarr/label", mode="r")
    assert labels.chunks == (8, 40)
    assert labels[3, 4] == -1
    flat = image.reshape(-1, 3).astype(float)
    flat[3 * 40 + 4, 1] = np.nan
    expected = GaussianMixture(2, random_state=0, missing="drop").fit(flat)
    np.testing.assert_allclose(np.sort(mixture.means_, 0), np.sort(expected.means_, 0), rtol=1e-4)
    refused = call("fit", "i.zarr", *K, "-o", "n.json")
    assert refused.exit_code == 2
    assert "--features" in refused.stderr
    assert open_labelled("i.zarr").chunks == ((16, 14), (40,), (1, 1, 1))
    assert "--features" in call("info", "i.zarr").stdout


def test_a_model_of_rows_labels_an_image(here, call, image):
    zarr.create_array("i.zarr", data=image, chunks=(16, 40, 3))
    np.save("rows.npy", image.reshape(-1, 3))
    mixture = fitted(call, "rows.npy")
    asked = call("predict", "m.json", "i.zarr", "-o", "p.zarr")
    assert asked.exit_code == 2
    assert "--features" in asked.stderr
    done = call("predict", "m.json", "i.zarr", "-o", "p.zarr", "--features", "-1")
    assert done.exit_code == 0, done.output
    labels = zarr.open_array("p.zarr/label", mode="r")[:]
    np.testing.assert_array_equal(labels.reshape(-1), mixture.predict(image.reshape(-1, 3)))


def test_each_value_is_a_row(here, call, image):
    zarr.create_array("i.zarr", data=image, chunks=(16, 40, 3))
    assert fitted(call, "i.zarr", "--features", "").fitted_on_["rows"] == 3600


def test_arrays_without_names(here, call, image):
    group = zarr.create_group("g.zarr")
    for name, array in {"u": image[..., 0], "v": image[..., 1], "w": image[:5, :, 2]}.items():
        group.create_array(name, data=array, chunks=(16, 40))
    assert fitted(call, "g.zarr", "--variables", "u,v").n_features_in_ == 2
    refused = call("fit", "g.zarr", *K, "-o", "n.json", "--variables", "u,w")
    assert refused.exit_code == 1
    assert "do not name their dimensions" in refused.stderr
    assert "w (5, 40)" in refused.stderr


def test_wrong_options(here, call, image):
    zarr.create_array("i.zarr", data=image, chunks=(16, 40, 3))
    np.save("rows.npy", image.reshape(-1, 3))
    for arguments, code, words in (
        (("i.zarr", "--features", "3"), 2, "is not an axis"),
        (("i.zarr", "--features", "a,,b"), 2, "not a list of names"),
        (("i.zarr", "--variables", "u"), 1, "single array"),
        (("i.zarr", "--columns", "u"), 2, "--columns is for Parquet"),
        (("rows.npy", "--features", "0"), 2, "--variables and --features are for"),
        (("rows.npy", "--pca", "1.5"), 2, "neither a number"),
        (("rows.npy", "--pca", "0"), 2, "neither a number"),
        (("rows.npy", "--missing", "fill"), 2, "--missing"),
        (("nothing.nc", "--variables", "u"), 1, "does not exist"),
        (("nothing.zarr", "--variables", "u"), 1, "does not exist"),
    ):
        refused = call("fit", *arguments, *K, "-o", "m.json")
        assert refused.exit_code == code, refused.output
        assert words in " ".join(refused.stderr.split())


def test_xarray_is_missing(here, call, monkeypatch):
    ocean().to_zarr("g.zarr", consolidated=False)
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(SourceError, match=r"pip install 'daskgmm\[xarray\]'"):
        open_labelled("g.zarr", ["temp"])
    told = call("info", "g.zarr")
    assert told.exit_code == 0


@pytest.mark.usefixtures("impatient")
def test_a_torn_chunk_is_no_bug(here, call):
    ocean().to_zarr("g.zarr", consolidated=False)
    fitted(call, "g.zarr", "--variables", "salt")
    chunk = here / "g.zarr" / "salt" / "c" / "1" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:50])
    for command in (
        ("fit", "g.zarr", *K, "--variables", "salt", "-o", "n.json"),
        ("predict", "m.json", "g.zarr", "-o", "p.zarr"),
    ):
        failed = call(*command, "--retries", 0)
        assert failed.exit_code == 1
        assert "This is a bug" not in failed.stderr


def test_open_data(here, image):
    ocean().to_zarr("g.zarr", consolidated=False)
    zarr.create_array("i.zarr", data=image, chunks=(16, 40, 3), dimension_names=("y", "x", "band"))
    found = open_data("g.zarr", variables=["temp"])
    assert list(found.data_vars) == ["temp", "crs"]
    mixture = GaussianMixture(2, random_state=0)
    assert mixture.fit(found, feature_dims="depth").n_features_in_ == 3
    assert mixture.fit(open_data("i.zarr"), feature_dims="band").n_features_in_ == 3
    with pytest.raises(SourceError, match="variables="):
        open_data("g.zarr")
    with pytest.raises(SourceError, match="variables="):
        mixture.fit("g.zarr")
