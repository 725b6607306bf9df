"""Choice of the variables of labelled data that are features."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from daskgmm.errors import SourceError
from daskgmm.readers import remedy
from daskgmm.rows.checks.layout import REAL_KINDS
from daskgmm.rows.checks.name_lists import names_text, typed
from daskgmm.rows.labelled.variables import auxiliary, grid_mappings, unmentioned
from daskgmm.spelling import did_you_mean
from daskgmm.storage.address import Address

if TYPE_CHECKING:
    import xarray as xr

LISTED_VARIABLES = 20
"""Largest number of variables that an error message lists."""


def chosen_of(
    address: Address,
    dataset: xr.Dataset,
    variables: Sequence[str] | None,
    beside: Sequence[str],
    features: Sequence[str] | None,
) -> xr.Dataset:
    """Return the features, and what goes beside them, with their coordinates."""
    chosen = list(variables or ()) or _named(dataset, features) or _only(address, dataset, beside)
    wanted = list(dict.fromkeys([*chosen, *beside]))
    absent = [name for name in wanted if name not in dataset.variables]
    if absent:
        raise SourceError(
            f"{address} has no variable {absent[0]!r}."
            f"{did_you_mean(absent[0], dataset.variables)} It holds:{_listing(data_of(dataset))}"
        )
    along = [name for name in wanted if name in dataset.xindexes]
    if along:
        raise SourceError(
            f"{along[0]!r} is the coordinate of a dimension of {address}, which is not a variable "
            f"of its own. Write it as one{remedy(', or broadcast it with xarray', '')}."
        )
    mappings = grid_mappings(dataset[wanted].data_vars) & set(dataset.data_vars)
    if variables:
        dataset = unmentioned(dataset, wanted)
    coordinates = [name for name in wanted if name in dataset.coords]
    return dataset.reset_coords(coordinates)[[*wanted, *sorted(mappings)]]


def _named(dataset: xr.Dataset, features: Sequence[str] | None) -> list[str]:
    """Return the variables with these features, such as ``temp`` with ``temp(depth=10)``."""
    return [
        str(name)
        for name in dataset.data_vars
        if any(f == name or f.startswith(f"{name}(") for f in features or ())
    ]


def _only(address: Address, dataset: xr.Dataset, beside: Sequence[str]) -> list[str]:
    """Return all variables if they are numbers on one grid, as columns of a table."""
    data = {name: array for name, array in data_of(dataset).items() if name not in beside}
    grids = {frozenset(array.dims) for array in data.values()}
    all_numeric = all(array.dtype.kind in REAL_KINDS for array in data.values())
    alone = len(data) == 1 and next(iter(data.values())).ndim > 1
    if len(grids) == 1 and all_numeric and not alone:
        return list(data)
    if not data:
        raise SourceError(f"{address} holds no variables but coordinates; give one that has some.")
    every = {name: array.dims for name, array in data.items()}
    numeric = {name: dims for name, dims in every.items() if data[name].dtype.kind in REAL_KINDS}
    how = remedy(
        ", and in feature_dims along which dimensions, if any: open_data(path, variables=[...])",
        f": {suggested(numeric or every)}",
    )
    raise SourceError(
        f"{address} holds variables; say which are the features{how}. It holds:{_listing(data)}"
    )


def suggested(dims: Mapping[str, tuple[Any, ...]]) -> str:
    """Return options of the command line for the variables on the commonest grid."""
    grids = Counter(dims.values())
    grid = max(grids, key=lambda some: (grids[some], len(some)))
    names = [name for name, own in dims.items() if own == grid]
    options = f"--variables {typed(names_text(names))}"
    if len(names) > 1 or len(grid) < 2:
        return options
    return (
        f"{options} --features {typed(str(grid[-1]))} (its points are features), or {options} alone"
    )


def data_of(dataset: xr.Dataset) -> dict[str, xr.DataArray]:
    """Return the variables of a dataset without those that describe its grid or others."""
    aside = auxiliary(dataset)
    return {
        str(name): array
        for name, array in dataset.data_vars.items()
        if array.ndim and name not in aside
    }


def _listing(data: Mapping[str, xr.DataArray]) -> str:
    lines = [
        f"\n  {name} ({', '.join(f'{dim}: {size}' for dim, size in array.sizes.items())}) "
        f"{array.dtype}"
        for name, array in data.items()
    ]
    more = len(lines) - LISTED_VARIABLES
    return "".join(lines[:LISTED_VARIABLES]) + (f"\n  and {more} more" if more > 0 else "")
