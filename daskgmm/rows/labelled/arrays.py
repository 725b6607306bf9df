"""Labelled arrays of xarray as rows.

A grid of sample dimensions (time, y, x, ...) is never stacked into one long axis: a task
concatenates the variables of one block, and its rows are the points of that block.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np

from daskgmm.companions import WEIGHTS, entries_of, entry_of
from daskgmm.errors import DataError
from daskgmm.rows.arrays import ArrayRows
from daskgmm.rows.checks.layout import check_real
from daskgmm.rows.labelled.grid_rows import GridPlaces, GridRows
from daskgmm.rows.labelled.stacking import stack_features
from daskgmm.rows.labelled.variables import (
    Variable,
    as_variable,
    chosen_dims,
    common_dims,
    decoded_weight,
    listed,
    sample_dims_first,
    those_wanted,
    variables_of,
)
from daskgmm.rows.long_integers import long_columns
from daskgmm.rows.rows import Rows

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, slots=True)
class Labelled:
    """Rows on a grid of named dimensions.

    Attributes
    ----------
    stacked : dask.array.Array or ndarray, of shape (*sizes of dims, d)
        The features along the last axis, in one chunk, and what else a row has behind them; lazy
        unless all values are in memory.
    dims : tuple of str
        The sample dimensions.
    names : tuple of str
        Names of the features.
    units : tuple of str or None
        Units of the features; None where a variable has none.
    template : xarray.Dataset
        A dataset with the coordinates of the grid and the attributes of the source.
    feature_dims : tuple of str
        The dimensions that became features.
    taken_as_missing : str or None
        `Rows.taken_as_missing`.
    long_integers : tuple of bool, or None
        `Rows.long_integers`.
    """

    stacked: Any
    dims: tuple[Hashable, ...]
    names: tuple[str, ...]
    units: tuple[str | None, ...]
    template: xr.Dataset
    feature_dims: tuple[Hashable, ...]
    taken_as_missing: str | None = None
    long_integers: tuple[bool, ...] | None = None

    @property
    def lazy(self) -> bool:
        """Whether values are read or computed block by block."""
        return isinstance(self.stacked, da.Array)

    def rows(self) -> Rows:
        """Return the points of the grid as rows, those of each block together."""
        if self.lazy and not self.dims:
            rows: Rows = GridRows(self.stacked[None], ("row",))
            rows.places = GridPlaces.of((), ())
        elif self.lazy:
            rows = GridRows(self.stacked, tuple(map(str, self.dims)))
        else:
            *shape, width = self.stacked.shape
            rows = ArrayRows(self.stacked.reshape(math.prod(shape), width))
            rows.places = GridPlaces.of(tuple(map(str, self.dims)), [(n,) for n in shape])
        rows.columns, rows.taken_as_missing = self.names, self.taken_as_missing
        rows.long_integers = self.long_integers
        return rows

    def weights(self, weight: xr.DataArray, name: str = WEIGHTS) -> Rows:
        """Return the weights of the same points in the same order; broadcast along absent axes."""
        import xarray as xr

        foreign = [str(dim) for dim in weight.dims if dim not in self.dims]
        if foreign:
            raise DataError(
                f"{name} has the dimensions {', '.join(foreign)}, which are not among those "
                f"of the rows, {listed(self.dims)}. Average or select along them first."
            )
        sizes = dict(zip(self.dims, self.stacked.shape, strict=False))
        wrong = [dim for dim in weight.dims if weight.sizes[dim] != sizes[dim]]
        try:
            xr.align(self.template, weight, join="exact")
        except ValueError:
            wrong = wrong or list(weight.dims)
        if wrong:
            raise DataError(
                f"{name} and X differ in their coordinates along {listed(wrong)}, so "
                f"{entries_of(name)} cannot be matched to rows. Align them first, for example with "
                f"{entry_of(name)}.reindex_like(X)."
            )
        check_real(weight.dtype, name)
        weight = decoded_weight(weight, name)
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
    """Return a DataArray or Dataset as rows on a grid; values that are lazy stay unread.

    The points of `feature_dims` are features, as are the variables of a Dataset; `wanted` are
    names of the features to take, in this order.
    """
    features = chosen_dims(x, feature_dims)
    dataset, arrays = variables_of(x, wanted or ())
    variables = [as_variable(name, array, features) for name, array in arrays]
    if wanted is not None:
        variables = those_wanted(variables, wanted)
    dims = common_dims(variables, features)
    variables = [sample_dims_first(variable, dims, features) for variable in variables]
    names = tuple(name for variable in variables for name in variable.names)
    units = {name: variable.unit for variable in variables for name in variable.names}
    types = {name: variable.array.dtype for variable in variables for name in variable.names}
    order = None
    if wanted is not None and tuple(wanted) != names:
        order, names = [names.index(name) for name in wanted], tuple(wanted)
    return Labelled(
        stack_features(variables, dims, order),
        dims,
        names,
        tuple(units[name] for name in names),
        _template(dataset, variables, dims),
        features,
        "; ".join(filter(None, (variable.taken_as_missing for variable in variables))) or None,
        long_columns(names, types),
    )


def _template(
    dataset: xr.Dataset, variables: Sequence[Variable], dims: Sequence[Hashable]
) -> xr.Dataset:
    """Return a dataset of the coordinates, attributes and grid mapping of the grid."""
    template = dataset.drop_vars(list(dataset.data_vars))
    template = template.drop_vars(
        [name for name, array in template.coords.items() if not set(array.dims) <= set(dims)]
    )
    for variable in variables:
        for place in (variable.array.attrs, variable.array.encoding):
            if "grid_mapping" in place:
                template.attrs.setdefault("grid_mapping", place["grid_mapping"])
    return template
