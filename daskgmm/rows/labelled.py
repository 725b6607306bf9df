"""Labelled arrays: xarray's, whose values become rows block by block, where they are.

A grid of sample dimensions (time, y, x, ...) is never stacked into one long axis: a task
lays the variables of one block side by side, and its rows are the points of that block.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count, product
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from daskgmm.errors import DataError
from daskgmm.rows.arrays import ArrayRows
from daskgmm.rows.grid_rows import GridRows
from daskgmm.rows.layout import check_real
from daskgmm.rows.nodata import Decoding, declared
from daskgmm.rows.rows import Rows

if TYPE_CHECKING:
    import xarray as xr


def is_labelled(x: Any) -> bool:
    """Return whether x is a DataArray or a Dataset, without importing xarray."""
    xarray = sys.modules.get("xarray")
    return xarray is not None and isinstance(x, (xarray.DataArray, xarray.Dataset))


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable with its sample dimensions first, and the names of its columns.

    Attributes
    ----------
    array : xarray.DataArray
    decoding : Decoding
    names : tuple of str
        One for each point of its feature dimensions.
    """

    array: xr.DataArray
    decoding: Decoding
    names: tuple[str, ...]

    @property
    def unit(self) -> str | None:
        """What its values are measured in, if it says so."""
        unit = self.array.attrs.get("units")
        return None if unit is None else str(unit)


@dataclass(frozen=True, slots=True)
class Labelled:
    """Rows on a grid of named dimensions.

    Attributes
    ----------
    stacked : dask.array.Array or ndarray, of shape (*sizes of dims, d)
        The features along the last axis, in one chunk; lazy unless all is in memory.
    dims : tuple of str
        The sample dimensions.
    names : tuple of str
        Of the features.
    units : tuple of str or None
        Of the features; None where a variable has none.
    template : xarray.Dataset
        Its coordinates are those of the grid, its attributes those of the source.
    feature_dims : tuple of str
        The dimensions that became features.
    """

    stacked: Any
    dims: tuple[Hashable, ...]
    names: tuple[str, ...]
    units: tuple[str | None, ...]
    template: xr.Dataset
    feature_dims: tuple[Hashable, ...]

    @property
    def lazy(self) -> bool:
        """Whether values are read or computed block by block."""
        return isinstance(self.stacked, da.Array)

    def rows(self) -> Rows:
        """Return the points of the grid as rows, those of each block together."""
        if self.lazy:
            rows: Rows = GridRows(self.stacked, tuple(map(str, self.dims)))
        else:
            rows = ArrayRows(self.stacked.reshape(-1, len(self.names)))
        rows.columns = self.names
        return rows

    def weights(self, weight: xr.DataArray) -> Rows:
        """Return the weights of the same points in the same order; broadcast where needed.

        Raises
        ------
        DataError
            If they have other dimensions or other coordinates than the grid.
        """
        import xarray as xr

        foreign = [str(dim) for dim in weight.dims if dim not in self.dims]
        if foreign:
            raise DataError(
                f"sample_weight has the dimensions {', '.join(foreign)}, which are not among those "
                f"of the rows, {_listed(self.dims)}. Average or select along them first."
            )
        sizes = dict(zip(self.dims, self.stacked.shape, strict=False))
        wrong = [dim for dim in weight.dims if weight.sizes[dim] != sizes[dim]]
        try:
            xr.align(self.template, weight, join="exact")
        except ValueError:
            wrong = wrong or list(weight.dims)
        if wrong:
            raise DataError(
                f"sample_weight and X differ in their coordinates along {_listed(wrong)}, so "
                "weights cannot be matched to rows. Align them first, for example with "
                "weight.reindex_like(X)."
            )
        check_real(weight.dtype, "sample_weight")
        weight = weight.transpose(*(dim for dim in self.dims if dim in weight.dims))
        present = tuple(dim in weight.dims for dim in self.dims)
        index = tuple(slice(None) if there else None for there in present)
        shape = self.stacked.shape[:-1]
        if not self.lazy:
            spread = np.broadcast_to(np.asarray(weight.data)[index], shape)
            return ArrayRows(spread.reshape(-1))
        chunks = self.stacked.chunks[:-1]
        own = tuple(c for c, there in zip(chunks, present, strict=True) if there)
        data = weight.data
        data = data.rechunk(own) if isinstance(data, da.Array) else da.from_array(data, chunks=own)
        return GridRows(
            da.broadcast_to(data[index], shape, chunks=chunks), tuple(map(str, self.dims))
        )


def labelled(
    x: Any, feature_dims: Sequence[Hashable] | None, wanted: Sequence[str] | None = None
) -> Labelled:
    """Return a DataArray or Dataset as rows on a grid; nothing is read unless in memory.

    Parameters
    ----------
    x : xarray.DataArray or xarray.Dataset
    feature_dims : sequence of str or None
        Dimensions whose points are features; all others are sample dimensions. A Dataset
        may do without, as its variables are features.
    wanted : sequence of str, optional
        Names of the features to take, in this order; by default all.

    Raises
    ------
    DataError
        If variables are no real numbers, or lie on no common grid, or a feature is absent.
    """
    features = _feature_dims(x, feature_dims)
    dataset, arrays = _arrays(x)
    variables = [_variable(name, array, features) for name, array in arrays]
    if wanted is not None:
        variables = _wanted(variables, wanted)
    dims = _common_dims(variables, features)
    variables = [_sample_dims_first(each, dims, features) for each in variables]
    names = tuple(name for each in variables for name in each.names)
    units = {name: each.unit for each in variables for name in each.names}
    order = None
    if wanted is not None and tuple(wanted) != names:
        order, names = [names.index(name) for name in wanted], tuple(wanted)
    return Labelled(
        _stacked(variables, dims, order),
        dims,
        names,
        tuple(units[name] for name in names),
        _template(dataset, variables, dims),
        features,
    )


def _feature_dims(x: Any, given: Sequence[Hashable] | None) -> tuple[Hashable, ...]:
    if given is None:
        if not hasattr(x, "data_vars"):
            raise DataError(
                f"X is a DataArray with the dimensions {_listed(x.dims)}; say which of them hold "
                "features, as in fit(X, feature_dims=('band',)), or feature_dims=() if each value "
                "is a row by itself."
            )
        given = ()
    features = (given,) if isinstance(given, str) else tuple(given)
    unknown = [str(dim) for dim in features if dim not in x.dims]
    if unknown:
        raise DataError(
            f"feature_dims names {', '.join(unknown)}, which X does not have; its dimensions are "
            f"{_listed(x.dims)}."
        )
    return features


def _arrays(x: Any) -> tuple[xr.Dataset, list[tuple[str | None, xr.DataArray]]]:
    """Return a Dataset for coordinates and attributes, and the variables by name."""
    if not hasattr(x, "data_vars"):
        return x.to_dataset(name="daskgmm-values").assign_attrs(x.attrs), [(None, x)]
    mappings = {
        each.attrs.get("grid_mapping", each.encoding.get("grid_mapping"))
        for each in x.data_vars.values()
    }
    x = x.set_coords([name for name in mappings if name in x.data_vars])
    if not x.data_vars:
        raise DataError("X is a Dataset without variables; give at least one.")
    return x, [(str(name), array) for name, array in x.data_vars.items()]


def _variable(name: str | None, array: xr.DataArray, features: Sequence[Hashable]) -> Variable:
    check_real(array.dtype, "X" if name is None else f"The variable {name!r} of X")
    own = [dim for dim in features if dim in array.dims]
    points = [
        ", ".join(f"{dim}={label}" for dim, label in zip(own, labels, strict=True))
        for labels in product(*(_labels(array, dim) for dim in own))
    ]
    if name is not None:
        names = [f"{name}({point})" if point else name for point in points]
    else:
        names = [point or str(array.name or "x0") for point in points]
    if len(set(names)) < len(names):
        raise DataError(f"Several features are called {_first_double(names)!r}; make them unique.")
    return Variable(array, declared(array.attrs), tuple(names))


def _labels(array: xr.DataArray, dim: Hashable) -> list[Any]:
    """Return the labels of a dimension, or numbers where it has none."""
    if dim in array.coords and array.coords[dim].dims == (dim,):
        return list(array.coords[dim].values.tolist())
    return list(range(array.sizes[dim]))


def _wanted(variables: Sequence[Variable], wanted: Sequence[str]) -> list[Variable]:
    have = {name for each in variables for name in each.names}
    absent = [name for name in wanted if name not in have]
    if absent:
        raise DataError(
            f"X lacks the features {_listed(absent)}, which the mixture was fitted with; it has "
            f"{_listed(sorted(have))}."
        )
    return [each for each in variables if set(each.names) & set(wanted)]


def _common_dims(
    variables: Sequence[Variable], features: Sequence[Hashable]
) -> tuple[Hashable, ...]:
    found = dict.fromkeys(
        dim for each in variables for dim in each.array.dims if dim not in features
    )
    if not any(set(found) <= set(each.array.dims) for each in variables):
        shapes = "; ".join(
            f"{each.names[0].partition('(')[0]}: {_listed(each.array.dims)}" for each in variables
        )
        raise DataError(
            f"The variables of X lie on no common grid ({shapes}). Select those that do, as in "
            "X[['temp', 'salt']], or name the dimensions that hold features in feature_dims."
        )
    return tuple(found)


def _sample_dims_first(
    variable: Variable, dims: Sequence[Hashable], features: Sequence[Hashable]
) -> Variable:
    array = variable.array
    order = [dim for dim in (*dims, *features) if dim in array.dims]
    return Variable(lazily(array.transpose(*order)), variable.decoding, variable.names)


def lazily(array: xr.DataArray) -> xr.DataArray:
    """Return an array that is in memory or lazy: one that reads on access becomes lazy."""
    if array.chunks is not None or array.variable._in_memory:
        return array
    preferred = array.encoding.get("preferred_chunks") or "auto"
    return array.chunk(preferred)


def _stacked(
    variables: Sequence[Variable], dims: Sequence[Hashable], order: list[int] | None
) -> Any:
    """Return the variables side by side along a new last axis."""
    parts = [_Part(_axes(each.array, dims), each.decoding) for each in variables]
    lay = partial(_side_by_side, parts=parts, order=order)
    if all(each.array.chunks is None for each in variables):
        return lay(*(np.asarray(each.array.data) for each in variables))
    # Axes have numbers: those of the grid, that of the features, then each variable's own.
    feature, arguments = len(dims), list[Any]()
    own = count(feature + 1)
    for each in variables:
        axes = [dims.index(dim) if dim in dims else next(own) for dim in each.array.dims]
        arguments += [_as_dask(each.array), axes]
    d = sum(len(each.names) for each in variables) if order is None else len(order)
    dtype = np.result_type(*(each.decoding.dtype(each.array.dtype) for each in variables))
    return da.blockwise(
        lay,
        range(feature + 1),
        *arguments,
        new_axes={feature: d},
        concatenate=True,
        dtype=dtype,
        meta=np.empty((0,) * (len(dims) + 1), dtype),
        name=None,
        token="daskgmm-rows",
    )


def _as_dask(array: xr.DataArray) -> Any:
    return array.data if array.chunks is not None else da.from_array(array.data, chunks=-1)


@dataclass(frozen=True, slots=True)
class _Part:
    """How a variable's block is laid beside the others'.

    Attributes
    ----------
    axes : tuple of bool
        For each sample dimension, whether the variable has it.
    decoding : Decoding
    """

    axes: tuple[bool, ...]
    decoding: Decoding

    def spread(self, block: NDArray[Any]) -> NDArray[Any]:
        """Return the block with all sample axes, some of length 1, and one of features."""
        values = self.decoding(block)
        own = iter(block.shape)
        sizes = [next(own) if there else 1 for there in self.axes]
        return values.reshape(*sizes, math.prod(own))


def _axes(array: xr.DataArray, dims: Sequence[Hashable]) -> tuple[bool, ...]:
    return tuple(dim in array.dims for dim in dims)


def _side_by_side(
    *blocks: NDArray[Any], parts: Sequence[_Part], order: list[int] | None
) -> NDArray[Any]:
    spread = [part.spread(block) for part, block in zip(parts, blocks, strict=True)]
    if len(spread) == 1 and order is None:
        return spread[0]
    shape = np.broadcast_shapes(*(each.shape[:-1] for each in spread))
    full = [np.broadcast_to(each, (*shape, each.shape[-1])) for each in spread]
    joined = np.concatenate(full, axis=-1)
    return joined if order is None else np.ascontiguousarray(joined[..., order])


def _template(
    dataset: xr.Dataset, variables: Sequence[Variable], dims: Sequence[Hashable]
) -> xr.Dataset:
    """Return what the grid is: its coordinates, attributes and grid mapping."""
    template = dataset.drop_vars(list(dataset.data_vars))
    template = template.drop_vars(
        [name for name, each in template.coords.items() if not set(each.dims) <= set(dims)]
    )
    for each in variables:
        for place in (each.array.attrs, each.array.encoding):
            if "grid_mapping" in place:
                template.attrs.setdefault("grid_mapping", place["grid_mapping"])
    return template


def _first_double(names: Sequence[str]) -> str:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return ""


def _listed(names: Iterator[Any] | Sequence[Any]) -> str:
    return ", ".join(map(str, names)) or "none"
