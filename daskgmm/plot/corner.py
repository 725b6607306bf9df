"""All pairs of several features in one picture."""

from __future__ import annotations

import math
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.drawing.densities import draw_counts, draw_density
from daskgmm.drawing.style import LINE, SMALL, few_ticks, new_figure, plain
from daskgmm.errors import SettingError
from daskgmm.plot.components import (
    COVERAGE,
    density_on_grid,
    draw_over_one,
    draw_pair,
    draw_rows,
    name_groups,
)
from daskgmm.plot.counting import check_rows, counts_of, smooth
from daskgmm.plot.shown import Features, Shown, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

MOST_FEATURES, CHOSEN = 12, 8
"""Features that there is room for, and that are taken where none are named."""

PANEL = 1.25
"""Inches of a side of a panel."""

MOST_NUMBERED = 8
"""Components whose numbers and outer ellipses are drawn in the small panels."""

NAME = 12
"""Letters of a name of a class that fit above a panel."""

GRID = 61


def corner(
    mixture: Any,
    X: Any = None,
    features: Features = None,
    *,
    sample_weight: Any = None,
    bins: int | None = None,
    figure: Figure | SubFigure | None = None,
) -> NDArray[Any]:
    """Draw the components over all pairs of several features, and over each by itself.

    Below the diagonal are ellipses that hold 50 % and 90 % of a component (50 % alone of more than
    8 components) on the density of the rows, on it histograms with the density of the mixture and
    the parts of components. All counts are of one streamed pass over X; without X grey is the
    density of the mixture.

    Parameters
    ----------
    mixture : fitted mixture or GaussianMixtureClassifier
        Whose components are drawn.
    X : as in `fit`, optional
    features : sequence of int or str, optional
        Numbers or names, 2 to 12. By default all, or the 8 that tell the components apart best.
    sample_weight : as in `fit`, optional
    bins : int, optional
        Bins of each feature. By default up to 96, fewer where there are few rows.
    figure : matplotlib.figure.Figure or SubFigure, optional
        Where to draw; by default a new one of pyplot's.

    Returns
    -------
    ndarray of Axes, shape (c, c)
        None above the diagonal.

    Raises
    ------
    SettingError
        If a feature does not exist, there are too many or less than two, or a setting cannot be
        used; without X also if the mixture has no density over the features.
    DataError
        If a row of X cannot be used, or there is none.
    ImportError
        If Matplotlib is missing: pip install 'daskgmm[plot]'.

    Examples
    --------
    >>> from daskgmm import GaussianMixture, plot
    >>> mixture = GaussianMixture.from_parameters([0.4, 0.6], [[0.0, 0.0], [4.0, 1.0]], [1.0, 2.0])
    >>> plot.corner(mixture).shape
    (2, 2)
    """
    found = shown(mixture, features, most=CHOSEN)
    c = len(found.columns)
    if not 2 <= c <= MOST_FEATURES:
        raise SettingError(
            f"A corner plot is of 2 to {MOST_FEATURES} features, and these are {c}. Name some "
            "others in features (--features); plot.components draws a single one."
        )
    check_rows(X, sample_weight, bins)
    counts = None if X is None else counts_of(found, X, sample_weight, bins)
    coarse = None if counts is None else smooth(counts, bins, 0.3)
    own = new_figure((0.9 + PANEL * c, 0.7 + PANEL * c)) if figure is None else figure
    axes = _panels(own, c)
    for place in range(c):
        if counts is not None:
            draw_rows(axes[place, place], counts, place, bins)
        draw_over_one(axes[place, place], found, place, named=False)
    for x, y in combinations(range(c), 2):
        if coarse is None:
            draw_density(axes[y, x], *density_on_grid(found, (x, y), GRID))
        else:
            draw_counts(axes[y, x], coarse.pair(x, y), coarse.edges[x], coarse.edges[y])
        small = len(found.groups) <= MOST_NUMBERED
        shares = COVERAGE if small else COVERAGE[:1]
        draw_pair(axes[y, x], found, (x, y), shares, size=8.0 if small else 0.0, width=0.65)
    _finish(own, axes, found)
    return axes


def _panels(figure: Any, c: int) -> NDArray[Any]:
    axes = np.full((c, c), None, dtype=object)
    grid = figure.add_gridspec(c, c)
    for y in range(c):
        for x in range(y + 1):
            axes[y, x] = plain(figure.add_subplot(grid[y, x]))
    return axes


def _finish(figure: Any, axes: NDArray[Any], found: Shown) -> None:
    """Give panels of a column and of a row the same limits, and names at the edge alone."""
    limits, c = found.limits, len(axes)
    for y in range(c):
        for x in range(y + 1):
            _edge(axes[y, x], found, x, y, bottom=y == c - 1)
            axes[y, x].set_xlim(*limits[:, x])
            if x < y:
                axes[y, x].set_ylim(*limits[:, y])
    figure.align_labels()
    _name_groups(axes, found)


def _name_groups(axes: NDArray[Any], found: Shown) -> None:
    """Name classes or clusters above the diagonal, where there is room below the first row."""
    from matplotlib.transforms import blended_transform_factory

    c, where = len(axes), axes[0, 0]
    beside = min(c - 1, math.ceil(len(found.group_names) * LINE * SMALL / (72 * PANEL)) or 1)
    left = axes[beside - 1, beside - 1].transAxes
    name_groups(
        where, found, min(30, NAME * (c - beside)), loc="upper left", bbox_to_anchor=(1.1, 1.05),
        bbox_transform=blended_transform_factory(left, where.transAxes),
    )  # fmt: skip
    where.set_zorder(1)  # panels that are drawn later would hide it
    if where.get_legend() is not None:
        where.get_legend().set_in_layout(False)


def _edge(axes: Axes, found: Shown, x: int, y: int, *, bottom: bool) -> None:
    few_ticks(axes.xaxis, 3)
    few_ticks(axes.yaxis, 3)
    axes.tick_params(labelsize=8, labelbottom=bottom, labelleft=x == 0 and y > 0)
    axes.tick_params(axis="x", labelrotation=45)
    width = 16
    if bottom:
        axes.set_xlabel(found.label(x, width), fontsize=SMALL)
    if x == 0 and y > 0:
        axes.set_ylabel(found.label(y, width), fontsize=SMALL)
    if x == y:
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
