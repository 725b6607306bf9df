"""Declared missing values and packed numbers of Zarr arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr

from daskgmm import GaussianMixture
from daskgmm.errors import DataError
from daskgmm.rows.decoding.nodata import Decoding, declared
from daskgmm.rows.opening import as_rows


def stored(path: Path, values: np.ndarray, attributes: dict[str, Any]) -> zarr.Array:
    array = zarr.create_array(
        path, shape=values.shape, chunks=(10, 2), dtype=values.dtype, attributes=attributes
    )
    array[:] = values
    return array


def read(x: Any) -> np.ndarray:
    rows = as_rows(x)
    return np.concatenate(list(rows.segment(0, len(rows.lengths)).stream()))


def test_plain_arrays_stay_as_they_are(tmp_path: Path) -> None:
    array = stored(tmp_path / "x.zarr", np.arange(50, dtype="i2").reshape(25, 2), {"units": "m"})
    assert as_rows(array).dtype == np.int16
    assert read(array).dtype == np.int16


@pytest.mark.parametrize("name", ["_FillValue", "missing_value", "nodata"])
def test_declared_values_are_missing(tmp_path: Path, name: str) -> None:
    values = np.arange(50, dtype="u1").reshape(25, 2)
    array = stored(tmp_path / "x.zarr", values, {name: 7})
    found = read(array)
    assert found.dtype == as_rows(array).dtype == np.float32
    np.testing.assert_array_equal(found, np.where(values == 7, np.nan, values))


def test_packed_numbers(tmp_path: Path) -> None:
    values = np.arange(-20, 30, dtype="i4").reshape(25, 2)
    packed = {"scale_factor": 0.01, "add_offset": 273.15, "_FillValue": -20}
    found = read(stored(tmp_path / "x.zarr", values, packed))
    assert found.dtype == np.float64
    expected = np.where(values == -20, np.nan, values * 0.01 + 273.15)
    np.testing.assert_allclose(found, expected, rtol=1e-14)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(
    "encoding",
    [
        {"dtype": "i2", "_FillValue": -999, "scale_factor": 0.5},
        {"dtype": "f4", "_FillValue": -1.0},
        {},
    ],
)
def test_what_xarray_wrote(tmp_path: Path, zarr_format: int, encoding: dict[str, Any]) -> None:
    values = np.arange(40.0).reshape(20, 2)
    values[3, 1] = np.nan
    ds = xr.Dataset({"v": (("row", "band"), values)})
    ds.to_zarr(
        tmp_path / "x.zarr", encoding={"v": encoding}, zarr_format=zarr_format, consolidated=False
    )
    found = read(str(tmp_path / "x.zarr" / "v"))
    np.testing.assert_array_equal(found, values)


def test_predictions_see_the_same(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 9, (200, 2)).astype("i2")
    array = stored(tmp_path / "x.zarr", values, {"_FillValue": 4, "scale_factor": 0.5})
    mixture = GaussianMixture(2, random_state=0, missing="drop").fit(array)
    labels = mixture.predict(array).compute()
    np.testing.assert_array_equal(labels == -1, (values == 4).any(axis=1))
    assert mixture.fitted_on_["maximum"] == [4.0, 4.0]


def test_attributes_that_declare_nothing() -> None:
    assert declared({"_FillValue": None, "missing_value": "none", "nodata": float("nan")}).plain
    assert declared({"nodatavals": (None, None)}).plain
    assert declared({"nodatavals": (np.nan, np.nan)}).plain


def test_attributes_of_many_kinds() -> None:
    assert declared({"nodatavals": (255, 255)}) == Decoding((255.0,))
    assert declared({"nodata": "-9999"}) == Decoding((-9999.0,))
    assert declared({"missing_value": np.array([1, 2], "i2")}) == Decoding((1.0, 2.0))
    packed = {"scale_factor": np.array([0.1]), "add_offset": "2"}
    assert declared(packed) == Decoding((), 0.1, 2.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("_FillValue", "much"),
        ("nodata", object()),
        ("scale_factor", (0.1, 0.2)),
        ("add_offset", np.nan),
        ("nodatavals", (0, 255, 255)),
        ("nodatavals", (0, None)),
    ],
)
def test_attributes_that_cannot_be_understood(name: str, value: Any) -> None:
    advice = rf"del X.attrs\['{name}'\].*r\+.*from_array"
    with pytest.raises(DataError, match=rf"attribute {name}=.*{advice}"):
        declared({name: value})


@pytest.mark.parametrize("about", [{"scales": (0.5, 0.1)}, {"offsets": [10.0, 0.0]}])
def test_bands_that_are_packed_otherwise_are_refused_with_the_way(about):
    with pytest.raises(DataError, match=r"each band is packed otherwise.*mask_and_scale=True"):
        declared({"_FillValue": -1, **about})
    array = xr.DataArray(np.ones((4, 2), "i2"), dims=("row", "band"), attrs=about)
    array.encoding["rasterio_dtype"] = "int16"
    with pytest.raises(DataError, match="each band is packed otherwise"):
        GaussianMixture(1).fit(array, feature_dims="band")


@pytest.mark.parametrize(
    "about", [{"scales": (1.0, 1.0), "offsets": (0.0, 0.0)}, {"scales": "log"}]
)
def test_attributes_of_that_name_that_change_nothing(about):
    assert declared(about).plain
