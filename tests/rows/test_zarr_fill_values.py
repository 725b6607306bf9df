"""Which fill values of Zarr's two formats mean that a value is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr

from daskgmm import GaussianMixture, open_labelled
from daskgmm.errors import DataError, DecodingWarning
from daskgmm.rows.opening import as_rows

from .conformance import read_all

DIMS = ["cell", "gene"]
COUNTS = np.random.default_rng(0).poisson(0.7, (200, 2))


def stored(
    path: Path, dtype: str, about: dict[str, Any], zarr_format: Any = 2, **how: Any
) -> zarr.Array:
    named = {"_ARRAY_DIMENSIONS": DIMS} if zarr_format == 2 else {}
    array = zarr.create_group(path, zarr_format=zarr_format).create_array(
        "v",
        shape=COUNTS.shape,
        chunks=(50, 2),
        dtype=dtype,
        attributes=named | about,
        dimension_names=DIMS if zarr_format == 3 else None,
        **how,
    )
    array[:] = COUNTS.astype(dtype)
    return array


def readings(array: zarr.Array) -> list[np.ndarray]:
    """Return the values of an array by itself and as a variable of its group."""
    path = Path(str(array.store.root))
    group = open_labelled(path, ["v"])
    one = GaussianMixture(1, missing="drop").fit(group, feature_dims="gene")
    return [
        read_all(as_rows(array)),
        read_all(as_rows(path / "v")),
        open_labelled(path / "v").values,
        np.where(one.predict(group).values[:, None] == -1, np.nan, group["v"].values),
    ]


@pytest.mark.parametrize("dtype", ["u1", "i4", "f4", ">i2"])
def test_zeros_that_nobody_declared_are_values(tmp_path: Path, dtype: str) -> None:
    array = stored(tmp_path / "x.zarr", dtype, {})
    assert array.fill_value == 0
    with pytest.warns(DecodingWarning, match=r"fill value 0, .*zeros are taken as values"):
        found = readings(array)
    for each in found:
        np.testing.assert_array_equal(each, COUNTS)


@pytest.mark.parametrize("about", [{"_FillValue": 0}, {"missing_value": 0}, {"nodata": 0}])
def test_zeros_that_an_attribute_declares_are_missing(
    tmp_path: Path, about: dict[str, int]
) -> None:
    array = stored(tmp_path / "x.zarr", "i2", about)
    for each in readings(array)[:3]:
        np.testing.assert_array_equal(each, np.where(COUNTS == 0, np.nan, COUNTS))


def test_zeros_of_packed_numbers_are_missing(tmp_path: Path) -> None:
    array = stored(tmp_path / "x.zarr", "i2", {"scale_factor": 0.5})
    with pytest.warns(DecodingWarning, match=r"zeros are taken as missing, as .*packed"):
        found = readings(array)
    for each in found[:3]:
        np.testing.assert_array_equal(each, np.where(COUNTS == 0, np.nan, 0.5 * COUNTS))


def test_another_value_is_declared_beside_the_default(tmp_path: Path) -> None:
    array = stored(tmp_path / "x.zarr", "i2", {"_FillValue": 1, "scale_factor": 0.5})
    for each in readings(array)[:3]:
        np.testing.assert_array_equal(each, np.where(COUNTS == 1, np.nan, 0.5 * COUNTS))


@pytest.mark.parametrize("fill", [2, None])
def test_a_fill_value_that_was_chosen_is_declared_in_format_2(
    tmp_path: Path, fill: int | None
) -> None:
    array = stored(tmp_path / "x.zarr", "i2", {}, fill_value=fill)
    for each in readings(array)[:3]:
        np.testing.assert_array_equal(each, np.where(fill == COUNTS, np.nan, COUNTS))


@pytest.mark.parametrize("fill", [0, 2])
def test_fill_values_of_format_3_declare_nothing(tmp_path: Path, fill: int) -> None:
    array = stored(tmp_path / "x.zarr", "i2", {}, zarr_format=3, fill_value=fill)
    for each in readings(array):
        np.testing.assert_array_equal(each, COUNTS)


def test_dimensions_of_zeros_and_truth_values_stay(tmp_path: Path) -> None:
    array = stored(tmp_path / "x.zarr", "bool", {})
    group = zarr.open_group(tmp_path / "x.zarr", mode="a")
    place = group.create_array(
        "cell", data=np.arange(200), attributes={"_ARRAY_DIMENSIONS": DIMS[:1]}
    )
    assert place.fill_value == array.fill_value == 0
    found = open_labelled(tmp_path / "x.zarr", ["v"])
    assert found["cell"].dtype.kind == "i"
    np.testing.assert_array_equal(read_all(as_rows(array)), COUNTS > 0)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("source", ["array", "group", "xarray"])
def test_errors_name_what_is_stored(tmp_path: Path, zarr_format: Any, source: str) -> None:
    values = np.where(COUNTS == 3, np.nan, COUNTS)
    xr.Dataset({"v": (DIMS, values)}).to_zarr(
        tmp_path / "x.zarr",
        encoding={"v": {"dtype": "i2", "_FillValue": -7}},
        zarr_format=zarr_format,
        consolidated=False,
    )
    path = tmp_path / "x.zarr"
    x: Any = {
        "array": path / "v",
        "group": open_labelled(path, ["v"]),
        "xarray": xr.open_zarr(path, consolidated=False)["v"].load(),
    }[source]
    how = {} if source == "array" else {"feature_dims": "gene"}
    with pytest.raises(DataError, match=r"contains NaN in .*NaN stands for -7 .*as stored"):
        GaussianMixture(1).fit(x, **how)
    mixture = GaussianMixture(1, missing="drop").fit(x, **how)
    mixture.missing = "error"
    for use in (mixture.score, lambda x: mixture.predict_to_zarr(x, tmp_path / "out")):
        with pytest.raises(DataError, match=r"contains NaN in .*NaN stands for -7 .*as stored"):
            use(x)


def test_errors_of_rows_that_declare_nothing_stay_as_they_are() -> None:
    with pytest.raises(DataError, match=r"missing='marginalise' \(--missing marginalise\)\.$"):
        GaussianMixture(1).fit(np.where(COUNTS == 3, np.nan, COUNTS))
