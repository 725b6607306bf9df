"""Full covariances: every component has its own matrix. T(x) = (1, x, x_i x_j for i <= j)."""

from __future__ import annotations

import daskgmm.gaussian.covariance.packed as packed
from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.dense import Dense
from daskgmm.gaussian.covariance.statistic import Products
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.moments import Moments


class Full(Structure):
    """One matrix a component (VVV of Banfield & Raftery 1993)."""

    name = "full"
    precision = Dense()
    statistic = Products()

    def maximise(self, moments: Moments) -> Array:
        offsets = moments.offsets
        second = packed.unpack(moments.second / moments.divisor[:, None], offsets.shape[1])
        return second - offsets[:, :, None] * offsets[:, None, :]
