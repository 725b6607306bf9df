"""Labelled arrays behind a path or a URL: Zarr groups, images, files that xarray opens."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zarr

from daskgmm.errors import SourceError
from daskgmm.rows.labelled.attributes import numbers
from daskgmm.rows.labelled.file_kinds import ENGINES, LABELLED, suffix_of
from daskgmm.rows.labelled.nodata import DECLARING, declared_by_zarr, tell_zeros, zarr_attributes
from daskgmm.rows.labelled.variables import auxiliary, grid_mappings, unmentioned
from daskgmm.rows.layout import REAL_KINDS
from daskgmm.rows.stores.stored_values import lazily_read, lazy_values
from daskgmm.rows.stores.zarr_opening import group_refused, missing, open_node
from daskgmm.rows.stores.zarr_store import address_of
from daskgmm.storage.address import Address
from daskgmm.storage.masking import StorageOptions

if TYPE_CHECKING:
    import xarray as xr

SUFFIXES = LABELLED
"""Of files that are opened with xarray, whether or not variables are named."""

BAND = "band"
"""The dimension of the bands of a raster, which are its features."""

LISTED_VARIABLES = 20
"""Variables that an error message lists at most."""


def open_labelled(
    path: str | os.PathLike[str],
    variables: Sequence[str] | None = None,
    storage_options: StorageOptions | None = None,
    *,
    weight: str | None = None,
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
        Of a group or file: those that are features. By default all, if they are numbers on one
        grid.
    storage_options : mapping, optional
        As in `daskgmm.open_data`.
    weight : str, optional
        A variable to keep beside these, which is no feature.
    features : sequence of str, optional
        Names of features, as ``feature_names_in_`` of a mixture has them: the variables that
        they are of are taken by default.

    Returns
    -------
    xarray.DataArray
        Of a single array, and of a raster such as a GeoTIFF, whose bands are along ``band``.
    xarray.Dataset
        Of a group or file.

    Raises
    ------
    SourceError
        If it cannot be opened, lacks a variable, or leaves open which ones are features; or if
        xarray is missing.
    """
    found = _opened(Address.of(path, storage_options), variables, weight, features)
    found.encoding["source"] = os.fspath(path)
    return found


def _opened(
    address: Address,
    variables: Sequence[str] | None,
    weight: str | None,
    features: Sequence[str] | None,
) -> xr.DataArray | xr.Dataset:
    if _is_file(address):
        dataset = open_file(address)
        if not variables and weight is None and (raster := _raster(dataset)) is not None:
            return raster
        return _chosen(address, dataset, variables, weight, features)
    node = open_node(address)
    if isinstance(node, zarr.Group):
        return labelled_group(address, node, variables, weight, features)
    if variables or weight:
        raise SourceError(
            f"{address} is a single array, which has no variables to choose. Leave them out, "
            "or give the path of the group that it is in."
        )
    return data_array(node)


def _raster(dataset: xr.Dataset) -> xr.DataArray | None:
    """Return the one variable of a raster, whose bands may be features; None of other files."""
    data = list(_data(dataset).values())
    return data[0] if len(data) == 1 and BAND in data[0].dims else None


def is_labelled_file(name: str) -> bool:
    """Tell by its suffix a file that xarray opens."""
    return name.lower().endswith(SUFFIXES) and not (Path(name).expanduser() / "zarr.json").exists()


def dimensions(array: Any) -> tuple[str, ...] | None:
    """Return the names of an array's dimensions, None if it does not name them all."""
    if array.ndim == 0:
        return ()
    names = getattr(array.metadata, "dimension_names", None)
    names = names or dict(array.attrs).get("_ARRAY_DIMENSIONS")
    return tuple(names) if names and None not in names else None


def data_array(array: Any) -> xr.DataArray:
    """Return a Zarr array as a lazy labelled array with the chunks of the store.

    What its attributes declare is applied as it is read, and is no attribute any more.
    """
    address = address_of(array)
    xarray = _xarray(address)
    decoding = declared_by_zarr(array)
    tell_zeros(array, str(address))
    about = {name: each for name, each in zarr_attributes(array).items() if name not in DECLARING}
    dims = dimensions(array) or tuple(f"dim_{axis}" for axis in range(array.ndim))
    values = lazy_values(array, array.chunks, address, decoding)
    found: xr.DataArray = xarray.DataArray(values, dims=dims, attrs=about)
    return found


def labelled_group(
    address: Address,
    group: Any,
    variables: Sequence[str] | None = None,
    weight: str | None = None,
    features: Sequence[str] | None = None,
) -> xr.Dataset:
    """Return the variables of a Zarr group; parameters and errors are those of `open_labelled`."""
    arrays, stored = arrays_of(group), address_of(group)
    if arrays is not None and not arrays:
        raise SourceError(group_refused(address, group))
    if any(dimensions(array) is None for array in (arrays or {}).values()):
        return _unnamed(address, group, arrays or {}, variables, weight)
    advice = "Give one of its arrays, or open it with xarray and give what you select."
    what = f"{address} cannot be opened as a group of variables"
    with stored.explain(SourceError, what, advice):
        dataset = _decoded_group(_xarray(address), group, arrays or {})
    nodes = dict.fromkeys(dataset.variables, group) if arrays is None else arrays
    dataset = lazily_read(dataset, stored, nodes)
    if group.metadata.consolidated_metadata is None:
        # Stores list their arrays in any order, and features are to have one.
        dataset = dataset[sorted(dataset.data_vars, key=str)]
    found = _chosen(address, dataset, variables, weight, features)
    for each in arrays or {}:
        if each in found.data_vars and each != weight:
            tell_zeros((arrays or {})[each], f"{each!r} of {address}")
    return found


def _decoded_group(xarray: Any, group: Any, arrays: Mapping[str, Any]) -> xr.Dataset:
    """Open a group with xarray; fill values that nobody declared are not missing ones."""
    declared = {name: zarr_attributes(each).get("_FillValue") for name, each in arrays.items()}
    undeclared = [name for name, each in arrays.items() if _masked_otherwise(each, declared[name])]
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
        about = dataset.variables[name].attrs
        del about["_FillValue"]
        if declared[name] is not None:
            about["_FillValue"] = declared[name]
    decoded: xr.Dataset = xarray.decode_cf(dataset)
    return decoded


def _masked_otherwise(array: Any, declared: Any) -> bool:
    """Tell an array whose fill value xarray takes as missing, where another or none is declared."""
    if array.metadata.zarr_format != 2 or array.dtype.kind not in "iuf":
        return False
    fill = array.fill_value
    own = [number for number in numbers("_FillValue", declared) if number == number]
    return fill is not None and own != ([fill] if fill == fill else [])


def arrays_of(group: Any) -> dict[str, Any] | None:
    """Return the arrays right in a group, by name; None if the store cannot list them."""
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
    weight: str | None,
) -> xr.Dataset:
    """Return arrays whose dimensions have no names as variables: their axes are shared in order."""
    wanted = [*(variables or ()), *([weight] if weight else [])]
    if not variables or not set(wanted) <= set(arrays):
        raise SourceError(group_refused(address, group))
    try:
        found: xr.Dataset = _xarray(address).Dataset(
            {each: data_array(arrays[each]) for each in wanted}
        )
    except ValueError as error:
        shapes = ", ".join(f"{each} {arrays[each].shape}" for each in wanted)
        raise SourceError(
            f"These arrays of {address} do not name their dimensions, and their shapes differ: "
            f"{shapes}. Write them with names of dimensions, or choose arrays of one shape."
        ) from error
    return found


def _is_file(address: Address) -> bool:
    """Tell what is no Zarr store."""
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
    with address.explain(SourceError, f"{address} cannot be opened with xarray", advice):
        # The cache would hold what is read for good.
        dataset: xr.Dataset = xarray.open_dataset(place, cache=False)
    found: xr.Dataset = lazily_read(dataset, address)
    return found


def _chosen(
    address: Address,
    dataset: xr.Dataset,
    variables: Sequence[str] | None,
    weight: str | None,
    features: Sequence[str] | None,
) -> xr.Dataset:
    """Return the variables that are wanted, with their coordinates."""
    beside = [] if weight is None else [weight]
    chosen = list(variables or ()) or _named(dataset, features) or _only(address, dataset, beside)
    wanted = list(dict.fromkeys([*chosen, *beside]))
    absent = [each for each in wanted if each not in dataset.variables]
    if absent:
        raise SourceError(
            f"{address} has no variable {absent[0]!r}. It holds:{_listing(_data(dataset))}"
        )
    along = [each for each in wanted if each in dataset.xindexes]
    if along:
        raise SourceError(
            f"{along[0]!r} is the coordinate of a dimension of {address}, which is no variable "
            "of its own. Write it as one, or broadcast it in Python with xarray."
        )
    mappings = grid_mappings(dataset[wanted].data_vars) & set(dataset.data_vars)
    if variables:
        dataset = unmentioned(dataset, wanted)
    return dataset.reset_coords([each for each in wanted if each in dataset.coords])[
        [*wanted, *sorted(mappings)]
    ]


def _named(dataset: xr.Dataset, features: Sequence[str] | None) -> list[str]:
    """Return the variables that features such as ``temp(depth=10)`` are of."""
    return [
        str(name)
        for name in dataset.data_vars
        if any(each == name or each.startswith(f"{name}(") for each in features or ())
    ]


def _only(address: Address, dataset: xr.Dataset, beside: Sequence[str]) -> list[str]:
    """Return all variables if that can only mean one thing, as columns of a table do."""
    data = {each: array for each, array in _data(dataset).items() if each not in beside}
    grids = {frozenset(array.dims) for array in data.values()}
    all_numeric = all(array.dtype.kind in REAL_KINDS for array in data.values())
    alone = len(data) == 1 and next(iter(data.values())).ndim > 1
    if len(grids) == 1 and all_numeric and not alone:
        return list(data)
    if not data:
        raise SourceError(f"{address} holds no variables but coordinates; give one that has some.")
    every = {each: array.dims for each, array in data.items()}
    numeric = {each: dims for each, dims in every.items() if data[each].dtype.kind in REAL_KINDS}
    raise SourceError(
        f"{address} holds variables; say which are the features, and in feature_dims "
        f"(--features) along which dimensions, if any: open_data(path, variables=[...]), on the "
        f"command line {suggested(numeric or every)}. It holds:{_listing(data)}"
    )


def suggested(dims: Mapping[str, tuple[Any, ...]]) -> str:
    """Return options that fit some variables with these dimensions: those of the commonest grid."""
    grids = Counter(dims.values())
    grid = max(grids, key=lambda each: (grids[each], len(each)))
    names = [name for name, each in dims.items() if each == grid]
    options = f"--variables {','.join(names)}"
    if len(names) > 1 or len(grid) < 2:
        return options
    return f"{options} --features {grid[-1]} (its points are features), or {options} alone"


def _data(dataset: xr.Dataset) -> dict[str, xr.DataArray]:
    """Return the variables of a dataset but for those that describe its grid or others."""
    aside = auxiliary(dataset)
    return {
        str(name): array
        for name, array in dataset.data_vars.items()
        if array.ndim and name not in aside
    }


def _listing(data: Mapping[str, xr.DataArray]) -> str:
    lines = [
        f"\n  {name} ({', '.join(f'{dim}: {size}' for dim, size in each.sizes.items())}) "
        f"{each.dtype}"
        for name, each in data.items()
    ]
    more = len(lines) - LISTED_VARIABLES
    return "".join(lines[:LISTED_VARIABLES]) + (f"\n  and {more} more" if more > 0 else "")


def _xarray(address: Address) -> Any:
    try:
        import xarray
    except ImportError as error:
        raise SourceError(
            f"{address} holds labelled arrays, which are opened with xarray. Install it with: "
            "pip install 'daskgmm[xarray]'"
        ) from error
    return xarray
