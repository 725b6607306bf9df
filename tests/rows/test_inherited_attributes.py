"""Attributes that arrays of xarray keep from those that they were computed from."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr

from daskgmm import GaussianMixture, open_data, open_labelled
from daskgmm.errors import DecodingWarning

ABOUT = {"scale_factor": 0.1, "add_offset": 10.0, "_FillValue": 0}


def packed(path: Path, *, chunks: Any = None) -> xr.DataArray:
    """Return numbers as they are stored, with attributes that say how they become values."""
    counts = np.random.default_rng(0).integers(0, 9, (30, 40)).astype("i2")
    array = zarr.create_group(path).create_array(
        "v", data=counts, chunks=(10, 40), attributes=ABOUT, dimension_names=("y", "x")
    )
    assert array.fill_value == 0
    return xr.open_zarr(path, consolidated=False, mask_and_scale=False, chunks=chunks)["v"]


def fitted(x: xr.DataArray, **how: Any) -> GaussianMixture:
    return GaussianMixture(1, missing="drop").fit(x, feature_dims=(), **how)


MOVED: dict[str, Callable[[xr.DataArray], xr.DataArray]] = {
    "as opened": lambda x: x,
    "loaded": lambda x: x.load(),
    "selected": lambda x: x.isel(y=slice(2, 20)),
    "rechunked": lambda x: x.chunk(7),
    "transposed": lambda x: x.T,
    "joined": lambda x: xr.concat([x, x], "time"),
    "named": lambda x: x.rename("w").assign_coords(x=range(40)),
}


@pytest.mark.parametrize("how", MOVED)
@pytest.mark.parametrize("chunks", [None, {}])
def test_numbers_as_they_were_stored_are_decoded(tmp_path: Path, how: str, chunks: Any) -> None:
    raw = MOVED[how](packed(tmp_path / "x.zarr", chunks=chunks))
    mixture = fitted(raw)
    assert mixture.fitted_on_["missing"] == int((raw == 0).sum())
    assert mixture.fitted_on_["minimum"][0] == pytest.approx(10.1)


COMPUTED: dict[str, Callable[[xr.DataArray], xr.DataArray]] = {
    "difference": lambda x: x - x.roll(x=1),
    "bits": lambda x: x & 1,
    "classes": lambda x: (x > 3).astype("u1"),
    "another type": lambda x: x.astype("i4"),
    "cut off": lambda x: x.clip(2, 5),
    "filled": lambda x: x.where(x > 4, 0),
    "negative": lambda x: -x,
    "step": lambda x: x.diff("x"),
    "greatest": lambda x: x.max("y"),
    "coarse": lambda x: x.coarsen(y=2).max(),
    "mapped": lambda x: xr.apply_ufunc(
        np.square, x, keep_attrs=True, dask="parallelized", output_dtypes=[x.dtype]
    ),
    "floats": lambda x: (x.astype("f4") - 4) / 4,
}


@pytest.mark.parametrize("how", COMPUTED)
@pytest.mark.parametrize("chunks", [None, {}])
def test_computed_numbers_are_values(tmp_path: Path, how: str, chunks: Any) -> None:
    with xr.set_options(keep_attrs=True):
        x = COMPUTED[how](packed(tmp_path / "x.zarr", chunks=chunks))
    assert x.attrs["_FillValue"] == 0
    for each in (x, x.compute(), x.to_dataset(name="w")):
        with pytest.warns(DecodingWarning, match=r"_FillValue=0, add_offset=10.0.*not applied"):
            mixture = fitted(each)
        assert mixture.fitted_on_["missing"] == 0
        assert mixture.fitted_on_["rows"] == x.size
        assert mixture.means_[0, 0] == pytest.approx(float(x.mean()), abs=1e-6)
    # Whoever drops them, or says that values are as stored, hears nothing.
    fitted(x.drop_attrs())
    x.encoding["dtype"] = x.dtype
    assert fitted(x).fitted_on_["missing"] == int((x == 0).sum())


@pytest.mark.parametrize("about", [ABOUT, {"nodata": 1}, {"_Unsigned": "true"}])
def test_truth_values_are_never_decoded(about: dict[str, Any]) -> None:
    truth = xr.DataArray(np.random.default_rng(0).random((20, 30)) < 0.3, attrs=about)
    for x in (truth, truth.chunk(10)):
        x.encoding["dtype"] = "bool"
        mixture = fitted(x)
        assert mixture.fitted_on_["missing"] == 0
        assert mixture.means_[0, 0] == pytest.approx(float(truth.mean()))


def test_predictions_and_weights_see_the_same(tmp_path: Path) -> None:
    raw = packed(tmp_path / "x.zarr", chunks={})
    values = raw.where(raw != 0).astype("f8") * 0.1 + 10
    mixture = fitted(raw, sample_weight=raw)
    expected = fitted(values.drop_attrs(), sample_weight=values.drop_attrs())
    np.testing.assert_allclose(mixture.means_, expected.means_, rtol=1e-12)
    np.testing.assert_array_equal(mixture.predict(raw) == -1, raw == 0)
    with xr.set_options(keep_attrs=True):
        more = raw + 1
    with pytest.warns(DecodingWarning, match="of sample_weight are not applied"):
        found = fitted(values.drop_attrs(), sample_weight=more)
    expected = fitted(values.drop_attrs(), sample_weight=more.drop_attrs())
    assert found.means_ == expected.means_


@pytest.mark.parametrize("number", [-9999.0, 1e20, np.float32(-3.4028235e38)])
def test_numbers_that_no_computation_gives(number: float) -> None:
    values = np.random.default_rng(0).normal(size=(20, 30)).astype("f4")
    values[:2] = number
    raster = xr.DataArray(values, dims=("y", "x"), attrs={"nodata": number})
    assert fitted(raster).fitted_on_["missing"] == 60
    raster.attrs["missing_value"] = 0.0
    with pytest.warns(DecodingWarning, match=r"missing_value=0.0.*\(but for .*, which is missing"):
        fitted(raster)


def test_floats_as_they_were_stored(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(20, 30))
    values[:2] = 0.0
    xr.Dataset({"v": (("y", "x"), values, {"nodata": 0.0})}).to_zarr(
        tmp_path / "x.zarr", consolidated=False
    )
    array = zarr.create_array(
        tmp_path / "y.zarr", data=values.reshape(20, 10, 3), attributes={"nodata": 0.0}
    )
    opened = xr.open_zarr(tmp_path / "x.zarr", consolidated=False).v
    for x in (opened, open_data(str(array.store.root))):
        assert fitted(x).fitted_on_["missing"] == 60
    with xr.set_options(keep_attrs=True), pytest.warns(DecodingWarning, match=r"nodata=0\.0"):
        mixture = fitted(opened * 1)
    assert mixture.fitted_on_["missing"] == 0


def test_what_was_opened_here_is_decoded_before_anything_is_computed(tmp_path: Path) -> None:
    raw = packed(tmp_path / "x.zarr").load()
    with xr.set_options(keep_attrs=True), warnings.catch_warnings():
        warnings.simplefilter("error")
        band = open_labelled(tmp_path / "x.zarr" / "v")
        assert not set(ABOUT) & set(band.attrs)
        mixture = fitted(band - 10.0)
    assert mixture.fitted_on_["missing"] == int((raw == 0).sum())
    assert mixture.means_[0, 0] == pytest.approx(0.1 * float(raw.where(raw != 0).mean()))
