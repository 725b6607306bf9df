"""Densities over one feature and over two, from counts in bins or from values on a grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from daskgmm.arrays import Array
from daskgmm.drawing.ellipses import Look
from daskgmm.drawing.style import SMALL, bar_beside, few_ticks, is_dark, outlined, visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DECADES = 30.0
"""Ratio of the largest to the median count from which on greys go by the logarithm."""

WHOLE = "0.45"
"""Grey of the line of a mixture, which is wider than those of components on it."""

MASSES = (0.995, 0.95, 0.85, 0.7, 0.5, 0.3, 0.15)
"""Parts of the distribution that are inside the contours of a density."""


def draw_counts(axes: Axes, counts: Array, x: Array, y: Array, label: str | None = None) -> None:
    """Draw counts (m, l) in bins with edges x (m + 1,) and y (l + 1,); empty ones stay white.

    With a label there is a bar of the greys beside the axes.
    """
    from matplotlib.colors import LogNorm, Normalize

    seen = np.ma.masked_less_equal(counts.T, 0.0)
    some = counts[counts > 0] if (counts > 0).any() else np.ones(1)
    largest, least = (float(each) for each in (some.max(), some.min()))
    typical = float(np.median(some))
    many = largest / typical > DECADES
    norm = LogNorm(least, max(largest, 2 * least)) if many else Normalize(0.0, largest)
    image = axes.pcolormesh(
        x, y, seen, cmap=greys(is_dark(axes)), norm=norm, rasterized=True, zorder=0
    )
    if label is not None:
        bar = bar_beside(axes, image, label)
        if not many:
            few_ticks(bar.ax.yaxis, integer=True)


def draw_density(axes: Axes, density: Array, x: Array, y: Array) -> None:
    """Draw a density (m, l) on a grid x (m,), y (l,) as filled contours of equal density.

    They are the smallest regions that hold `MASSES` of it: wide components are seen beside narrow
    ones.
    """
    ordered = np.sort(density, axis=None)[::-1]
    held = np.cumsum(ordered) / max(float(ordered.sum()), np.finfo(float).tiny)
    levels = np.unique(ordered[np.minimum(np.searchsorted(held, MASSES), ordered.size - 1)])
    if levels[0] >= ordered[0]:
        return
    greyer = greys(is_dark(axes))(np.linspace(0.0, 1.0, len(levels)))
    axes.contourf(x, y, density.T, [*levels, 2 * ordered[0]], colors=greyer, zorder=0)


def draw_histogram(axes: Axes, heights: Array, edges: Array) -> None:
    """Draw heights (m,) between edges (m + 1,) as a grey area."""
    area, border = ("0.24", "0.45") if is_dark(axes) else ("0.86", "0.6")
    axes.stairs(heights, edges, fill=True, color=area, zorder=0)
    axes.stairs(heights, edges, color=border, linewidth=0.6, zorder=0)


def draw_parts(
    axes: Axes, x: Array, parts: Array, whole: Array, look: Look, width: float = 1.0
) -> None:
    """Draw densities of components (k, b), and of the mixture (b,), at points x (b,)."""
    axes.plot(x, whole, color=WHOLE, linewidth=width * 2.4, label="mixture")
    for k in look.shown:
        colour = visible(axes, look.colours[k])
        axes.plot(x, parts[k], color=colour, linewidth=width * look.widths[k] * 0.7)
    top = max(float(np.max(whole)), np.finfo(float).tiny)
    axes.set_ylim(0.0, max(1.12 * top, 1.05 * axes.get_ylim()[1]))


def name_parts(axes: Axes, x: Array, parts: Array, look: Look) -> None:
    """Write the texts of components at the peaks of their densities (k, b) at points x (b,)."""
    for k in look.shown:
        peak, colour = int(np.argmax(parts[k])), visible(axes, look.colours[k])
        axes.text(
            x[peak], parts[k, peak], look.texts[k], color=colour, fontsize=SMALL, fontweight="bold",
            ha="center", va="center", clip_on=True, path_effects=outlined(axes),
        )  # fmt: skip


def greys(dark: bool = False) -> Any:
    """Return light to dark grey, never black: lines are drawn on it; on a dark ground to light."""
    from matplotlib import colormaps
    from matplotlib.colors import LinearSegmentedColormap

    some = colormaps["Greys"](np.linspace(0.9, 0.4, 256) if dark else np.linspace(0.1, 0.72, 256))
    return LinearSegmentedColormap.from_list("daskgmm_greys", list(some))


def margins(low: Sequence[float], high: Sequence[float]) -> Array:
    """Return limits (2, c) that have some length, whatever is given."""
    limits = np.array([low, high], np.float64)
    flat = ~(limits[1] > limits[0])
    room = np.maximum(np.abs(limits[0]), 1.0) * 1e-3
    limits[0, flat] -= room[flat]
    limits[1, flat] += room[flat]
    return limits
