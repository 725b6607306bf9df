"""Predictions as labelled arrays, with the coordinates of what they were made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from daskgmm.errors import DataError
from daskgmm.models.predictions.forms.in_memory import Names, apart, outputs_of, predict_rows
from daskgmm.models.predictions.forms.lazy import predict_lazily
from daskgmm.models.predictions.output import CLASS, COLUMN, COMPONENT, Output
from daskgmm.models.predictions.prediction import Predictor
from daskgmm.readers import remedy
from daskgmm.rows.labelled.arrays import Labelled

if TYPE_CHECKING:
    import xarray as xr


def predict_labelled(
    predictor: Predictor, names: Names, grid: Labelled
) -> tuple[xr.DataArray, ...]:
    """Return outputs on the grid that the rows are on; lazy if these are."""
    outputs = outputs_of(predictor, names, np.dtype(grid.stacked.dtype))
    check_names(grid, (name for each in outputs for name in (each.name, *each.dims)))
    if grid.lazy:
        dims = tuple(map(str, grid.dims))
        found = predict_lazily(predictor, names, grid.stacked, dims)
    else:
        values = predict_rows(predictor, names, grid.rows())
        found = values.reshape((*grid.stacked.shape[:-1], *values.shape[1:]))
    parts = zip(outputs, apart(found, names), strict=True)
    return tuple(labelled_result(output, grid, values) for output, values in parts)


def check_names(grid: Labelled, names: Iterable[str]) -> None:
    """Raise `DataError` if a dimension or coordinate of the grid has one of these names."""
    taken = {*map(str, grid.dims), *map(str, grid.template.coords)}
    both = [name for name in dict.fromkeys(names) if name in taken]
    if both:
        new = f"{both[0]}_of_x"
        how = remedy(f"X.rename({{{both[0]!r}: {new!r}}})", f"as {new}, in a copy of DATA")
        raise DataError(
            f"X has a dimension or coordinate {both[0]!r}, which is what predictions or one of "
            f"their dimensions are called. Rename it: {how}."
        )


def check_dims(grid: Labelled) -> None:
    """Raise `DataError` if the grid is a single point, which no array of chunks is for."""
    if not grid.dims:
        raise DataError(
            "X is a single point without dimensions. "
            + remedy(
                "Predict it in memory, as with predict(X), or give it a dimension: "
                "X.expand_dims('row').",
                "Give it a dimension, in a copy of DATA.",
            )
        )


def labelled_result(output: Output, grid: Labelled, data: Any) -> xr.DataArray:
    """Return an array over a grid with coordinates and attributes."""
    import xarray as xr

    coordinates: dict[Any, Any] = dict(grid.template.coords)
    coordinates |= {dim: np.asarray(values) for dim, values in output.coordinates.items()}
    about = {**kept_attributes(grid), **output.attributes}
    if not {COMPONENT, CLASS}.isdisjoint(output.dims):
        about |= {"valid_min": 0.0, "valid_max": 1.0}
    return xr.DataArray(data, coordinates, (*grid.dims, *output.dims), output.name, attrs=about)


def kept_attributes(grid: Labelled) -> dict[str, Any]:
    """Return the attributes of the source that are true of predictions as well."""
    return {name: value for name, value in grid.template.attrs.items() if name not in OF_VALUES}


OF_VALUES = frozenset((
    "units", "long_name", "standard_name", "short_name", "valid_min", "valid_max",
    "valid_range", "actual_range", "_FillValue", "missing_value", "nodata", "nodatavals",
    "scale_factor", "add_offset", "_Unsigned", "dtype", "flag_values", "flag_masks",
    "flag_meanings", "cell_methods", "ancillary_variables", "coordinates", "scales", "offsets",
))  # fmt: skip
"""Attributes that describe the values of the source, not where they are."""


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
