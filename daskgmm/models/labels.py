"""Predictions as labelled arrays, with the coordinates of what they were made of.

Attributes follow the CF conventions, section 3.5 for flags:
https://cfconventions.org/cf-conventions/cf-conventions.html#flags
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from daskgmm.errors import DataError
from daskgmm.models.lazy import predict_lazily
from daskgmm.models.prediction import Kind, Predictor, predict_rows
from daskgmm.rows.labelled import Labelled

if TYPE_CHECKING:
    import xarray as xr

COMPONENT = "component"
"""The dimension of posteriors, and its coordinate."""

NAMES: dict[Kind, str] = {
    "labels": "label",
    "responsibilities": "posterior",
    "log_densities": "log_density",
}


def attributes(kind: Kind, k: int, *, missing: bool) -> dict[str, Any]:
    """Return what CF says of a variable of that kind.

    Parameters
    ----------
    k : int
        Components.
    missing : bool
        Whether -1 may stand for rows without a label.
    """
    if kind == "responsibilities":
        return {
            "long_name": "posterior probability of the component",
            "units": "1",
            "valid_min": 0.0,
            "valid_max": 1.0,
        }
    if kind == "log_densities":
        return {"long_name": "logarithm of the probability density"}
    first = -1 if missing else 0
    meanings = ["missing"] * missing + [f"component_{number}" for number in range(k)]
    return {
        "long_name": "most probable component",
        "flag_values": list(range(first, k)),
        "flag_meanings": " ".join(meanings),
    }


def predict_labelled(predictor: Predictor, kind: Kind, grid: Labelled) -> xr.DataArray:
    """Return predictions on the grid that the rows are on; lazy if these are.

    Raises
    ------
    DataError
        If the grid has a dimension or coordinate that is called as what is predicted.
    """
    check_names(grid, (NAMES[kind], COMPONENT) if kind == "responsibilities" else (NAMES[kind],))
    if grid.lazy:
        dims = tuple(map(str, grid.dims))
        return labelled_result(
            predictor, kind, grid, predict_lazily(predictor, kind, grid.stacked, dims)
        )
    found = predict_rows(predictor, kind, grid.rows())
    shape = grid.stacked.shape[:-1]
    return labelled_result(predictor, kind, grid, found.reshape((*shape, *found.shape[1:])))


def check_names(grid: Labelled, names: Iterable[str]) -> None:
    """Raise `DataError` if a dimension or coordinate of the grid has one of these names."""
    taken = {*map(str, grid.dims), *map(str, grid.template.coords)}
    both = [name for name in dict.fromkeys(names) if name in taken]
    if both:
        new = {both[0]: f"{both[0]}_of_x"}
        raise DataError(
            f"X has a dimension or coordinate {both[0]!r}, which is what predictions or one of "
            f"their dimensions are called. Rename it: X.rename({new})."
        )


def check_dims(grid: Labelled) -> None:
    """Raise `DataError` if the grid is a single point, which no array of chunks is for."""
    if not grid.dims:
        raise DataError(
            "X is a single point without dimensions. Predict it in memory, as with predict(X), or "
            "give it a dimension: X.expand_dims('row')."
        )


def labelled_result(predictor: Predictor, kind: Kind, grid: Labelled, data: Any) -> xr.DataArray:
    """Return an array over a grid with coordinates and attributes."""
    import xarray as xr

    k, dims = predictor.parameters.n_components, grid.dims
    coordinates: dict[Any, Any] = dict(grid.template.coords)
    if kind == "responsibilities":
        dims = (*dims, COMPONENT)
        coordinates[COMPONENT] = np.arange(k)
    about = attributes(kind, k, missing=predictor.view.drop_missing)
    return xr.DataArray(
        data, coordinates, dims, NAMES[kind], attrs={**kept_attributes(grid), **about}
    )


def kept_attributes(grid: Labelled) -> dict[str, Any]:
    """Return the attributes of the source that are true of predictions as well."""
    return {name: value for name, value in grid.template.attrs.items() if name not in OF_VALUES}


OF_VALUES = frozenset(
    {
        "units",
        "long_name",
        "standard_name",
        "short_name",
        "valid_min",
        "valid_max",
        "valid_range",
        "actual_range",
        "_FillValue",
        "missing_value",
        "nodata",
        "nodatavals",
        "scale_factor",
        "add_offset",
        "_Unsigned",
        "dtype",
        "flag_values",
        "flag_masks",
        "flag_meanings",
        "cell_methods",
        "ancillary_variables",
        "coordinates",
        "scales",
        "offsets",
    }
)
"""Attributes that describe the values of the source, not where they are."""
