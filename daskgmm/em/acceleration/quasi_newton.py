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


Pair = tuple[Array, Array, float]
"""A step from a point to the next one, by how much the gradient falls, and their product."""


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


def along_gradient(point: Point, image: Parameters, chart_at: ChartAt) -> Direction:
    """Return the step along the gradient at a point: nearly the EM step, to `image`."""
    anchor = chart_at(point.parameters)
    at, gradients = anchor.of_points([point.parameters], [point.image], [point.shares])
    origin, gradient = at[0], gradients[0]
    em_step = anchor.coordinates(image) - origin
    return Direction(anchor, origin, gradient, gradient, em_step, points=1, pairs=0, saddle=False)


def uphill(current: Direction, points: Sequence[Point]) -> Direction:
    """Return the quasi-Newton step from the last of consecutive points (Nocedal 1980), uphill.

    All points are mapped anew to the coordinates about the last one, where the first guess of the
    curvature, the identity, is that of the complete data.

    Parameters
    ----------
    current : Direction
        The step along the gradient at the last point.
    points : sequence of Point
    """
    pairs, saddle = _pairs(current, points[:-1])
    direction = current.gradient.copy()
    shares = []
    for step, change, curved in reversed(pairs):
        shares.append(float(step @ direction) / curved)
        direction -= shares[-1] * change
    for (step, change, curved), share in zip(pairs, reversed(shares), strict=True):
        direction += (share - float(change @ direction) / curved) * step
    if not float(direction @ current.gradient) > 0:
        direction = current.gradient
    return replace(current, step=direction, points=len(points), pairs=len(pairs), saddle=saddle)


def _pairs(current: Direction, earlier: Sequence[Point]) -> tuple[list[Pair], bool]:
    """Return the pairs of positive curvature, and whether there was another one."""
    pairs: list[Pair] = []
    if not earlier:
        return pairs, False
    at, gradients = current.anchor.of_points(
        [each.parameters for each in earlier],
        [each.image for each in earlier],
        [each.shares for each in earlier],
    )
    # In place: of large mixtures each of these is as large as a covariance matrix.
    for here, there in zip(at, [*at[1:], current.origin], strict=True):
        np.subtract(there, here, out=here)
    for here, there in zip(gradients, [*gradients[1:], current.gradient], strict=True):
        here -= there
    for step, change in zip(at, gradients, strict=True):
        curved = float(step @ change)
        if curved > CURVATURE * float(np.linalg.norm(step) * np.linalg.norm(change)):
            pairs.append((step, change, curved))
    return pairs, len(pairs) < len(earlier)
