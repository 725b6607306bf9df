"""Diagonal covariances: features are independent in a component. T(x) = (1, x, x^2)."""

from __future__ import annotations

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.axes import AlongAxes
from daskgmm.gaussian.covariance.statistic import Squares
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.moments import Moments


class Diagonal(Structure):
    """Variances along the axes for each component (VVI of Celeux & Govaert 1995)."""

    name = "diag"
    precision = AlongAxes()
    statistic = Squares()

    def maximise(self, moments: Moments) -> Array:
        return np.maximum(moments.second / moments.divisor[:, None] - moments.offsets**2, 0.0)
