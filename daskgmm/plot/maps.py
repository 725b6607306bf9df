"""Maps of gridded predictions: labels, posteriors, ambiguity, and what labels mean."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.drawing.style import (
    LINE,
    SMALL,
    bar_beside,
    colours,
    is_dark,
    labelled,
    new_axes,
    note,
    visible,
)
from daskgmm.errors import SettingError
from daskgmm.models.predictions.output import CLASS, CLUSTER
from daskgmm.plot.grids import MOST, Grid, grid_of, placed
from daskgmm.plot.shown import mixture_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

OUTLIERS = "0.62"
"""Grey of outliers: cells that are missing are blank."""

MOST_LABELS = 40
"""Labels that a colour bar tells apart."""


def label_map(
    labels: Any, *, mixture: Any = None, most: int = MOST, ax: Axes | None = None
) -> Axes:
    """Draw a map of the labels that `predict` gives the points of a grid.

    Missing points are blank, outliers grey, and each component, cluster or class has its colour.

    Parameters
    ----------
    labels : xarray.DataArray or array, of shape (y, x)
        As `predict` returns it for labelled rows, or `predict_to_zarr` writes it; or an array of
        the shape of an image. Whole numbers, or names of classes.
    mixture : fitted mixture or GaussianMixtureClassifier, optional
        What an array without attributes is of: with it -1 is an outlier of a mixture with noise,
        else a missing point, and classes have their names.
    most : int, default=1000
        Points along each axis that are loaded and drawn at most; of others every second one,
        third one and so on.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure of pyplot's.

    Returns
    -------
    matplotlib.axes.Axes
        With the names and units of the coordinates, if there are any.

    Raises
    ------
    SettingError
        If it is no map of two dimensions, its values are no labels, or there are too many.
    ImportError
        If Matplotlib is missing: pip install 'daskgmm[plot]'.

    Examples
    --------
    >>> import numpy as np
    >>> from daskgmm import plot
    >>> ax = plot.label_map(np.array([[0, 1, 1], [0, -1, 2]]))
    """
    grid = grid_of(labels, "labels", most)
    meanings = meanings_of(grid, mixture)
    if len(meanings.values) > MOST_LABELS:
        raise SettingError(
            f"The map has {len(meanings.values)} labels, and colours tell {MOST_LABELS} apart at "
            "most. Draw some of them: labels.where(labels < 40, -1)."
        )
    axes = new_axes(ax, grid.size)
    _draw_labels(axes, grid, meanings)
    note(axes, [grid.thinned])
    return axes


def posterior_map(
    posterior: Any, component: Any, *, most: int = MOST, ax: Axes | None = None
) -> Axes:
    """Draw a map of the posterior probability of one component or class.

    Parameters
    ----------
    posterior : xarray.DataArray or array, of shape (y, x, k)
        As `predict_proba` returns it; the component is the dimension of that name, else the last.
    component : int, or label of the dimension
        The number of the component, or the name of the class.
    most : int, default=1000
        Points along each axis that are loaded and drawn at most.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure of pyplot's.

    Returns
    -------
    matplotlib.axes.Axes
        Missing points are blank.

    Raises
    ------
    SettingError
        If there is no such component, or it is no map of two dimensions.
    ImportError
        If Matplotlib is missing: pip install 'daskgmm[plot]'.

    Examples
    --------
    >>> import numpy as np
    >>> from daskgmm import plot
    >>> ax = plot.posterior_map(np.full((3, 4, 2), 0.5), 1)
    """
    grid = grid_of(posterior, "posterior", most, component=component)
    what = {CLASS: "class", CLUSTER: "cluster"}.get(str(grid.component_dim), "component")
    axes = new_axes(ax, grid.size)
    _draw_shares(axes, grid, grid.values, f"probability of {what} {component}", "viridis")
    return axes


def ambiguity_map(ambiguity: Any, *, most: int = MOST, ax: Axes | None = None) -> Axes:
    r"""Draw where the mixture is in doubt: 1 less the difference of the two largest posteriors.

    0 is a point whose component is certain, 1 one that is halfway between two.

    Parameters
    ----------
    ambiguity : xarray.DataArray or array, of shape (y, x) or (y, x, k)
        The output "ambiguity" of predictions, or posteriors as `predict_proba` returns them.
    most : int, default=1000
        Points along each axis that are loaded and drawn at most.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure of pyplot's.

    Returns
    -------
    matplotlib.axes.Axes
        Missing points are blank.

    Raises
    ------
    SettingError
        If it is no map of two dimensions.
    ImportError
        If Matplotlib is missing: pip install 'daskgmm[plot]'.

    Examples
    --------
    >>> import numpy as np
    >>> from daskgmm import plot
    >>> ax = plot.ambiguity_map(np.full((3, 4, 2), 0.5))
    """
    grid = grid_of(ambiguity, "ambiguity", most, components=True)
    values = grid.values
    if values.ndim == 3:
        ordered = np.sort(values, axis=-1)  # NaN is the last
        second = ordered[..., -2] if ordered.shape[-1] > 1 else np.zeros(ordered.shape[:-1])
        values = 1.0 - (ordered[..., -1] - second)
    axes = new_axes(ax, grid.size)
    _draw_shares(axes, grid, values, "ambiguity", _shades_of_doubt(axes))
    return axes


def _shades_of_doubt(axes: Axes) -> Colormap:
    """Return colours that grow away from the ground, which is that of missing points."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    magma = colormaps["magma"]
    return ListedColormap(magma(np.linspace(0.2, 1.0, 256))) if is_dark(axes) else magma.reversed()


def _draw_labels(axes: Axes, grid: Grid, meanings: Meanings) -> None:
    from matplotlib.colors import BoundaryNorm, ListedColormap

    places = np.full(grid.values.shape, -1)
    kept = [value for value in meanings.values if meanings.names[value] != MISSING]
    for place, value in enumerate(kept):
        places[grid.values == value] = place
    names = [meanings.names[value] for value in kept]
    palette = iter(colours(len(kept)))
    own = [OUTLIERS if name == OUTLIER else visible(axes, next(palette)) for name in names]
    drawn = np.ma.masked_less(places, 0)
    if not kept:
        own, names = ["white"], [""]
    norm = BoundaryNorm(np.arange(len(own) + 1) - 0.5, len(own))
    image = placed(axes, grid, drawn, cmap=ListedColormap(own), norm=norm)
    bar = bar_beside(axes, image, meanings.title)
    every = _every(axes, names)
    told = [labelled(name, None, 18) for name in names[::every]]
    bar.set_ticks(np.arange(len(names))[::every], labels=told)
    bar.ax.tick_params(length=0)


def _every(axes: Axes, names: list[str]) -> int:
    """Return of how many labels one is written beside the bar; names of classes all are."""
    if not all(name.isdigit() or name == OUTLIER for name in names):
        return 1
    axes.apply_aspect()
    room = 72 * axes.bbox.height / axes.figure.dpi / (LINE * SMALL)
    return max(1, math.ceil(len(names) / max(room, 1.0)))


def _draw_shares(
    axes: Axes, grid: Grid, values: NDArray[Any], label: str, cmap: str | Colormap
) -> None:
    image = placed(axes, grid, np.ma.masked_invalid(values), cmap=cmap, vmin=0.0, vmax=1.0)
    bar_beside(axes, image, label)
    note(axes, [grid.thinned])


MISSING, OUTLIER = "missing", "outlier"


@dataclass(frozen=True, slots=True)
class Meanings:
    """Values in their order, the name of each, and what they are of."""

    values: tuple[Any, ...]
    names: dict[Any, str]
    title: str


def meanings_of(grid: Grid, fitted: Any) -> Meanings:
    """Return what the values of a grid mean, by its attributes, or by what was fitted."""
    mixture, classes = (None, None) if fitted is None else mixture_of(fitted)
    values = _values(grid)
    flagged = _flags(grid.attributes)
    title = _title(grid.attributes, classes)
    noise = mixture is not None and hasattr(mixture, "noise_weight_")
    names = {}
    for value in values:
        if value in flagged:
            name = flagged[value]
        elif classes is not None:
            name = str(value) if str(value) in classes else MISSING
        elif isinstance(value, int) and value < 0:
            # Beside -2, which is missing, -1 is an outlier.
            name = OUTLIER if value == -1 and (noise or -2 in values) else MISSING
        else:
            name = str(value)
        names[value] = name.removeprefix("component_").removeprefix("cluster_")
    return Meanings(values, names, title)


def _values(grid: Grid) -> tuple[Any, ...]:
    """Return the values that there are; whole numbers as such, also where NaN made them floats."""
    seen = grid.values
    if seen.dtype.kind == "f":
        some = np.unique(seen[~np.isnan(seen)])
        if not (some == np.floor(some)).all():
            raise SettingError(
                f"labels has values such as {some[some != np.floor(some)][0]:.6g}, which are not "
                "labels. posterior_map draws probabilities."
            )
        return tuple(int(value) for value in some)
    if seen.dtype.kind in "iub":
        return tuple(int(value) for value in np.unique(seen))
    texts = {value for value in seen.ravel().tolist() if value is not None}
    return tuple(sorted(texts, key=str))


def _flags(attributes: dict[str, Any]) -> dict[Any, str]:
    """Return what flags say of values (CF conventions, 3.5)."""
    values = np.ravel(attributes.get("flag_values", ())).tolist()
    words = str(attributes.get("flag_meanings", "")).split()
    return dict(zip(values, words, strict=True)) if len(values) == len(words) else {}


def _title(attributes: dict[str, Any], classes: Any) -> str:
    words = str(attributes.get("long_name", "")).removeprefix("most probable ")
    return words or ("class" if classes is not None else "component")
