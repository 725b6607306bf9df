r"""Components that rest on a floor: narrower than `reg_covar`, tied values or rounding can tell.

The likelihood of a mixture has no upper bound: a component that shrinks onto rows of equal
values takes as much of it as `reg_covar` allows (Day 1969). Such a maximum says nothing of
the rows, and no criterion may count it as evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daskgmm.gaussian.maximise import Maximised
from daskgmm.gaussian.structures import structure_of

Array = NDArray[np.float64]

NEAR = 3.0
"""Multiples of `reg_covar` below which a variance is mostly `reg_covar`, or soon will be."""

NARROWER = 4.0
"""A component on the floor has a variance so many times smaller than all rows together: where
the data themselves have no spread, no component gains by it."""

LEAST_WIDTH = 1e-200
"""So that a floor can be divided by, where there is none."""


@dataclass(frozen=True, slots=True)
class Resting:
    """A component that rests on the floor.

    Attributes
    ----------
    component : int or None
        None where all components share one covariance.
    column : int
        The column, or axis of the model, that its narrowest direction is mostly in.
    deviation : float
        Standard deviation in that direction of unit length, in units of the model.
    """

    component: int | None
    column: int
    deviation: float


@dataclass(frozen=True, slots=True)
class Floor:
    """How narrow a component may be.

    Attributes
    ----------
    width : ndarray of shape (d, d)
        F: a component whose variance in a direction v is below :math:`v^T F v` rests on it.
    spread : ndarray of shape (d, d)
        S: the covariance of all rows, with `reg_covar` on its diagonal.
    """

    width: Array
    spread: Array

    @classmethod
    def of(cls, covariance: Array, rounding: Array, reg_covar: float) -> Floor:
        """Return the floor of rows with this covariance.

        Parameters
        ----------
        covariance, rounding : ndarray of shape (d, d)
            Of all rows, and of half a step between their values.
        reg_covar : float
        """
        identity = np.eye(len(covariance))
        # Not the rounding of the whole covariance: that is of far values, where there are some.
        width = (NEAR * reg_covar + LEAST_WIDTH) * identity + rounding
        return cls(width, covariance + reg_covar * identity)

    def resting(self, step: Maximised) -> tuple[Resting, ...]:
        """Return the components that rest on the floor; those of weight 0 are left out.

        A ridge that made a covariance invertible is a floor as `reg_covar` is one.
        """
        parameters = step.parameters
        structure, d = structure_of(parameters), parameters.n_features
        if structure.shared:
            return self._dense(parameters.covariances[None], [None], step.ridges)
        weighed = np.flatnonzero(parameters.weights > 0)
        covariances = parameters.covariances[weighed]
        numbers: list[int | None] = list(map(int, weighed))
        if covariances.ndim == 3:
            return self._dense(covariances, numbers, step.ridges)
        variances = np.broadcast_to(covariances.reshape(len(weighed), -1), (len(weighed), d))
        return self._along_columns(variances, numbers)

    def _along_columns(self, variances: Array, numbers: list[int | None]) -> tuple[Resting, ...]:
        below = variances < np.diagonal(self.width)
        below &= NARROWER * variances < np.diagonal(self.spread)
        nothing = np.full(variances.shape, np.inf)
        ratios = np.divide(variances, np.diagonal(self.width), out=nothing, where=below)
        columns = ratios.argmin(axis=1)
        return tuple(
            Resting(number, int(column), float(np.sqrt(variance[column])))
            for number, column, variance, low in zip(
                numbers, columns, variances, below, strict=True
            )
            if low.any()
        )

    def _dense(
        self,
        covariances: Array,
        numbers: list[int | None],
        ridges: Mapping[int | None, float],
    ) -> tuple[Resting, ...]:
        found = []
        for number, covariance in zip(numbers, covariances, strict=True):
            width = self.width + NEAR * ridges.get(number, 0.0) * np.eye(len(self.width))
            if _exceeds(covariance, width):
                continue
            resting = self._narrowest(covariance, width, number)
            found += [] if resting is None else [resting]
        return tuple(found)

    def _narrowest(self, covariance: Array, width: Array, number: int | None) -> Resting | None:
        """Return the direction below the floor that is narrowest beside all rows, if any is."""
        scales = 1 / np.sqrt(np.diagonal(width))
        # Not a Cholesky factor: mapped to principal axes, half steps may have hardly a rank.
        sizes, axes = np.linalg.eigh(width * np.outer(scales, scales))
        least = len(sizes) * np.finfo(np.float64).eps * sizes[-1]
        whitening = (axes / np.sqrt(np.maximum(sizes, least))).T * scales
        values, vectors = np.linalg.eigh(whitening @ covariance @ whitening.T)
        low = values < 1.0
        if not low.any():
            return None
        # Directions v with v^T F v = 1, scaled to v^T Sigma v = 1.
        lengths = np.sqrt(np.maximum(values[low], LEAST_WIDTH))
        directions = (whitening.T @ vectors[:, low]) / lengths
        ratios, axes = np.linalg.eigh(directions.T @ self.spread @ directions)
        if not ratios[-1] > NARROWER:
            return None
        direction = directions @ axes[:, -1]
        column = int(np.argmax(direction**2 * np.diagonal(self.spread)))
        length = float(np.linalg.norm(direction))
        return Resting(number, column, float(1 / length))


def n_degenerate(step: Maximised, floor: Floor) -> int:
    """Return how many components have no rows, collapsed, or rest on the floor."""
    found = {each.component for each in floor.resting(step)} | set(step.collapsed)
    if None in found:
        return step.parameters.n_components
    return len(found | set(step.empty))


def _exceeds(covariance: Array, width: Array) -> bool:
    """Return whether the covariance is above the floor in every direction: the usual case."""
    try:
        np.linalg.cholesky(covariance - width)
    except np.linalg.LinAlgError:
        return False
    return True
