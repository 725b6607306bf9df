"""Profiles: what is typical of a component, feature by feature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.drawing.style import (
    FAINT,
    SMALL,
    colours,
    few_ticks,
    labelled,
    letters_across,
    new_figure,
    plain,
    visible,
)
from daskgmm.errors import SettingError
from daskgmm.models.density.columns import places
from daskgmm.models.inputs.rows import feature_names
from daskgmm.models.pictures.marginals import means_and_deviations, quantiles_of
from daskgmm.plot.feature_axis import MOST_NAMED, FeatureAxis, feature_axis, shortened
from daskgmm.plot.shown import Features, grouped, is_used, mixture_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

QUANTILES = (0.10, 0.25, 0.50, 0.75, 0.90)
"""Quantiles of each feature in each component; bands join the outer two and the inner two."""

UNLIKE = 10.0
"""Ratio of the widest to the narrowest feature from which on features are standardised."""

MOST_PANELS, MOST_FEATURES = 20, 2000
"""Components that are drawn, the heaviest ones; and features."""

UNBROKEN = "\N{NO-BREAK SPACE}"

ALONE = 0.25
"""Half of the width of the bands of a single feature."""

INCHES = 0.08
"""Length of a letter beside an axis."""


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
        Whose components are drawn.
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
    heaviest = heaviest[is_used(weights)[heaviest]]
    groups, named = grouped(own, classes)
    own_names = [f"{column}" if names is None else names[column] for column in columns]
    along = feature_axis(own_names, "" if names is not None else "feature")
    axes = _panels(figure, len(heaviest), along, vertical=vertical)
    palette = colours(1 + int(groups.max()))
    for panel, k in zip(axes, heaviest, strict=True):
        _band(
            panel,
            along.at,
            lines[0][k],
            lines[2],
            visible(panel, palette[groups[k]]),
            vertical=vertical,
        )
        name = f"component {k}" if not named else f"{shortened(named[groups[k]])} ({k})"
        share = _per_cent(weights[k]).replace(" ", UNBROKEN)
        title = labelled(f"{name}: {share}", None, letters_across(panel))
        panel.set_title(title.replace(UNBROKEN, " "), fontsize=SMALL, loc="left")
    _label(axes, along, units, scaled=scaled, vertical=vertical)
    return axes


def _per_cent(share: float) -> str:
    """Return a share in two digits, as 0.27 %, 4.1 % or 100 %."""
    return f"{100 * share:.0f} %" if share >= 0.0995 else f"{100 * share:.2g} %"


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


def _panels(figure: Any, count: int, along: FeatureAxis, *, vertical: bool) -> NDArray[Any]:
    """Return axes in rows, with the same limits."""
    across = min(count, 5 if vertical else 3 if len(along.at) > 12 else 4)
    down = -(-count // across)
    letters = INCHES * along.longest
    if vertical:
        size = (0.8 + letters + 1.7 * across, 0.5 + 3.2 * down)
    else:
        size = (0.8 + max(2.2, 8.0 / across) * across, 0.5 + letters + 1.8 * down)
    own = new_figure(size) if figure is None else figure
    grid = own.subplots(down, across, sharex=True, sharey=True, squeeze=False).ravel()
    for extra in grid[count:]:
        extra.remove()
    # The last panel of a column has its numbers and names, also where the last row is not full.
    for number, panel in enumerate(grid[:count]):
        plain(panel).tick_params(labelbottom=number + across >= count)
    return np.array(grid[:count], dtype=object)


def _band(
    axes: Axes, at: Array, quantiles: Array, mean: Array, colour: str, *, vertical: bool
) -> None:
    dots = "o-" if 1 < len(at) <= MOST_NAMED else "-"
    if len(at) == 1:  # a band of no width is not seen
        at = at[0] + np.array([-ALONE, ALONE])
        quantiles, mean = np.repeat(quantiles, 2, axis=1), np.repeat(mean, 2)
    low, first, middle, third, high = quantiles
    fill = axes.fill_betweenx if vertical else axes.fill_between
    fill(at, low, high, color=colour, alpha=0.18, linewidth=0)
    fill(at, first, third, color=colour, alpha=0.35, linewidth=0)
    grey: dict[str, Any] = {"color": FAINT, "linewidth": 0.8, "zorder": 1}
    line: dict[str, Any] = {"color": colour, "linewidth": 1.4, "markersize": 2.5}
    if vertical:
        axes.plot(mean, at, **grey)
        axes.plot(middle, at, dots, **line)
    else:
        axes.plot(at, mean, **grey)
        axes.plot(at, middle, dots, **line)


def _label(
    axes: NDArray[Any], along: FeatureAxis, units: list[str | None], *, scaled: bool, vertical: bool
) -> None:
    for panel in axes:
        axis, across = (panel.yaxis, panel.xaxis) if vertical else (panel.xaxis, panel.yaxis)
        few_ticks(across, 4)
        if not along.texts:
            few_ticks(axis, 6)
            continue
        axis.set_ticks(along.ticks, along.texts)
        if not vertical and (len(along.texts) > 6 or along.longest > 6):
            panel.tick_params(axis="x", labelrotation=90)
    if vertical and not axes[0].yaxis_inverted():
        axes[0].invert_yaxis()
    known = next((unit for unit in units if unit is not None), None)
    value = f"{along.variable} (standard deviations from the mean)"
    value = value if scaled else labelled(along.variable, known, 40)
    figure = axes[0].figure
    for text, write in zip(
        (along.title, value) if not vertical else (value, along.title),
        (figure.supxlabel, figure.supylabel),
        strict=True,
    ):
        if text:
            write(text, fontsize=10)
