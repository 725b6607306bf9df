"""Ellipses of components over two features, with their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.drawing.style import SMALL, outlined, visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

THINNEST, THICKEST = 0.9, 2.4
"""Points of the line of a component without weight, and of the heaviest one."""


@dataclass(frozen=True, slots=True)
class Ellipse:
    """An ellipse by its centre, half-axes and the angle of the first of these, in degrees."""

    centre: tuple[float, float]
    half_axes: tuple[float, float]
    angle: float


def ellipse(mean: Array, covariance: Array, radius: float) -> Ellipse:
    """Return the points at a Mahalanobis distance from a mean (2,), of a covariance (2, 2)."""
    # In units of each feature, or rounding of the large one would be all of the small one.
    scales = np.sqrt(np.maximum(np.diagonal(covariance), np.finfo(float).tiny))
    unit = float(scales.max())
    values, vectors = np.linalg.eigh(covariance / unit**2)
    long, short = radius * unit * np.sqrt(np.maximum(values[::-1], 0.0))
    angle = float(np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1])))
    return Ellipse((float(mean[0]), float(mean[1])), (float(long), float(short)), angle)


@dataclass(frozen=True, slots=True)
class Look:
    """How components are drawn: one entry each.

    Attributes
    ----------
    colours, texts : sequence of str
        A text of nothing is left out.
    weights : ndarray of shape (k,)
    drawn : ndarray of bool, shape (k,)
    """

    colours: Sequence[str]
    texts: Sequence[str]
    weights: Array
    drawn: NDArray[np.bool_]

    @property
    def shown(self) -> list[int]:
        """Numbers of the components that are drawn."""
        return [int(k) for k in np.flatnonzero(self.drawn)]

    @property
    def widths(self) -> Array:
        """Widths of lines, in points: their part above the thinnest is the root of the weight."""
        root = np.sqrt(self.weights / max(float(self.weights.max()), 1e-300))
        return THINNEST + (THICKEST - THINNEST) * root


def draw_ellipses(
    axes: Axes,
    means: Array,
    covariances: Array,
    radii: Array,
    look: Look,
    width: float = 1.0,
) -> None:
    """Draw ellipses of components.

    Parameters
    ----------
    axes : Axes
    means, covariances : ndarrays of shape (k, 2) and (k, 2, 2)
    radii : ndarray of shape (m, k)
        Mahalanobis distances of m ellipses each, the smallest first.
    look : Look
    width : float
        Of the lines, over what they are in a large picture.
    """
    from matplotlib.patches import Ellipse as Patch

    for k in look.shown:
        colour = visible(axes, look.colours[k])
        for number, radius in enumerate(radii[:, k]):
            found = ellipse(means[k], covariances[k], float(radius))
            patch = Patch(
                found.centre,
                *(2 * half for half in found.half_axes),
                angle=found.angle,
                facecolor="none",
                edgecolor=colour,
                linewidth=width * look.widths[k] * (1.0 if number == 0 else 0.6),
                linestyle="-" if number == 0 else (0, (4, 2)),
            )
            axes.add_patch(patch)


def name_means(axes: Axes, means: Array, look: Look, size: float = SMALL) -> None:
    """Write the texts of components at their means (k, 2), in letters of so many points."""
    for k in look.shown:
        axes.text(
            float(means[k, 0]), float(means[k, 1]), look.texts[k],
            color=visible(axes, look.colours[k]), fontsize=size, fontweight="bold",
            ha="center", va="center", clip_on=True, path_effects=outlined(axes),
        )  # fmt: skip
