"""Profiles: what is typical of a component, feature by feature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.drawing.style import FAINT, SMALL, colours, few_ticks, new_figure, plain
from daskgmm.errors import SettingError
from daskgmm.models.density.columns import places
from daskgmm.models.inputs import feature_names
from daskgmm.models.marginals import means_and_deviations, quantiles_of
from daskgmm.plot.shown import UNUSED, Features, grouped, labelled, mixture_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

QUANTILES = (0.10, 0.25, 0.50, 0.75, 0.90)
"""Of each feature in each component: bands are between the outer ones and the inner ones."""

UNLIKE = 10.0
"""Ratio of the widest to the narrowest feature from which on features are standardised."""

MOST_PANELS, MOST_FEATURES, MOST_NAMED = 20, 2000, 24
"""Components that are drawn, the heaviest ones; features; and features that are all named."""


def profiles(
    mixture: Any,
    features: Features = None,
    *,
    standardise: bool | None = None,
    vertical: bool = False,
    figure: Figure | SubFigure | None = None,
) -> NDArray[Any]:
    """Draw mean and quantiles of the features in each component, a panel a component.

    The line is the median, which is the mean, the bands are from the 25 % to the 75 % quantile and
    from the 10 % to the 90 % one of the component's own distribution of each feature. The grey
    line is the mean of the whole mixture.

    Parameters
    ----------
    mixture : fitted mixture or GaussianMixtureClassifier
    features : sequence of int or str, optional
        Numbers or names, in the order in which they are drawn. By default all.
    standardise : bool, optional
        Whether features are drawn in standard deviations of the mixture from its mean. By default
        if their units differ, or, where no units are known, their spreads do by more than 10.
    vertical : bool, default=False
        Whether the first feature is at the top and the last one at the bottom, as depths are,
        instead of side by side.
    figure : matplotlib.figure.Figure or SubFigure, optional
        Where to draw; by default a new one of pyplot's.

    Returns
    -------
    ndarray of Axes, shape (k,)
        One a component, the heaviest first, 20 at most; components with hardly a row are left out.

    Raises
    ------
    SettingError
        If a feature does not exist, or there are more than 2,000.
    ImportError
        If Matplotlib is missing: pip install 'daskgmm[plot]'.

    Examples
    --------
    >>> from daskgmm import GaussianMixture, plot
    >>> mixture = GaussianMixture.from_parameters([0.4, 0.6], [[0.0, 0.0], [4.0, 1.0]], [1.0, 2.0])
    >>> len(plot.profiles(mixture))
    2
    """
    own, classes = mixture_of(mixture)
    names, d = feature_names(own), own._n_columns()
    columns = list(range(d)) if features is None else places(features, names, d)
    if len(columns) > MOST_FEATURES:
        raise SettingError(
            f"These are {len(columns):,} features, and {MOST_FEATURES:,} can be told apart at "
            "most. Name some of them in features (--features)."
        )
    units = getattr(own, "feature_units_", None) or (None,) * d
    units = [units[column] for column in columns]
    lines = _lines(own, columns)
    scaled = _unlike(units, lines[1]) if standardise is None else standardise
    if scaled:
        lines = _standardised(lines)
    weights = own.weights_
    heaviest = np.argsort(-weights, kind="stable")[:MOST_PANELS]
    heaviest = heaviest[weights[heaviest] >= UNUSED / len(weights)]
    groups, named = grouped(own, classes)
    axes = _panels(figure, len(heaviest), len(columns), vertical=vertical)
    palette = colours(1 + int(groups.max()))
    for panel, k in zip(axes, heaviest, strict=True):
        _band(panel, lines[0][k], lines[2], palette[groups[k]], vertical=vertical)
        title = f"{k}" if not named else f"{k}: {named[groups[k]]}"
        colour, share = palette[groups[k]], f"{100 * weights[k]:.2g} %"
        panel.set_title(f"{title}   {share}", fontsize=SMALL, loc="left", color=colour)
    own_names = [f"{column}" if names is None else names[column] for column in columns]
    _label(axes, own_names, units, scaled=scaled, vertical=vertical)
    return axes


def _lines(mixture: Any, columns: list[int]) -> tuple[Array, Array, Array]:
    """Return quantiles (k, 5, c), deviations (c,) and means (c,) of the whole mixture."""
    means, deviations = (each[:, columns] for each in means_and_deviations(mixture))
    parameters = mixture._parameters()
    at = np.stack([quantiles_of(parameters, each) for each in QUANTILES], axis=1)
    quantiles = means[:, None, :] + at[:, :, None] * deviations[:, None, :]
    shares = mixture.weights_ / mixture.weights_.sum()
    mean = shares @ means
    variance = shares @ (np.square(deviations) + np.square(means - mean))
    return quantiles, np.sqrt(variance), mean


def _standardised(lines: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
    quantiles, deviation, mean = lines
    unit = np.where(deviation > 0, deviation, 1.0)
    return (quantiles - mean) / unit, np.ones_like(unit), np.zeros_like(mean)


def _unlike(units: list[str | None], deviations: Array) -> bool:
    """Return whether features cannot share an axis."""
    if any(unit is not None for unit in units):
        return len(set(units)) > 1
    spread = deviations[deviations > 0]
    return bool(spread.size and spread.max() > UNLIKE * spread.min())


def _panels(figure: Any, count: int, c: int, *, vertical: bool) -> NDArray[Any]:
    """Return axes in rows, with the same limits."""
    most = 5 if vertical else 3 if c > 12 else 4
    across = min(count, most)
    down = -(-count // across)
    width, height = (1.7, 3.2) if vertical else (max(2.2, 9.0 / across), 2.0)
    room = 0.0 if vertical else 0.7
    own = new_figure((0.8 + width * across, room + height * down)) if figure is None else figure
    grid = own.subplots(down, across, sharex=True, sharey=True, squeeze=False).ravel()
    for extra in grid[count:]:
        extra.remove()
    for panel in grid[:count]:
        plain(panel)
    # The last panel of a column has its numbers and names, also where the last row is not full.
    for number, panel in enumerate(grid[:count]):
        panel.tick_params(labelbottom=number + across >= count)
    return np.array(grid[:count], dtype=object)


def _band(axes: Axes, quantiles: Array, mean: Array, colour: str, *, vertical: bool) -> None:
    low, first, middle, third, high = quantiles
    at = np.arange(len(middle))
    fill = axes.fill_betweenx if vertical else axes.fill_between
    fill(at, low, high, color=colour, alpha=0.18, linewidth=0)
    fill(at, first, third, color=colour, alpha=0.35, linewidth=0)
    dots = "o-" if len(at) <= MOST_NAMED else "-"
    grey: dict[str, Any] = {"color": FAINT, "linewidth": 0.8, "zorder": 1}
    line: dict[str, Any] = {"color": colour, "linewidth": 1.4, "markersize": 2.5}
    if vertical:
        axes.plot(mean, at, **grey)
        axes.plot(middle, at, dots, **line)
    else:
        axes.plot(at, mean, **grey)
        axes.plot(at, middle, dots, **line)


def _label(
    axes: NDArray[Any],
    names: list[str],
    units: list[str | None],
    *,
    scaled: bool,
    vertical: bool,
) -> None:
    known = [unit for unit in units if unit is not None]
    unit = "standard deviations" if scaled else known[0] if known else None
    value = labelled("value", unit, 40) if not scaled else "standard deviations from the mean"
    step = -(-len(names) // MOST_NAMED)
    at = np.arange(0, len(names), step)
    shown = [_short(names[place]) for place in at]
    for panel in axes:
        axis = panel.yaxis if vertical else panel.xaxis
        axis.set_ticks(at, shown)
        few_ticks(panel.xaxis if vertical else panel.yaxis, 4)
        if not vertical:
            turned = 90 if len(shown) > 6 or max(map(len, shown)) > 6 else 0
            panel.tick_params(axis="x", labelrotation=turned)
    if vertical and not axes[0].yaxis_inverted():
        axes[0].invert_yaxis()
    figure = axes[0].figure
    along, across = (figure.supylabel, figure.supxlabel)
    (across if vertical else along)(value, fontsize=10)


def _short(name: str, most: int = 22) -> str:
    """Return a name that fits under an axis: its middle left out if it is long."""
    if len(name) <= most:
        return name
    half = (most - 1) // 2
    return f"{name[:half]}\N{HORIZONTAL ELLIPSIS}{name[-half:]}"
