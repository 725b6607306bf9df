"""Structures whose components have the same axes: common principal components (Flury 1984)."""

from __future__ import annotations

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.algebra.dense import Dense
from daskgmm.gaussian.covariance.algebra.precision import SingularError
from daskgmm.gaussian.covariance.algebra.scatter import Scatter
from daskgmm.gaussian.covariance.algebra.statistic import Products
from daskgmm.gaussian.covariance.eigen.equal_shapes import with_eigenvalues
from daskgmm.gaussian.covariance.eigen.orientation import (
    Criterion,
    EqualVolumesCriterion,
    common_axes,
)
from daskgmm.gaussian.covariance.eigen.volumes import log_mean, log_volumes
from daskgmm.gaussian.covariance.structure import Structure

HEAVIEST = 3
"""Components whose own axes are tried as the common ones."""

NOISE = 16
"""Least eigenvalue of a scatter, in units of d eps times its largest: below, it is rounding."""


class CommonAxes(Structure):
    """Matrices of the same axes (VVE)."""

    name = "VVE"
    precision = Dense()
    statistic = Products()
    free = False

    def n_covariance_parameters(self, k: int, d: int) -> int:
        return k * d + d * (d - 1) // 2

    def maximise(self, scatter: Scatter, last: Array) -> Array:
        axes = best_axes(scatter, last, Criterion(scatter.shares))
        return with_eigenvalues(axes, variances_along(axes, scatter.covariances))


class CommonAxesEqualVolumes(Structure):
    """Matrices of the same axes and determinant (EVE)."""

    name = "EVE"
    precision = Dense()
    statistic = Products()
    free = False

    def n_covariance_parameters(self, k: int, d: int) -> int:
        return 1 + k * (d - 1) + d * (d - 1) // 2

    def maximise(self, scatter: Scatter, last: Array) -> Array:
        axes = best_axes(scatter, last, EqualVolumesCriterion(scatter.shares))
        variances = variances_along(axes, scatter.covariances)
        own = log_volumes(variances)
        factors = np.exp(log_mean(scatter.shares, own) - own)
        return with_eigenvalues(axes, factors[:, None] * variances)


def variances_along(axes: Array, covariances: Array) -> Array:
    """Return the variances (k, d) along axes (d, d), the columns."""
    return np.asarray(np.einsum("ji,kjl,li->ki", axes, covariances, axes, optimize=True))


def best_axes(scatter: Scatter, last: Array, criterion: Criterion) -> Array:
    """Return the best common axes: from the last ones, those of scatters, and the features'.

    Raises
    ------
    SingularError
        If a scatter is singular: with its own axes the likelihood would have no bound.
    """
    covariances, d = scatter.covariances, scatter.n_features
    values, own = np.linalg.eigh(covariances)
    low = ~(values[:, 0] > NOISE * d * np.finfo(np.float64).eps * values[:, -1])
    if low.any():
        raise SingularError(int(np.argmax(low)))

    def starts() -> list[Array]:
        heaviest = np.argsort(-scatter.counts, kind="stable")[:HEAVIEST]
        pooled = np.linalg.eigh(np.tensordot(scatter.shares, covariances, 1))[1]
        return [pooled, *own[heaviest], np.eye(d)]

    return common_axes(covariances, axes_of(last), starts, criterion)


def axes_of(covariances: Array) -> Array:
    """Return the common axes of matrices (k, d, d) that have some.

    They are those of a sum of their logarithms with unequal factors: eigenvalues that are equal in
    one matrix, or in all together, seldom are in this sum.
    """
    values, vectors = np.linalg.eigh(covariances)
    logarithms = np.log(np.maximum(values, np.finfo(np.float64).tiny))
    factors = np.sqrt(np.arange(2.0, 2.0 + len(covariances)))
    summed = np.tensordot(factors, with_eigenvalues(vectors, logarithms), 1)
    return np.linalg.eigh(summed)[1]
