"""Spherical covariances: one variance a component. T(x) = (1, x, ||x||^2)."""

from __future__ import annotations

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.axes import Isotropic
from daskgmm.gaussian.covariance.statistic import Norm
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.moments import Moments


class Spherical(Structure):
    """One variance a component, for all axes (VII of Celeux & Govaert 1995)."""

    name = "spherical"
    precision = Isotropic()
    statistic = Norm()

    def maximise(self, moments: Moments) -> Array:
        total = moments.second[:, 0] / moments.divisor - (moments.offsets**2).sum(1)
        variances: Array = np.maximum(total, 0.0) / moments.offsets.shape[1]
        return variances[:, None]
