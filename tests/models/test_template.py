"""Coordinates of every kind are written to Zarr, or refused by name before anything is."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from daskgmm.errors import DataError
from daskgmm.models.writers.template import writable_template

UNIT = {"y": 10, "x": 10}


def template(**coordinates: Any) -> xr.Dataset:
    return xr.Dataset(coords={"y": np.arange(20), "x": np.arange(30) * 0.5, **coordinates})


def written(path: Path, given: xr.Dataset) -> xr.Dataset:
    writable_template(given, UNIT).to_zarr(path / "x.zarr", zarr_format=3, consolidated=False)
    return xr.open_zarr(path / "x.zarr", consolidated=False)


def test_plain_coordinates_stay(tmp_path: Path) -> None:
    given = template(
        area=(("y", "x"), np.ones((20, 30), "f4"), {"units": "m2"}),
        name=("y", np.array(list("abcdefghijklmnopqrst"), object)),
        time=np.datetime64("2020-01-01", "ns"),
    )
    given.attrs["title"] = "ocean"
    before = given.copy(deep=True)
    xr.testing.assert_identical(written(tmp_path, given).load(), before)
    xr.testing.assert_identical(given, before)


def test_lazy_coordinates_are_cut_as_the_arrays_are(tmp_path: Path) -> None:
    given = template(area=(("y", "x"), np.ones((20, 30)))).chunk(y=7, x=11)
    given.area.encoding = {"chunks": (3, 3), "compressor": object(), "codecs": object()}
    found = written(tmp_path, given)
    assert found.area.encoding["chunks"] == (10, 10)
    assert given.area.encoding["chunks"] == (3, 3)


def test_a_multiindex_becomes_its_levels(tmp_path: Path) -> None:
    given = template().stack(p=("y", "x"))
    found = writable_template(given, {"p": 100})
    assert set(found.coords) == {"y", "x"}
    assert found.y.dims == ("p",)
    found.to_zarr(tmp_path / "x.zarr", zarr_format=3, consolidated=False)
    np.testing.assert_array_equal(found.x.values[:3], [0.0, 0.5, 1.0])


@pytest.mark.parametrize("name", ["y", "t"])
def test_zones_become_utc(tmp_path: Path, name: str) -> None:
    times = pd.date_range("2020-01-01", periods=20, tz="Europe/Berlin")
    found = written(tmp_path, template(**{name: ("y", times, {"long_name": "time"})}))
    assert found[name].values[0] == np.datetime64("2019-12-31T23:00")
    assert found[name].attrs["long_name"] == "time"


def test_attributes_become_plain(tmp_path: Path) -> None:
    given = template()
    given.attrs = {
        "when": datetime.datetime(2020, 1, 1), "n": np.float32(3), "many": np.arange(2), 1: b"a",
        "nested": {"date": datetime.date(2020, 1, 1), "path": Path("a")}, "none": None,
    }  # fmt: skip
    given.y.attrs["when"] = pd.Timestamp("2020-01-01")
    found = written(tmp_path, given)
    assert found.attrs["when"] == "2020-01-01 00:00:00"
    assert (found.attrs["n"], found.attrs["many"], found.attrs["1"]) == (3.0, [0, 1], "a")
    assert found.attrs["nested"] == {"date": "2020-01-01", "path": "a"}
    assert found.y.attrs["when"] == "2020-01-01 00:00:00"
    assert isinstance(given.attrs["when"], datetime.datetime)
    assert isinstance(given.y.attrs["when"], pd.Timestamp)


@pytest.mark.parametrize("name", ["thing", "a/b", 7])
def test_what_zarr_cannot_hold_is_named(name: Any) -> None:
    values = np.array([object()] * 20, object) if name == "thing" else np.arange(20)
    given = template().assign_coords({name: ("y", values)})
    with pytest.raises(DataError, match=rf"'{name}' of X .*drop_vars\({name!r}\)"):
        writable_template(given, UNIT)


def test_text_of_netcdf(tmp_path: Path) -> None:
    given = template(name=("y", np.array(list("abcdefghijklmnopqrst"))))
    given.name.encoding = {"dtype": "S1", "char_dim_name": "string1", "zlib": True}
    assert written(tmp_path, given).name.values[1] == "b"
