"""A limited-memory quasi-Newton step from points that passes have evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.charts.chart import Chart, ChartAt
from daskgmm.gaussian.parameters import Parameters

CURVATURE = 1e-8
"""Least cosine between a step and the change of the gradient: below, what they tell of the
curvature is rounding."""


@dataclass(frozen=True, slots=True)
class Point:
    """Value and gradient at the parameters of one pass.

    Attributes
    ----------
    parameters : Parameters
        Without covariances: what nobody needs is not kept, nor written to checkpoints.
    image : Parameters
        What the M-step makes of them, or a step along the gradient, without factors.
    shares : ndarray of shape (3, k)
        What the sums of weights, means and scales were divided by in it (`Moments.counts`,
        `mean_counts` and `scale_counts`), over the weight of all rows. With the image they
        determine the gradient.
    objective : float
        Mean log-likelihood, with the noise that makes the M-step exact and a prior's density, in
        nats per row.
    """

    parameters: Parameters
    image: Parameters
    shares: Array
    objective: float

    @classmethod
    def of(
        cls, parameters: Parameters, image: Parameters, shares: Array, objective: float
    ) -> Point:
        """Return the point with what is needed of both."""
        nothing = np.empty(0)
        return cls(
            replace(parameters, covariances=nothing),
            replace(image, precisions_cholesky=nothing),
            shares,
            objective,
        )


@dataclass(frozen=True, slots=True)
class Direction:
    """A step uphill from `origin`, the current point, in the coordinates about it.

    It is made from so many `points`, and the curvature from `pairs` of them; near a saddle some
    pair had negative curvature. `em_step` leads to the EM image.
    """

    anchor: Chart
    origin: Array
    step: Array
    gradient: Array
    em_step: Array
    points: int
    pairs: int
    saddle: bool

    @property
    def gain(self) -> float:
        """The increase that the quadratic model predicts for the whole step, in nats per row."""
        return 0.5 * float(self.gradient @ self.step)

    @property
    def em_gain(self) -> float:
        """The same for the EM step: about what a pass of plain EM would gain."""
        return 0.5 * float(self.gradient @ self.em_step)


def uphill(points: Sequence[Point], image: Parameters, chart_at: ChartAt) -> Direction:
    """Return the quasi-Newton step from the last of consecutive points (Nocedal 1980), uphill.

    All points are mapped anew to the coordinates about the current one, where the first
    guess of the curvature, the identity, is that of the complete data: with no pairs the
    step is the gradient, which is nearly the EM step to `image`.
    """
    anchor = chart_at(points[-1].parameters)
    at, gradients = anchor.of_points(
        [each.parameters for each in points],
        [each.image for each in points],
        [each.shares for each in points],
    )
    origin, gradient = at[-1].copy(), gradients[-1].copy()
    # In place, from the last: of large mixtures each of these is as large as a covariance matrix.
    for i in range(len(points) - 1, 0, -1):
        at[i] -= at[i - 1]
        np.subtract(gradients[i - 1], gradients[i], out=gradients[i])
    pairs: list[tuple[Array, Array, float]] = []
    saddle = False
    for step, change in zip(at[1:], gradients[1:], strict=True):
        curved = float(step @ change)
        if curved > CURVATURE * float(np.linalg.norm(step) * np.linalg.norm(change)):
            pairs.append((step, change, curved))
        else:
            saddle = True
    direction = gradient.copy()
    shares = []
    for step, change, curved in reversed(pairs):
        shares.append(float(step @ direction) / curved)
        direction -= shares[-1] * change
    for (step, change, curved), share in zip(pairs, reversed(shares), strict=True):
        direction += (share - float(change @ direction) / curved) * step
    if not float(direction @ gradient) > 0:
        direction = gradient
    em_step = anchor.coordinates(image) - origin
    sizes = len(points), len(pairs)
    return Direction(anchor, origin, direction, gradient, em_step, *sizes, saddle)
