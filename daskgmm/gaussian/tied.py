"""Tied covariances: one matrix for all components. T(x) = (1, x); Sxx is taken once for all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daskgmm.gaussian.dense import Dense
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.statistic import Pooled
from daskgmm.gaussian.structure import Structure

Array = NDArray[np.float64]


class Tied(Structure):
    """One matrix (EEE of Banfield & Raftery 1993)."""

    name = "tied"
    precision = Dense()
    statistic = Pooled()
    shared = True

    def maximise(self, moments: Moments) -> Array:
        return moments.pooled_covariance()
