"""Coordinates of labelled arrays, made into what Zarr can hold before anything is written."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from daskgmm.errors import DataError
from daskgmm.readers import remedy
from daskgmm.rows.checks.layout import REAL_KINDS

if TYPE_CHECKING:
    import xarray as xr

STORED_AS = (
    "chunks", "shards", "preferred_chunks", "compressor", "compressors", "filters",
    "serializer", "codecs", "fill_value", "chunk_key_encoding", "write_empty_chunks",
    "cache_metadata",
)  # fmt: skip
"""How coordinates were stored, which need not fit where they are written."""

EDGES = ("bounds", "climatology")
"""Attributes that name a variable, which is not written if it does not lie on the grid."""

STORED_AS_TEXT = ("dtype", "char_dim_name", "_FillValue")
"""How text was stored by other formats, as arrays of characters."""


def writable_template(template: xr.Dataset, unit: Mapping[str, int]) -> xr.Dataset:
    """Return coordinates and attributes that xarray can write to a Zarr group.

    Levels of a MultiIndex become coordinates of their own, times with a zone are in UTC, and
    attributes that JSON has no word for are text. Nothing lazy is read.
    """
    found = _single_indexes(template)
    found = found.assign_coords(
        {name: _in_utc(each) for name, each in found.coords.items() if _has_zone(each)}
    )
    found = found.assign_coords(
        {name: _of_any_length(each) for name, each in found.coords.items() if _is_text(each)}
    )
    found.attrs = _plain_attributes(found.attrs)
    for name, each in found.coords.items():
        each.attrs = _plain_attributes(each.attrs)
        each.encoding = _kept_encoding(each)
        for place in (each.attrs, each.encoding):
            for attribute in EDGES:
                if place.get(attribute) not in found.variables:
                    place.pop(attribute, None)
        if each.chunks is not None:
            found[name] = each.chunk({dim: unit[str(dim)] for dim in each.dims})
        _check(name, found)
    return found


def _single_indexes(template: xr.Dataset) -> xr.Dataset:
    """Return a copy whose indexes have one level each."""
    import pandas as pd

    several = [dim for dim, index in template.indexes.items() if isinstance(index, pd.MultiIndex)]
    whole = {dim for dim in several if dim in template.dims}
    found = template.reset_index(list(whole)) if whole else template.copy()
    # Tuples of the levels, which are there by themselves.
    return found.drop_vars([dim for dim in whole if dim in found.coords])


def _has_zone(coordinate: xr.DataArray) -> bool:
    return getattr(coordinate.dtype, "tz", None) is not None


def _in_utc(coordinate: xr.DataArray) -> Any:
    import pandas as pd

    times = pd.DatetimeIndex(coordinate.to_index() if coordinate.ndim else [coordinate.item()])
    values = times.tz_convert("UTC").tz_localize(None).to_numpy()
    values = values if coordinate.ndim else values[0]
    return (coordinate.dims, values, coordinate.attrs, coordinate.encoding)


def _is_text(coordinate: xr.DataArray) -> bool:
    return coordinate.dtype.kind == "U" and coordinate.chunks is None


def _of_any_length(coordinate: xr.DataArray) -> Any:
    """Return text as strings, for format 3 of Zarr has no stable type of a fixed length."""
    values = coordinate.values.astype(object)
    return (coordinate.dims, values, coordinate.attrs, coordinate.encoding)


def _kept_encoding(coordinate: xr.DataArray) -> dict[str, Any]:
    text = coordinate.dtype.kind in "OSUT"
    dropped = STORED_AS + (STORED_AS_TEXT if text else ())
    return {name: value for name, value in coordinate.encoding.items() if name not in dropped}


def _plain_attributes(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): _plain(value) for name, value in attributes.items()}


def _plain(value: Any) -> Any:
    """Return what JSON has a word for: numbers, text, lists and mappings; else text."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biufU":
        return value.tolist()
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return _plain_attributes(value)
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _check(name: Any, template: xr.Dataset) -> None:
    """Raise `DataError` unless xarray writes a coordinate that holds no plain numbers."""
    each = template.coords[name]
    if isinstance(name, str) and "/" not in name and each.dtype.kind in REAL_KINDS:
        return
    try:
        if "/" in str(name):
            raise ValueError("its name has a slash")
        alone = template.drop_vars([other for other in template.coords if other != name])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            alone.to_zarr(
                zarr.storage.MemoryStore(), zarr_format=3, consolidated=False, compute=False
            )
    except Exception as error:
        said = str(error).partition("\n")[0]
        why = f"{type(error).__name__}: {said}"
        raise DataError(
            f"Zarr cannot hold the coordinate {str(name)!r} of X ({why}). Leave it out"
            f"{remedy(f': X.drop_vars({name!r})', ', in a copy of DATA')}."
        ) from error
