"""Grids of predictions: thinned before they are loaded, and drawn where their coordinates say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.drawing.style import SIZE, few_ticks, labelled
from daskgmm.errors import SettingError
from daskgmm.models.predictions.output import CLASS, CLUSTER, COMPONENT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COMPONENT_DIMS = (COMPONENT, CLASS, CLUSTER)
"""Dimensions that hold a probability each."""

ROOM = 1.8
"""Inches beside a map, of labels and the colour bar."""

MOST = 1000
"""Points along each axis that are drawn: more than a picture shows."""

NEAR_POLE = 80.0
"""Degrees of latitude up to which a map keeps its shape."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Values on a grid, loaded.

    Attributes
    ----------
    values : ndarray of shape (y, x) or (y, x, k)
    axes : pair of ndarray or None
        Coordinates along y and x, if they are numbers or times in one order.
    names : pair of str
    units : pair of str or None
    thinned : str
        What is not drawn, in words.
    attributes : dict
    component_dim : str or None
    """

    values: NDArray[Any]
    axes: tuple[NDArray[Any] | None, NDArray[Any] | None]
    names: tuple[str, str]
    units: tuple[str | None, str | None]
    thinned: str
    attributes: dict[str, Any] = field(default_factory=dict)
    component_dim: str | None = None

    @property
    def aspect(self) -> float | None:
        """How long a unit of y is beside one of x; None where they are not of one kind."""
        (y, x), (one, other) = self.axes, self.units
        if y is None and x is None:
            return 1.0
        if y is None or x is None or one is None or other is None:
            return None
        if one.startswith("degree") and other.startswith("degree"):
            middle = min(abs(float(np.mean(y))), NEAR_POLE)
            return float(1.0 / np.cos(np.radians(middle)))
        return 1.0 if one == other else None

    @property
    def size(self) -> tuple[float, float]:
        """Inches of a picture that has little empty space beside the map."""
        if self.aspect is None:
            return SIZE
        lengths = [
            float(np.ptp(axis)) if axis is not None and len(axis) > 1 else float(length)
            for axis, length in zip(self.axes, self.values.shape[:2], strict=True)
        ]
        height = (SIZE[0] - ROOM) * self.aspect * lengths[0] / max(lengths[1], 1e-300) + 0.7
        return SIZE[0], float(np.clip(height, 2.2, 8.0))


def grid_of(
    given: Any, name: str, most: int, *, component: Any = None, components: bool = False
) -> Grid:
    """Return the values of a map, of which no more are loaded than are drawn.

    One `component` is taken of those that there are, or all `components` are.
    """
    whole = isinstance(most, (int, np.integer)) and not isinstance(most, bool)
    if not whole or most < 2:
        raise SettingError(f"most is {most!r}; give a whole number of points, 2 or more.")
    labelled = hasattr(given, "dims") and hasattr(given, "isel")
    make = _labelled if labelled else _plain
    found = make(given, name, int(most), component, components=components)
    if not found.values.size:
        raise SettingError(f"{name} has no points: its shape is {found.values.shape}.")
    return found


def thin(x: Any, feature_dims: Sequence[Any], most: int = MOST) -> tuple[Any, str]:
    """Return labelled arrays with at most so many points along each axis of the grid.

    Nothing is loaded; the second value says in words what is left out.
    """
    dims = [dim for dim in x.sizes if dim not in set(feature_dims)]
    steps = steps_for(tuple(x.sizes[dim] for dim in dims), most)
    taken = {dim: slice(None, None, step) for dim, step in zip(dims, steps, strict=True)}
    return x.isel(taken), _said(steps)


def steps_for(shape: tuple[int, ...], most: int) -> tuple[int, ...]:
    """Return of how many points along each axis one is taken."""
    return tuple(max(1, -(-length // most)) for length in shape)


def _labelled(given: Any, name: str, most: int, component: Any, *, components: bool) -> Grid:
    own = next((dim for dim in COMPONENT_DIMS if dim in given.dims), None)
    dims = tuple(dim for dim in given.dims if dim != own)
    if len(dims) != 2:
        raise _no_map(name, tuple(map(str, dims)), tuple(given.sizes[dim] for dim in dims))
    dims = _upright(given, dims)
    if component is not None:
        given = given.isel({own: _place(given, own, component)})
    elif own is not None and not components:
        raise _of_components(name)
    steps = steps_for(tuple(given.sizes[dim] for dim in dims), most)
    some = given.isel({dim: slice(None, None, step) for dim, step in zip(dims, steps, strict=True)})
    order = (*dims, own) if own in some.dims else dims
    values = np.asarray(some.transpose(*order).values)
    coordinates = [some.coords.get(dim) for dim in dims]
    found = [None if each is None else _in_order(np.asarray(each.values)) for each in coordinates]
    units = [None if each is None else each.attrs.get("units") for each in coordinates]
    names = [
        str(dim) if each is None else str(each.attrs.get("long_name", dim))
        for dim, each in zip(dims, coordinates, strict=True)
    ]
    return Grid(
        values,
        (found[0], found[1]),
        (names[0], names[1]),
        (_text(units[0]), _text(units[1])),
        _said(steps),
        dict(given.attrs),
        None if own is None else str(own),
    )


def _plain(given: Any, name: str, most: int, component: Any, *, components: bool) -> Grid:
    if not hasattr(given, "shape") or not hasattr(given, "__getitem__"):
        given = np.asarray(given)
    shape = tuple(given.shape)
    extra = component is not None or (components and len(shape) == 3)
    if len(shape) != 2 + extra:
        raise _no_map(name, (), shape[: len(shape) - extra])
    if component is not None and not (
        isinstance(component, (int, np.integer)) and 0 <= component < shape[2]
    ):
        raise _no_component(component, [str(number) for number in range(shape[2])])
    steps = steps_for(shape[:2], most)
    taken: tuple[Any, ...] = tuple(slice(None, None, step) for step in steps)
    if component is not None:
        taken = (*taken, int(component))
    values = np.asarray(given[taken])
    return Grid(values, (None, None), ("row", "column"), (None, None), _said(steps))


def placed(axes: Axes, grid: Grid, values: NDArray[Any], **settings: Any) -> Any:
    """Draw values (y, x) where they are, in colours of `settings`; return the image.

    Without coordinates the first row is at the top, as in an image.
    """
    y, x = grid.axes
    rows, columns = values.shape
    at_y = np.arange(rows) if y is None else y
    at_x = np.arange(columns) if x is None else x
    image = axes.pcolormesh(at_x, at_y, values, shading="nearest", rasterized=True, **settings)
    axes.set_xlabel(labelled(grid.names[1], grid.units[1], 40))
    axes.set_ylabel(labelled(grid.names[0], grid.units[0], 40))
    if y is None:
        axes.invert_yaxis()
    if grid.aspect is not None:
        axes.set_aspect(grid.aspect)
    for axis, values_of in ((axes.xaxis, x), (axes.yaxis, y)):
        if values_of is None or values_of.dtype.kind != "M":
            few_ticks(axis, 7)
    return image


def _upright(given: Any, dims: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the dimensions with that of longitudes along the horizontal axis."""

    def is_x(dim: Any) -> bool:
        about = given.coords[dim].attrs if dim in given.coords else {}
        return about.get("axis") == "X" or str(dim).lower() in ("x", "lon", "longitude")

    return dims[::-1] if is_x(dims[0]) and not is_x(dims[1]) else dims


def _in_order(values: NDArray[Any]) -> NDArray[Any] | None:
    """Return coordinates that rise or fall all along; None of others, which are no axis."""
    if values.ndim != 1 or values.dtype.kind not in "iufM":
        return None
    steps = np.diff(values).astype(np.float64)
    return values if (steps > 0).all() or (steps < 0).all() else None


def _place(given: Any, own: Any, component: Any) -> int:
    """Return the place of a component, by its label or its number."""
    if own is None:
        raise SettingError(
            "posterior has no dimension of components. Give what predict_proba returns, or draw "
            "ambiguity_map."
        )
    labels = given.coords[own].values.tolist() if own in given.coords else range(given.sizes[own])
    found = [place for place, label in enumerate(labels) if label == component]
    if not found:
        raise _no_component(component, list(map(str, labels)))
    return found[0]


def _no_component(component: Any, labels: list[str]) -> SettingError:
    listed = ", ".join(labels[:10]) + (", ..." if len(labels) > 10 else "")
    return SettingError(f"There is no component {component!r}; there are {listed}.")


def _of_components(name: str) -> SettingError:
    return SettingError(
        f"{name} has a dimension of components. Give what predict returns; posterior_map draws "
        "the probability of one component."
    )


def _no_map(name: str, dims: tuple[str, ...], shape: tuple[int, ...]) -> SettingError:
    lengths = [f"{dim}: {n}" for dim, n in zip(dims, shape, strict=True)] if dims else shape
    has = ", ".join(map(str, lengths)) or "none"
    how = (
        f"Choose one of each other dimension, as {name}.isel({dims[0]}=0)."
        if len(dims) > 2
        else "Reshape the labels of rows to the image that they are of: labels.reshape(ny, nx)."
    )
    return SettingError(f"A map has two dimensions, and {name} has {len(shape)} ({has}). {how}")


def _said(steps: tuple[int, ...]) -> str:
    if max(steps, default=1) == 1:
        return ""
    sign = " \N{MULTIPLICATION SIGN} "
    return f"one point of {sign.join(map(str, steps))} drawn"


def _text(unit: Any) -> str | None:
    return None if unit is None else str(unit)
