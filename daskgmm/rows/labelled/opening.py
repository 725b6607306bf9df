"""Labelled arrays at a path or URL: Zarr groups and arrays, and files that xarray opens."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zarr

from daskgmm.errors import SourceError
from daskgmm.rows.decoding.attributes import numbers
from daskgmm.rows.decoding.file_kinds import ENGINES, LABELLED, suffix_of
from daskgmm.rows.decoding.nodata import (
    DECLARING,
    declared_by_zarr,
    fills_missing,
    tell_zeros,
    zarr_attributes,
)
from daskgmm.rows.labelled.choosing import chosen_of, data_of
from daskgmm.rows.stores.claims import check_claim
from daskgmm.rows.stores.stored_values import lazily_read, lazy_values
from daskgmm.rows.stores.zarr_opening import group_refused, missing, open_node
from daskgmm.rows.zarr_nodes.node import address_of
from daskgmm.storage.address import Address
from daskgmm.storage.emptiness import told_if_empty
from daskgmm.storage.masking import StorageOptions

if TYPE_CHECKING:
    import xarray as xr

SUFFIXES = LABELLED
"""Suffixes of files that xarray opens."""

BAND = "band"
"""The dimension of the bands of a raster, which are its features."""


def open_labelled(
    path: str | os.PathLike[str],
    variables: Sequence[str] | None = None,
    storage_options: StorageOptions | None = None,
    *,
    beside: Sequence[str] = (),
    features: Sequence[str] | None = None,
) -> xr.DataArray | xr.Dataset:
    """Open a Zarr group, a Zarr array of any rank or a file that xarray opens; all stay lazy.

    Chunks are those of the store. An array's dimensions are named as its metadata say, else
    ``dim_0``, ``dim_1``, ... What attributes declare is decoded as xarray decodes it: missing
    values are NaN, packed numbers are unpacked.

    Parameters
    ----------
    path : str or path
        A local path, or a URL that fsspec understands.
    variables : sequence of str, optional
        Variables of a group or file that are features. By default all, if they are numbers on
        one grid.
    storage_options : mapping, optional
        As in `daskgmm.open_data`.
    beside : sequence of str
        Variables to return as well, which are no features.
    features : sequence of str, optional
        Names of features, as in ``feature_names_in_`` of a mixture: by default the variables with
        these features are returned.

    Returns
    -------
    xarray.DataArray
        For a single array, and for a raster such as a GeoTIFF, whose bands are along ``band``.
    xarray.Dataset
        For a group or another file.

    Raises
    ------
    SourceError
        If it cannot be opened, lacks a variable, or leaves open which ones are features; or if
        xarray is missing.

    Examples
    --------
    >>> import xarray as xr
    >>> from daskgmm import open_labelled
    >>> ocean = xr.Dataset({"temperature": (("y", "x"), [[4.0, 5.0]])})
    >>> _ = ocean.to_zarr("ocean.zarr", consolidated=False)
    >>> open_labelled("ocean.zarr", ["temperature"]).sizes["x"]
    2
    """
    arrays = _opened(Address.of(path, storage_options), variables, beside, features)
    arrays.encoding["source"] = os.fspath(path)
    return arrays


def _opened(
    address: Address,
    variables: Sequence[str] | None,
    beside: Sequence[str],
    features: Sequence[str] | None,
) -> xr.DataArray | xr.Dataset:
    if _is_file(address):
        dataset = open_file(address)
        if not variables and not beside and (raster := _raster(dataset)) is not None:
            return raster
        return chosen_of(address, dataset, variables, beside, features)
    node = open_node(address)
    if isinstance(node, zarr.Group):
        return labelled_group(address, node, variables, beside, features)
    if variables or beside:
        raise SourceError(
            f"{address} is a single array, which has no variables to choose. Leave them out, "
            "or give the path of the group that it is in."
        )
    return data_array(node)


def _raster(dataset: xr.Dataset) -> xr.DataArray | None:
    """Return the only variable of a raster, whose bands may be features; None for other files."""
    data = list(data_of(dataset).values())
    return data[0] if len(data) == 1 and BAND in data[0].dims else None


def is_labelled_file(name: str) -> bool:
    """Return whether xarray opens a file with this suffix."""
    return name.lower().endswith(SUFFIXES) and not (Path(name).expanduser() / "zarr.json").exists()


def dimensions(array: Any) -> tuple[str, ...] | None:
    """Return the names of the dimensions of an array; None if some have no name."""
    if array.ndim == 0:
        return ()
    names = getattr(array.metadata, "dimension_names", None)
    names = names or dict(array.attrs).get("_ARRAY_DIMENSIONS")
    return tuple(names) if names and None not in names else None


def data_array(array: Any) -> xr.DataArray:
    """Return a Zarr array as a lazy labelled array with the chunks of the store.

    Reads apply the decoding that its attributes declare; the result lacks these attributes.
    """
    address = address_of(array)
    xarray = _xarray(address)
    decoding = declared_by_zarr(array)
    check_claim(array, sparse=fills_missing(array, decoding))
    tell_zeros(array, str(address))
    attributes = {k: v for k, v in zarr_attributes(array).items() if k not in DECLARING}
    dims = dimensions(array) or tuple(f"dim_{axis}" for axis in range(array.ndim))
    values = lazy_values(array, array.chunks, address, decoding)
    labelled: xr.DataArray = xarray.DataArray(values, dims=dims, attrs=attributes)
    return labelled


def labelled_group(
    address: Address,
    group: Any,
    variables: Sequence[str] | None = None,
    beside: Sequence[str] = (),
    features: Sequence[str] | None = None,
) -> xr.Dataset:
    """Return the variables of a Zarr group, as `open_labelled` does."""
    arrays, stored = arrays_of(group), address_of(group)
    if arrays is not None and not arrays:
        raise SourceError(group_refused(address, group))
    if any(dimensions(array) is None for array in (arrays or {}).values()):
        return _unnamed(address, group, arrays or {}, variables, beside)
    advice = "Give one of its arrays, or open it with xarray and give what you select."
    what = f"{address} cannot be opened as a group of variables"
    for array in (arrays or {}).values():
        check_claim(array, sparse=True)  # those that are not chosen may be empty
    with stored.explain(SourceError, what, advice):
        dataset = _decoded_group(_xarray(address), group, arrays or {})
    nodes = dict.fromkeys(dataset.variables, group) if arrays is None else arrays
    dataset = lazily_read(dataset, stored, nodes)
    if group.metadata.consolidated_metadata is None:
        # Stores list their arrays in any order, and that of features must not vary.
        dataset = dataset[sorted(dataset.data_vars, key=str)]
    chosen = chosen_of(address, dataset, variables, beside, features)
    for name, array in (arrays or {}).items():
        if name in chosen.data_vars and name not in beside:
            check_claim(array, sparse=fills_missing(array, declared_by_zarr(array)))
            tell_zeros(array, f"{name!r} of {address}")
    return chosen


def _decoded_group(xarray: Any, group: Any, arrays: Mapping[str, Any]) -> xr.Dataset:
    """Open a group with xarray; fill values that are not declared are no missing values."""
    declared = {name: zarr_attributes(array).get("_FillValue") for name, array in arrays.items()}
    undeclared = [name for name in arrays if _masks_others(arrays[name], declared[name])]
    dataset: xr.Dataset = xarray.open_dataset(
        group.store,
        engine="zarr",
        group=group.path or None,
        cache=False,
        consolidated=group.metadata.consolidated_metadata is not None,
        decode_cf=not undeclared,
    )
    if not undeclared:
        return dataset
    for name in undeclared:
        attributes = dataset.variables[name].attrs
        del attributes["_FillValue"]
        if declared[name] is not None:
            attributes["_FillValue"] = declared[name]
    decoded: xr.Dataset = xarray.decode_cf(dataset)
    return decoded


def _masks_others(array: Any, declared: Any) -> bool:
    """Return whether xarray would mask the fill value, and another value or none is declared."""
    if array.metadata.zarr_format != 2 or array.dtype.kind not in "iuf":
        return False
    fill = array.fill_value
    own = [number for number in numbers("_FillValue", declared) if number == number]
    return fill is not None and own != ([fill] if fill == fill else [])


def arrays_of(group: Any) -> dict[str, Any] | None:
    """Return the arrays directly in a group, by name; None if the store cannot list them."""
    try:
        return dict(sorted(group.arrays()))
    except Exception:
        # HTTP, for one.
        return None


def _unnamed(
    address: Address,
    group: Any,
    arrays: Mapping[str, Any],
    variables: Sequence[str] | None,
    beside: Sequence[str],
) -> xr.Dataset:
    """Return arrays whose dimensions have no names as variables that share their axes."""
    wanted = list(dict.fromkeys([*(variables or ()), *beside]))
    if not variables or not set(wanted) <= set(arrays):
        raise SourceError(group_refused(address, group))
    try:
        dataset: xr.Dataset = _xarray(address).Dataset(
            {name: data_array(arrays[name]) for name in wanted}
        )
    except ValueError as error:
        shapes = ", ".join(f"{name} {arrays[name].shape}" for name in wanted)
        raise SourceError(
            f"These arrays of {address} do not name their dimensions, and their shapes differ: "
            f"{shapes}. Write them with names of dimensions, or choose arrays of one shape."
        ) from error
    return dataset


def _is_file(address: Address) -> bool:
    """Return whether an address is that of a file, and not of a Zarr store."""
    path = None if address.is_url else address.path
    plain = path is not None and path.is_file() and path.suffix != ".zip"
    return plain or is_labelled_file(address.url)


def open_file(address: Address) -> xr.Dataset:
    """Open all variables of a file with xarray, lazily."""
    xarray = _xarray(address)
    place = address.url if address.is_url else str(Path(address.url).expanduser().absolute())
    if not address.is_url and not address.exists():
        raise SourceError(missing(address))
    engine = ENGINES.get(suffix_of(address.url), ENGINES[".nc"])
    advice = f"{engine}; else write the data to Zarr or Parquet."
    with (
        told_if_empty(address, SourceError),
        address.explain(SourceError, f"{address} cannot be opened with xarray", advice),
    ):
        # A cache would keep all values that are read.
        dataset: xr.Dataset = xarray.open_dataset(place, cache=False)
    lazy: xr.Dataset = lazily_read(dataset, address)
    return lazy


def _xarray(address: Address) -> Any:
    try:
        import xarray
    except ImportError as error:
        raise SourceError(
            f"{address} holds labelled arrays, which are opened with xarray. Install it with: "
            "pip install 'daskgmm[xarray]'"
        ) from error
    return xarray
