"""Tied covariances: one matrix for all components. T(x) = (1, x), with a pooled second moment."""

from __future__ import annotations

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.dense import Dense
from daskgmm.gaussian.covariance.statistic import Pooled
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.moments import Moments


class Tied(Structure):
    """One matrix for all components (EEE of Banfield & Raftery 1993)."""

    name = "tied"
    precision = Dense()
    statistic = Pooled()
    shared = True

    def maximise(self, moments: Moments) -> Array:
        return moments.pooled_covariance()
