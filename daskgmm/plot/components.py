"""Components over one or two features, on the density of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from daskgmm.arrays import Array
from daskgmm.drawing.densities import (
    draw_counts,
    draw_density,
    draw_histogram,
    draw_parts,
    name_parts,
)
from daskgmm.drawing.ellipses import draw_ellipses, name_means
from daskgmm.drawing.style import SMALL, few_ticks, labelled, legend, new_axes, note, written
from daskgmm.errors import SettingError
from daskgmm.models.pictures.binning import Counts
from daskgmm.plot.counting import check_rows, counts_of, outside, smooth
from daskgmm.plot.shown import Features, Shown, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COVERAGE = (0.5, 0.9)
"""Shares of a component that ellipses hold."""

POINTS, GRID = 401, 161
"""At which densities are drawn, over one feature and along each of two."""

MOST_NAMED, MOST_INSIDE = 12, 6
"""Classes or clusters that a legend names, and that it names inside the axes."""


def components(
    mixture: Any,
    X: Any = None,
    features: Features = None,
    *,
    coverage: Sequence[float] = COVERAGE,
    sample_weight: Any = None,
    bins: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the components over two features, or over one.

    Over two features a component is ellipses that hold stated shares of it, the heavier it is the
    thicker, with its number at its mean. Grey below them is the density of the rows, counted in
    bins in one streamed pass; without X it is the density of the mixture. Over one feature it is a
    histogram of the rows, a wide line for the mixture, and a thin one for the part of each
    component. Components of a class, or of a cluster that `merge_components` made, have one colour.

    Parameters
    ----------
    mixture : fitted mixture or GaussianMixtureClassifier
        Whose components are drawn.
    X : as in `fit`, optional
        Rows of any number, in any form. Rows that miss a value are an error, or left out, or
        counted with what they have, as the setting `missing` says. Rows with known noise are wider
        than the components, which are of rows without it.
    features : int, str or two of these, optional
        Numbers or names: the first is along the horizontal axis. By default the two that tell the
        components apart best.
    coverage : sequence of float, default=(0.5, 0.9)
        Shares of a component that are inside its ellipses, each above 0 and below 1. Those of
        components with tails are of their own distribution over these features.
    sample_weight : as in `fit`, optional
        The density is the weighted one then.
    bins : int, optional
        Bins of each feature. By default up to 96, fewer where there are few rows.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure of pyplot's.

    Returns
    -------
    matplotlib.axes.Axes
        In the units of the data, also of mixtures with `standardise` or `pca`.

    Raises
    ------
    SettingError
        If a feature does not exist, there are more than two, or a setting cannot be used; without
        X also if the mixture has no density over the features.
    DataError
        If a row of X cannot be used, or there is none.
    ImportError
        If Matplotlib is missing: pip install 'daskgmm[plot]'.

    Examples
    --------
    >>> from daskgmm import GaussianMixture, plot
    >>> mixture = GaussianMixture.from_parameters([0.4, 0.6], [[0.0, 0.0], [4.0, 1.0]], [1.0, 2.0])
    >>> ax = plot.components(mixture, features=[0, 1])
    >>> ax.get_xlabel()
    'feature 0'
    """
    found = shown(mixture, features, most=2)
    if len(found.columns) > 2:
        raise SettingError(
            f"features names {len(found.columns)} features; give one or two. plot.corner draws all "
            "pairs of several."
        )
    shares = checked_coverage(coverage)
    check_rows(X, sample_weight, bins)
    axes = new_axes(ax)
    counts = None if X is None else counts_of(found, X, sample_weight, bins)
    what = "rows" if sample_weight is None else "weight"
    if len(found.columns) == 1:
        _one(axes, found, counts, bins, what)
    else:
        _two(axes, found, counts, shares, bins, what)
    name_groups(axes, found)
    return axes


def checked_coverage(coverage: Sequence[float]) -> list[float]:
    """Return the shares in ascending order; raise `SettingError` if they are none."""
    try:
        shares = sorted(np.asarray(coverage, np.float64).reshape(-1).tolist())
    except (TypeError, ValueError):
        shares = []
    if not shares or not all(0 < share < 1 for share in shares):
        raise SettingError(f"coverage is {coverage!r}; give shares such as (0.5, 0.9).")
    return shares


def _one(axes: Axes, found: Shown, counts: Counts | None, bins: int | None, what: str) -> None:
    words = [found.left_out()]
    if counts is not None:
        draw_rows(axes, counts, 0, bins)
        words.append(outside(counts.single[0], counts.present[0], what))
    draw_over_one(axes, found, 0)
    unit = written(found.units[0])
    axes.set_xlabel(found.label(0))
    axes.set_ylabel(f"density (1/{unit})" if unit else "density")
    words.insert(0, "wide line: mixture" + ("" if counts is None else f", area: {what}"))
    note(axes, words)


def draw_rows(axes: Axes, counts: Counts, place: int, bins: int | None) -> None:
    """Draw the histogram of a feature, as a density of the rows that have a value."""
    coarse = smooth(counts, bins, 1 / 3)
    own = coarse.edges[place]
    total = max(float(coarse.present[place]), 1e-300)
    draw_histogram(axes, coarse.single[place] / total / np.diff(own), own)


def draw_over_one(axes: Axes, found: Shown, place: int, *, named: bool = True) -> None:
    """Draw the densities of components and of the mixture over a feature."""
    low, high = found.limits[:, place]
    points = np.linspace(low, high, POINTS)
    over = found.over.of([place])
    parts = over.densities(points[:, None])
    whole = parts.sum(axis=0) + over.noise_density(points[:, None])
    width = 1.0 if named else 0.8
    draw_parts(axes, points, parts, whole, found.look, width)
    if named:
        name_parts(axes, points, parts, found.look)
    axes.set_xlim(low, high)
    few_ticks(axes.xaxis, 6)
    few_ticks(axes.yaxis)


def _two(
    axes: Axes,
    found: Shown,
    counts: Counts | None,
    shares: Sequence[float],
    bins: int | None,
    what: str,
) -> None:
    limits = found.limits
    per_cent = " and ".join(f"{100 * share:g} %" for share in shares)
    words = [f"ellipses: {per_cent} of a component", found.left_out()]
    if counts is None:
        draw_density(axes, *density_on_grid(found, (0, 1), GRID))
    else:
        words.append(outside(counts.pairs[0], counts.both[0], what))
        coarse = smooth(counts, bins, 0.35)
        draw_counts(
            axes, coarse.pair(0, 1), coarse.edges[0], coarse.edges[1], label=f"{what} in a bin"
        )
    draw_pair(axes, found, (0, 1), shares)
    axes.set_xlim(*limits[:, 0])
    axes.set_ylim(*limits[:, 1])
    axes.set_xlabel(found.label(0))
    axes.set_ylabel(found.label(1))
    note(axes, words)


def density_on_grid(found: Shown, pair: tuple[int, int], m: int) -> tuple[Array, Array, Array]:
    """Return the density of the mixture (m, m) on a grid of two features, and its axes (m,)."""
    over, limits = found.over.of(pair), found.limits[:, pair]
    x, y = (np.linspace(limits[0, axis], limits[1, axis], m) for axis in (0, 1))
    points = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1).reshape(-1, 2)
    whole = over.densities(points).sum(axis=0) + over.noise_density(points)
    return whole.reshape(m, m), x, y


def draw_pair(
    axes: Axes,
    found: Shown,
    pair: tuple[int, int],
    shares: Sequence[float],
    size: float = SMALL,
    width: float = 1.0,
) -> None:
    """Draw the ellipses of the components over two features, with texts of a size, 0 for none."""
    over = found.over.of(pair)
    radii = np.array([over.radii(share) for share in shares])
    draw_ellipses(axes, over.means, over.covariances, radii, found.look, width)
    if size:  # above all lines
        name_means(axes, over.means, found.look, size)
    few_ticks(axes.xaxis, 7)
    few_ticks(axes.yaxis, 7)


def name_groups(axes: Axes, found: Shown, width: int = 30, **settings: Any) -> None:
    """Add a legend of a few classes or clusters, in lines of so many letters."""
    from matplotlib.lines import Line2D

    if not 0 < len(found.group_names) <= MOST_NAMED:
        return
    colour = dict(zip(found.groups.tolist(), found.look.colours, strict=True))
    lines = [
        Line2D([], [], color=colour[group], linewidth=2, label=labelled(name, None, width))
        for group, name in enumerate(found.group_names)
        if group in colour
    ]
    if len(lines) > MOST_INSIDE:  # beside the axes, and the bar of greys
        settings = {"loc": "upper left", "bbox_to_anchor": (1.18, 1.0)} | settings
    legend(axes, handles=lines, **settings)
