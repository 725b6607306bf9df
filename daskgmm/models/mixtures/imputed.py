"""Imputed labelled arrays, named as what they were made of."""

from __future__ import annotations

from typing import Any

from daskgmm.models.predictions.output import COLUMN
from daskgmm.rows.labelled.arrays import Labelled


def named_as(x: Any, grid: Labelled, imputed: Any) -> Any:
    """Return imputed rows on a grid with the dimension of features that labelled `x` has.

    Of a DataArray with one such dimension it is that, with its coordinates and in its place; else
    columns have the names of the features as their coordinate.
    """
    dims = grid.feature_dims
    if hasattr(x, "data_vars") or len(dims) != 1:
        return imputed.assign_coords({COLUMN: list(grid.names)})
    (dim,) = dims
    named = imputed.drop_vars(COLUMN).rename({COLUMN: dim})
    if dim in x.coords and x.sizes[dim] == len(grid.names):
        named = named.assign_coords({dim: x.coords[dim]})
    return named.transpose(*x.dims)
