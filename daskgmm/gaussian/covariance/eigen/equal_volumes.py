r"""Structures of equal volumes, and shapes of each component's own.

The covariances are :math:`\lambda C_k` with :math:`|C_k| = 1`: of the scatter
:math:`C_k = S_k / |S_k|^{1/d}` and :math:`\lambda = \sum_k s_k |S_k|^{1/d} / \sum_k s_k` (Celeux &
Govaert 1995).
"""

from __future__ import annotations

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.algebra.axes import AlongAxes
from daskgmm.gaussian.covariance.algebra.dense import Dense
from daskgmm.gaussian.covariance.algebra.scatter import Scatter
from daskgmm.gaussian.covariance.algebra.statistic import Products, Squares
from daskgmm.gaussian.covariance.eigen.volumes import log_mean, log_volumes, log_volumes_of_matrices
from daskgmm.gaussian.covariance.structure import Structure


class EqualVolumesAlongAxes(Structure):
    """Variances along the axes with the same product in all components (EVI)."""

    name = "EVI"
    precision = AlongAxes()
    statistic = Squares()
    free = False

    def n_covariance_parameters(self, k: int, d: int) -> int:
        return 1 + k * (d - 1)

    def maximise(self, scatter: Scatter, last: Array) -> Array:
        own = log_volumes(scatter.covariances)
        factors: Array = np.exp(log_mean(scatter.shares, own) - own)
        return factors[:, None] * scatter.covariances


class EqualVolumes(Structure):
    """Matrices of the same determinant (EVV)."""

    name = "EVV"
    precision = Dense()
    statistic = Products()
    free = False

    def n_covariance_parameters(self, k: int, d: int) -> int:
        return 1 + k * (self.precision.n_parameters(d) - 1)

    def maximise(self, scatter: Scatter, last: Array) -> Array:
        own = log_volumes_of_matrices(scatter.covariances)
        factors: Array = np.exp(log_mean(scatter.shares, own) - own)
        return factors[:, None, None] * scatter.covariances
