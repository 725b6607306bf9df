"""What is decoded here is what xarray decodes, whichever way the same numbers are read."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr

from daskgmm import GaussianMixture, open_labelled
from daskgmm.errors import DataError
from daskgmm.rows.labelled.arrays import labelled
from daskgmm.rows.opening import as_rows
from daskgmm.rows.stores.hdf5 import HDF5Rows

from .conformance import read_all

netCDF4 = pytest.importorskip("netCDF4")
h5py = pytest.importorskip("h5py")

f4, f8 = np.float32, np.float64

ENCODINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "nothing": ("i2", {"units": "m"}),
    "fill": ("i2", {"_FillValue": np.int16(-3)}),
    "fill of 8 bytes": ("i8", {"_FillValue": np.int64(2**62 + 1)}),
    "missing value": ("i4", {"missing_value": np.int32(5)}),
    "several missing values": ("i2", {"missing_value": np.array([1, 2], "i2")}),
    "fill and missing value": ("i2", {"_FillValue": np.int16(-3), "missing_value": np.int16(4)}),
    "unsigned": ("i1", {"_Unsigned": "true"}),
    "unsigned fill": ("i1", {"_Unsigned": "true", "_FillValue": np.int8(-1)}),
    "unsigned packed": (
        "i2",
        {"_Unsigned": "true", "_FillValue": np.int16(-2), "scale_factor": f4(0.5)},
    ),
    "unsigned big-endian": (">i2", {"_Unsigned": "true", "_FillValue": np.int16(-1)}),
    "signed after all": ("u1", {"_Unsigned": "false"}),
    "signed fill": ("u1", {"_Unsigned": "false", "_FillValue": np.uint8(7)}),
    "unsigned floats": ("f4", {"_Unsigned": "true"}),
    "scale": ("i2", {"scale_factor": f4(0.1)}),
    "scale of 8 bytes": ("i2", {"scale_factor": f8(0.1)}),
    "offset": ("i2", {"add_offset": f4(273.15)}),
    "both": ("i2", {"scale_factor": f4(0.1), "add_offset": f4(273.15)}),
    "both of 8 bytes": ("u1", {"scale_factor": 0.1, "add_offset": 273.15}),
    "both differ": ("i2", {"scale_factor": f4(0.1), "add_offset": f8(273.15)}),
    "both and fill": (
        "i2",
        {"scale_factor": f4(0.1), "add_offset": f4(9.0), "_FillValue": np.int16(-3)},
    ),
    "4 bytes packed": ("i4", {"scale_factor": f4(0.1), "add_offset": f4(9.0)}),
    "floats": ("f4", {"_FillValue": f4(-3.0)}),
    "floats packed": ("f4", {"scale_factor": f4(0.1), "_FillValue": f4(-3.0)}),
    "floats packed in 8 bytes": ("f4", {"scale_factor": 0.1, "add_offset": 1.0}),
    "NaN fill": ("f8", {"_FillValue": f8(np.nan)}),
    "fill of netCDF": ("f4", {"_FillValue": f4(9.969209968386869e36)}),
    "big-endian": (">i2", {"_FillValue": np.int16(-3), "scale_factor": 0.5}),
    "big-endian floats": (">f8", {"missing_value": f8(2.0)}),
    "valid range": ("i2", {"valid_range": np.array([0, 3], "i2")}),
    "valid least and most": ("f4", {"valid_min": f4(0.0), "valid_max": f4(3.0)}),
    "truth values": ("i1", {"dtype": "bool"}),
}


def numbers(dtype: str, about: dict[str, Any]) -> np.ndarray:
    """Return values with each of those that are declared."""
    values = (np.arange(24) % 12 - 4).astype(dtype).reshape(12, 2)
    special = [about[name] for name in ("_FillValue", "missing_value") if name in about]
    for row, number in enumerate(np.concatenate([np.ravel(each) for each in special] or [[]])):
        values[row, row % 2] = number
    return values


def write(path: Path, dtype: str, about: dict[str, Any]) -> None:
    values = numbers(dtype, about)
    with netCDF4.Dataset(path, "w") as file:
        for name, size in zip(("row", "column"), values.shape, strict=True):
            file.createDimension(name, size)
        variable = file.createVariable(
            "v",
            values.dtype,
            ("row", "column"),
            fill_value=about.get("_FillValue"),
            endian="big" if dtype.startswith(">") else "native",
            chunksizes=(4, 2),
        )
        variable.set_auto_maskandscale(False)
        variable.setncatts({name: each for name, each in about.items() if name != "_FillValue"})
        variable[:] = values


@pytest.fixture(params=ENCODINGS)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    write(tmp_path / "v.nc", *ENCODINGS[request.param])
    with warnings.catch_warnings():
        # Of xarray: several fill values, signs of floats.
        warnings.simplefilter("ignore", xr.SerializationWarning)
        yield tmp_path / "v.nc"


def by_xarray(file: Path) -> xr.DataArray:
    return xr.load_dataset(file)["v"]


def values_of(x: xr.DataArray | xr.Dataset) -> np.ndarray:
    return read_all(labelled(x, ("column",)).rows())


def check(found: np.ndarray, expected: xr.DataArray) -> None:
    assert found.dtype.newbyteorder("=") == expected.dtype
    np.testing.assert_array_equal(found, expected.values)


def test_a_dataset_of_hdf5(file: Path) -> None:
    with h5py.File(file) as opened:
        rows = HDF5Rows(opened["v"])
        found = read_all(rows)
        assert found.dtype == rows.dtype
        check(found, by_xarray(file))


@pytest.mark.parametrize("chunks", [None, {}])
def test_undecoded_by_xarray(file: Path, chunks: Any) -> None:
    with xr.open_dataset(file, mask_and_scale=False, chunks=chunks) as opened:
        check(values_of(opened["v"]), by_xarray(file))
        check(values_of(opened["v"].load()), by_xarray(file))


def test_opened_with_xarray(file: Path) -> None:
    found = open_labelled(file, ["v"])
    check(values_of(found["v"]), by_xarray(file))
    found.close()


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("name", ENCODINGS)
def test_a_zarr_array_is_its_variable(tmp_path: Path, name: str, zarr_format: Any) -> None:
    dtype, about = ENCODINGS[name]
    values = numbers(dtype, about)
    attributes = {key: np.asarray(each).tolist() for key, each in about.items()}
    fill = attributes.get("_FillValue")
    dims = ["row", "column"]
    if zarr_format == 2:
        attributes["_ARRAY_DIMENSIONS"] = dims
    elif values.dtype.kind == "f" and "_FillValue" in attributes:
        # As xarray writes it, and the only way in which it reads it.
        from xarray.backends.zarr import FillValueCoder

        attributes["_FillValue"] = FillValueCoder.encode(fill, values.dtype)
    array = zarr.create_group(tmp_path / "x.zarr", zarr_format=zarr_format).create_array(
        "v",
        shape=values.shape,
        chunks=(4, 2),
        dtype=values.dtype,
        fill_value=fill,
        attributes=attributes,
        dimension_names=dims if zarr_format == 3 else None,
    )
    array[:] = values
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", xr.SerializationWarning)
        expected = xr.open_zarr(tmp_path / "x.zarr", consolidated=False)["v"].load()
        check(read_all(as_rows(tmp_path / "x.zarr" / "v")), expected)
        check(values_of(open_labelled(tmp_path / "x.zarr" / "v")), expected)
        check(values_of(open_labelled(tmp_path / "x.zarr", ["v"])), expected)
        undecoded = xr.open_zarr(tmp_path / "x.zarr", consolidated=False, mask_and_scale=False)
        check(values_of(undecoded["v"]), expected)


def test_more_than_xarray_decodes(tmp_path: Path) -> None:
    values = np.arange(-10, 10, dtype="i1").reshape(10, 2)
    for attributes, missing in (
        ({"_Unsigned": "true", "missing_value": -1}, 255),
        ({"_Unsigned": "true", "_FillValue": 255}, 255),
        ({"_Unsigned": "True", "nodata": 9}, 9),
    ):
        zarr.create_array(tmp_path / "x.zarr", data=values, attributes=attributes, overwrite=True)
        found = read_all(as_rows(tmp_path / "x.zarr"))
        unsigned = values.view("u1").astype("f4")
        np.testing.assert_array_equal(found, np.where(unsigned == missing, np.nan, unsigned))


@pytest.mark.filterwarnings("ignore::daskgmm.errors.DegenerateComponentWarning")
@pytest.mark.parametrize("name", ["unsigned packed", "truth values"])
def test_labels_do_not_inherit_an_encoding(tmp_path: Path, name: str) -> None:
    write(tmp_path / "v.nc", *ENCODINGS[name])
    with xr.open_dataset(tmp_path / "v.nc", mask_and_scale=False) as opened:
        x = opened["v"].load().assign_attrs(ENCODINGS[name][1])
    x = x.astype("i2", keep_attrs=True)
    x.encoding["dtype"] = x.dtype
    mixture = GaussianMixture(2, random_state=0, missing="drop").fit(x, feature_dims="column")
    labels = mixture.predict(x)
    assert not {"_Unsigned", "dtype", "_FillValue", "scale_factor"} & set(labels.attrs)
    mixture.predict_to_zarr(x, tmp_path / "out.zarr")
    found = xr.open_zarr(tmp_path / "out.zarr", consolidated=False)["label"]
    np.testing.assert_array_equal(found, labels)


def test_packed_whole_numbers_lose_no_digits(tmp_path: Path) -> None:
    """xarray unpacks to the type of the scale alone, in which 2**24 + 1 is no number."""
    values = np.array([[2**24 + 1, 0], [1, 2]], "i4")
    zarr.create_array(tmp_path / "x.zarr", data=values, attributes={"scale_factor": 2})
    found = read_all(as_rows(tmp_path / "x.zarr"))
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, 2.0 * values)


@pytest.mark.parametrize("dtype", ["S1", "U3"])
def test_text_is_refused_by_name(dtype: str) -> None:
    data = xr.Dataset({"code": (("row",), np.array(["a", "b"], dtype))})
    with pytest.raises(DataError, match=r"variable 'code' of X has dtype .*not numeric"):
        GaussianMixture(1).fit(data)


def test_dates_are_refused_by_name(tmp_path: Path) -> None:
    days = np.arange("2000-01-01", "2000-01-21", dtype="datetime64[D]").astype("M8[ns]")
    xr.Dataset({"seen": (("row",), days)}).to_netcdf(tmp_path / "v.nc")
    found = open_labelled(tmp_path / "v.nc", ["seen"])
    with pytest.raises(DataError, match=r"variable 'seen' of X has dtype datetime64"):
        GaussianMixture(1).fit(found)
    found.close()
    with h5py.File(tmp_path / "v.nc") as file:
        # Without xarray they are numbers, in the units that they have.
        mixture = GaussianMixture(1).fit(np.ones((20, 1)), sample_weight=file["seen"])
    assert mixture.fitted_on_["weight"] == 190
