r"""Floor of the covariances, and components on it: as narrow as `reg_covar` or tied values allow.

The likelihood of a mixture has no upper bound: with a component that shrinks onto rows of equal
values it grows as far as `reg_covar` allows (Day 1969). Such a maximum is no evidence about the
rows for any criterion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh, solve_triangular

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.algebra.dense import Dense
from daskgmm.gaussian.covariance.low_rank.structure import LowRankStructure
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.m_step import LEAST_VARIANCE, Maximised
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.priors.variational_posterior import VariationalPosterior

NEAR = 3.0
"""Floor of a variance in units of `reg_covar`: below, the variance is mostly `reg_covar`."""

NARROWER = 4.0
"""Least variance of all rows, in units of that of a component on the floor: in a direction without
spread all mixtures gain the same."""

REG_COVAR, TIES, RIDGE = "reg_covar", "tied values", "ridge"

POWERS = 20
"""Number of steps of the power iteration."""

LEAST_PART = 1e-60
"""Least variance of a scale, in units of the floor, so that squares do not overflow."""

LEAST_WIDTH = LEAST_VARIANCE
"""Least variance of the floor, so that it is a divisor: no component is narrower."""


@dataclass(frozen=True, slots=True)
class Resting:
    """A component that rests on the floor.

    Attributes
    ----------
    component : int or None
        Index of the component; None if all share one covariance.
    column : int
        Index of the column, or axis of the model, with the largest part of the narrowest direction.
    deviation : float
        Standard deviation along that direction, in units of the model, without outliers.
    cause : str
        Largest part of the floor there: `REG_COVAR`, `TIES` or `RIDGE`.
    """

    component: int | None
    column: int
    deviation: float
    cause: str


@dataclass(frozen=True, slots=True)
class Floor:
    """The least variance of a component in every direction.

    Attributes
    ----------
    width : ndarray of shape (d, d)
        F: a component whose variance in a direction v is below :math:`v^T F v` rests on it.
    spread : ndarray of shape (d, d)
        S: the covariance of all rows plus `reg_covar` on its diagonal.
    least : float
        Part of F's diagonal that is due to `reg_covar`.
    """

    width: Array
    spread: Array
    least: float

    @classmethod
    def of(cls, covariance: Array, rounding: Array, reg_covar: float) -> Floor:
        """Return the floor of rows with this covariance.

        Parameters
        ----------
        covariance, rounding : ndarray of shape (d, d)
            Covariance of all rows, and of half a step between their values.
        reg_covar : float
        """
        identity = np.eye(len(covariance))
        # Without the rounding of the covariance itself, which is that of the farthest values.
        least = NEAR * reg_covar
        width = (least + LEAST_WIDTH) * identity + rounding
        return cls(width, covariance + reg_covar * identity, least)

    def resting(self, step: Maximised) -> tuple[Resting, ...]:
        """Return the components of positive weight that rest on the floor.

        A ridge that made a covariance invertible raises the floor as `reg_covar` does. Of a
        posterior none does: its prior bounds what a narrow component can gain.
        """
        parameters = step.parameters
        if isinstance(parameters, VariationalPosterior):
            return ()
        structure, d = structure_of(parameters), parameters.n_features
        covariances, numbers = _without_outliers(parameters), [structure.component(0)]
        if not structure.shared:
            weighed = np.flatnonzero(parameters.weights > 0)
            covariances, numbers = covariances[weighed], list(map(int, weighed))
        if isinstance(structure, LowRankStructure) and structure.is_projected(d):
            return self._by_noise(covariances[:, -1], numbers)
        if structure.precision.detail == Dense.detail:
            matrices = structure.precision.matrices(covariances, d)
            return self._dense(matrices, numbers, step.ridges)
        variances = structure.precision.diagonals(covariances, d)
        ridges = np.array([step.ridges.get(number, 0.0) for number in numbers])
        return self._along_columns(variances, numbers, NEAR * ridges)

    def _along_columns(
        self, variances: Array, numbers: list[int | None], ridges: Array
    ) -> tuple[Resting, ...]:
        widths = np.diagonal(self.width) + ridges[:, None]
        below = (variances < widths) & (NARROWER * variances < np.diagonal(self.spread))
        ratios = np.divide(variances, widths, out=np.full(variances.shape, np.inf), where=below)
        columns = ratios.argmin(axis=1)
        return tuple(
            Resting(
                numbers[row],
                int(columns[row]),
                float(np.sqrt(variances[row, columns[row]])),
                self._cause(float(widths[row, columns[row]]), float(ridges[row])),
            )
            for row in np.flatnonzero(below.any(axis=1)).tolist()
        )

    def _by_noise(self, noise: Array, numbers: list[int | None]) -> tuple[Resting, ...]:
        """Return components whose noise variances are all on the floor, (m, d).

        Rows on a plane leave no noise; that of a single feature may be small in any factor model.
        """
        widths, spread = np.diagonal(self.width), np.diagonal(self.spread)
        below, narrow = noise < widths, NARROWER * noise < spread
        rests = (below | ~narrow).all(axis=1) & narrow.any(axis=1)
        ratios = np.full(noise.shape, np.inf)
        np.divide(noise, widths, out=ratios, where=below & narrow)
        columns = ratios.argmin(axis=1)
        return tuple(
            Resting(
                numbers[row],
                int(columns[row]),
                float(np.sqrt(noise[row, columns[row]])),
                self._cause(float(widths[columns[row]]), 0.0),
            )
            for row in np.flatnonzero(rests).tolist()
        )

    def _cause(self, width: float, ridge: float) -> str:
        """Return the largest part of the floor's width: that of `ridge`, `reg_covar`, or ties."""
        if 2 * ridge > width:
            return RIDGE
        return REG_COVAR if 2 * self.least > width - ridge else TIES

    def _dense(
        self,
        covariances: Array,
        numbers: list[int | None],
        ridges: Mapping[int | None, float],
    ) -> tuple[Resting, ...]:
        resting = []
        for number, covariance in zip(numbers, covariances, strict=True):
            ridge = NEAR * ridges.get(number, 0.0)
            width = self.width + ridge * np.eye(len(self.width))
            if _exceeds(covariance, width):
                continue
            direction = _narrowest(covariance, width, self.spread)
            if direction is not None:
                column = int(np.argmax(np.abs(direction) * np.sqrt(np.diagonal(self.spread))))
                square = float(direction @ direction)
                cause = self._cause(float(direction @ width @ direction) / square, ridge)
                resting.append(Resting(number, column, square**-0.5, cause))
        return tuple(resting)


def _without_outliers(parameters: Parameters) -> Array:
    """Return the part of the covariances that rows have which are no outliers.

    Outliers count in a covariance as rows of that covariance do, however narrow it is: what
    `reg_covar` or ties make is larger by their share.
    """
    if parameters.clean is None:
        return parameters.covariances
    shares = parameters.clean
    if len(parameters.covariances) == 1:
        shares = np.average(shares, weights=parameters.weights, keepdims=True)
    scaled: Array = shares.reshape(-1, *[1] * (parameters.covariances.ndim - 1))
    return scaled * parameters.covariances


def n_degenerate(step: Maximised, resting: Sequence[Resting]) -> int:
    """Return the number of components that have no rows, have collapsed, or rest on the floor."""
    degenerate = {on_floor.component for on_floor in resting} | set(step.collapsed)
    if None in degenerate:
        return step.parameters.n_components
    return len(degenerate | set(step.empty))


def _exceeds(covariance: Array, width: Array) -> bool:
    """Return whether the covariance is above the floor in every direction, as it usually is."""
    try:
        np.linalg.cholesky(covariance - width)
    except np.linalg.LinAlgError:
        return False
    return True


def _narrowest(covariance: Array, width: Array, spread: Array) -> Array | None:
    r"""Return the direction v below the floor with the largest :math:`v^T S v`, if there is one.

    It is scaled so that :math:`v^T \Sigma v = 1`. All is computed in units of the component's own
    deviations, in which a column of variance 1e-29 has as many digits as one of variance 1.
    """
    least = np.maximum(LEAST_PART * np.diagonal(width), LEAST_WIDTH)
    scales = 1 / np.sqrt(np.maximum(np.diagonal(covariance), least))
    # All rows in units of the widest of these columns, whose square might overflow.
    root = float((np.sqrt(np.diagonal(spread)) * scales).max())
    if root == 0:
        return None
    units = np.outer(scales, scales)
    factor, width = _factor(covariance * units), width * units
    spread, wide = spread * np.outer(scales / root, scales / root), NARROWER / root / root
    # With v = L^-T u, v^T Sigma v = u^T u.
    direction = _widest(factor, spread)
    if not (direction @ width @ direction > 1.0 and direction @ spread @ direction > wide):
        below = _below(factor, width)
        if not below.shape[1]:
            return None
        # Of all: asked for the last one alone, LAPACK returns none where many are nearly equal.
        ratios, axes = eigh(below.T @ spread @ below)
        if not ratios[-1] > wide:
            return None
        direction = below @ axes[:, -1]
    return scales * direction


def _widest(factor: Array, spread: Array) -> Array:
    """Return about the direction v, v^T Sigma v = 1, of the largest v^T S v, by power iteration.

    If it is below the floor it is the answer, for far less work than `_below`.
    """
    u = np.ones(len(factor))
    for _ in range(POWERS):
        u = solve_triangular(factor, spread @ _solve_transposed(factor, u), lower=True)
        u /= max(float(np.linalg.norm(u)), LEAST_WIDTH)
    return _solve_transposed(factor, u)


def _below(factor: Array, width: Array) -> Array:
    """Return a basis (d, r) of the directions v with v^T Sigma v = 1 below v^T F v.

    They are the eigenvectors of L^-1 F L^-T with eigenvalues above 1.
    """
    half = solve_triangular(factor, width, lower=True)
    whitened = solve_triangular(factor, half.T, lower=True)
    _, vectors = eigh(whitened, subset_by_value=(1.0, np.inf))
    return _solve_transposed(factor, vectors)


def _solve_transposed(factor: Array, u: Array) -> Array:
    """Return v = L^-T u."""
    v: Array = solve_triangular(factor, u, lower=True, trans="T")
    return v


def _factor(correlation: Array) -> Array:
    """Return the Cholesky factor of a correlation matrix; a ridge if rounding made it singular."""
    d = len(correlation)
    raised = d * float(np.finfo(np.float64).eps)
    while True:
        try:
            return np.asarray(np.linalg.cholesky(correlation + raised * np.eye(d)), np.float64)
        except np.linalg.LinAlgError:
            raised *= 4
