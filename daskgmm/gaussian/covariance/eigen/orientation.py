r"""The common axes of several covariances that make components the most likely.

For orthogonal D let :math:`v_{ki}` be the diagonal of :math:`D^T S_k D`. The function to minimise,
twice the negative log-likelihood of a row but for a constant, is
:math:`\sum_k p_k \sum_i \log v_{ki}` if all variances are free (Flury 1984; VVE of Celeux & Govaert
1995), and :math:`d \log \sum_k p_k (\prod_i v_{ki})^{1/d}` if volumes are equal (EVE).

D is turned in all planes (i, j) at once: by Newton's step with the second derivatives along the
planes, where :math:`D^T S_k D` is taken as diagonal, and then as far as the function falls. At the
end all planes are tried alone, at angles up to a right one: where that lowers the function the
descent goes on from there. So saddles are left, and most local minima. The majorisation of Browne &
McNicholas (2014) needs hundreds of steps where this needs about ten.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from daskgmm.arrays import Array

ANGLES = np.linspace(0.0, np.pi / 2, 10)[1:-1]
"""Angles that planes are tried at; a right one gives the same axes."""

STEPS, LEAVES = 50, 6
"""Largest numbers of steps of a descent, and of descents after planes that were tried."""

STILL = 1e-12
"""Decrease of the function, predicted for a step, below which a descent has ended."""

BETTER = 1e-10
"""Decrease of the function for which a plane is turned, or other axes are preferred."""

SHORTEST = 2.0**-20
"""Part of Newton's step below which the function falls by rounding only."""

STEADY = 1e-2
"""Decrease from the last axes, in twice the nats of a row, up to which no other start is tried.
The covariances have hardly changed since all were tried; most M-steps of a fit are such."""


class Criterion:
    """The function of all variances v (k, d), and of what it becomes in each plane."""

    def __init__(self, shares: Array) -> None:
        self.shares = shares

    def value(self, logarithms: Array) -> float:
        """Return the function of log v (k, d)."""
        return float(self.shares @ logarithms.sum(axis=1))

    def weights(self, logarithms: Array) -> Array:
        """Return its derivatives by the log v of each component, (k,)."""
        return self.shares

    def changes(self, logarithms: Array, gains: Array) -> Array:
        """Return by how much it changes where the log v of a component change by gains in sum.

        Parameters
        ----------
        logarithms : ndarray of shape (k, d)
        gains : ndarray of shape (k, ...)
        """
        return np.tensordot(self.shares, gains, 1)


class EqualVolumesCriterion(Criterion):
    """The function with equal volumes."""

    def value(self, logarithms: Array) -> float:
        volumes = logarithms.mean(axis=1)
        largest = volumes.max()
        mean = np.log(self.shares @ np.exp(volumes - largest))
        return float(logarithms.shape[1] * (largest + mean))

    def weights(self, logarithms: Array) -> Array:
        volumes = logarithms.mean(axis=1)
        parts = self.shares * np.exp(volumes - volumes.max())
        weights: Array = parts / parts.sum()
        return weights

    def changes(self, logarithms: Array, gains: Array) -> Array:
        d = logarithms.shape[1]
        factors = np.tensordot(self.weights(logarithms), np.exp(gains / d), 1)
        return np.asarray(d * np.log(factors), np.float64)


@dataclass(frozen=True, slots=True)
class Turned:
    """Matrices in axes D (d, d): D^T S D (k, d, d), logarithms of the diagonals, the value."""

    axes: Array
    matrices: Array
    logarithms: Array
    value: float

    @classmethod
    def of(cls, axes: Array, covariances: Array, criterion: Criterion) -> Turned:
        matrices = axes.T @ covariances @ axes
        variances = np.diagonal(matrices, axis1=1, axis2=2)
        with np.errstate(divide="ignore", invalid="ignore"):
            # A variance that rounding made negative is no value to fall to.
            logarithms = np.log(variances)
        return cls(axes, matrices, logarithms, criterion.value(logarithms))


def common_axes(
    covariances: Array, last: Array, starts: Callable[[], list[Array]], criterion: Criterion
) -> Array:
    """Return the axes D (d, d) with the smallest value that is found from the last ones and starts.

    Of equally good ones those from the earliest start are taken.
    """
    first = Turned.of(last, covariances, criterion)
    best = _descended(first, covariances, criterion)
    if first.value - best.value <= STEADY:
        return best.axes
    for start in starts():
        found = _descended(Turned.of(start, covariances, criterion), covariances, criterion)
        if found.value < best.value - BETTER:
            best = found
    return best.axes


def _descended(at: Turned, covariances: Array, criterion: Criterion) -> Turned:
    for _ in range(LEAVES):
        at = _minimised(at, covariances, criterion)
        turn = _best_turn(at, criterion)
        left = None if turn is None else Turned.of(at.axes @ turn, covariances, criterion)
        if left is None or not left.value < at.value:
            return at
        at = left
    return at


def _minimised(at: Turned, covariances: Array, criterion: Criterion) -> Turned:
    for _ in range(STEPS):
        angles, slope = _newton(at, criterion)
        if not -slope > STILL:
            break
        found = _along(at, angles, slope, lambda axes: Turned.of(axes, covariances, criterion))
        if found is None:
            break
        at = found
    return at


def _newton(at: Turned, criterion: Criterion) -> tuple[Array, float]:
    """Return angles (d, d), antisymmetric, of Newton's step in each plane, and the slope there."""
    variances = np.exp(at.logarithms)
    weights = criterion.weights(at.logarithms)
    inverse = 1.0 / variances
    correlations = at.matrices * inverse[:, :, None]  # v_ij / v_i
    # d/d angle of log v_i + log v_j, where axis i turns to axis j: 2 v_ij (1 / v_i - 1 / v_j).
    gradient = 2.0 * np.tensordot(weights, correlations - correlations.swapaxes(1, 2), 1)
    ratios = variances[:, :, None] * inverse[:, None, :]
    curvature = 2.0 * np.tensordot(weights, ratios + ratios.swapaxes(1, 2) - 2.0, 1)
    angles = np.divide(-gradient, curvature, out=np.zeros_like(gradient), where=curvature > 0)
    angles = np.clip(angles, -np.pi / 4, np.pi / 4)
    return angles, 0.5 * float((gradient * angles).sum())


def _along(
    at: Turned, angles: Array, slope: float, turned: Callable[[Array], Turned]
) -> Turned | None:
    """Return the first of ever shorter steps that lowers the function enough; None without one."""
    part, identity = 1.0, np.eye(len(angles))
    while part > SHORTEST:
        # Cayley's transform of an antisymmetric matrix is orthogonal.
        half = 0.5 * part * angles
        turn = np.linalg.solve(identity + half, identity - half)
        found = turned(at.axes @ turn)
        if found.value <= at.value + 1e-4 * part * slope:
            return found
        part *= 0.5
    return None


def _best_turn(at: Turned, criterion: Criterion) -> Array | None:
    """Return the turn in one plane that lowers the function most; None if none does."""
    d = at.matrices.shape[-1]
    i, j = np.triu_indices(d, 1)
    if not len(i):
        return None
    variances = np.exp(at.logarithms)
    one, other, both = variances[:, i], variances[:, j], at.matrices[:, i, j]
    before = at.logarithms[:, i] + at.logarithms[:, j]
    best, found = -BETTER, None
    for angle in ANGLES:
        c, s = np.cos(angle), np.sin(angle)
        first = c * c * one + s * s * other + 2 * c * s * both
        second = s * s * one + c * c * other - 2 * c * s * both
        with np.errstate(divide="ignore", invalid="ignore"):
            gains = np.log(first) + np.log(second) - before
        changes = np.where(
            np.isfinite(gains).all(axis=0), criterion.changes(at.logarithms, gains), 0
        )
        plane = int(np.argmin(changes))
        if changes[plane] < best:
            best, found = float(changes[plane]), (int(i[plane]), int(j[plane]), c, s)
    if found is None:
        return None
    i_, j_, c, s = found
    turn = np.eye(d)
    turn[[i_, j_, i_, j_], [i_, j_, j_, i_]] = c, c, -s, s
    return turn
