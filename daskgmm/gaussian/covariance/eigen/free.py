"""Structures that have all covariances of their form: the scatter itself is the most likely one.

Names are those of scikit-learn where it has the structure, or else of Celeux & Govaert (1995).
"""

from __future__ import annotations

from daskgmm.gaussian.covariance.algebra.axes import AlongAxes, Isotropic
from daskgmm.gaussian.covariance.algebra.dense import Dense
from daskgmm.gaussian.covariance.algebra.statistic import Norm, Pooled, Products, Squares
from daskgmm.gaussian.covariance.structure import Structure


class Full(Structure):
    """One matrix a component (VVV of Banfield & Raftery 1993)."""

    name = "full"
    precision = Dense()
    statistic = Products()


class Tied(Structure):
    """One matrix for all components (EEE of Banfield & Raftery 1993)."""

    name = "tied"
    precision = Dense()
    statistic = Pooled()
    shared = True


class Diagonal(Structure):
    """Variances along the axes for each component (VVI of Celeux & Govaert 1995)."""

    name = "diag"
    precision = AlongAxes()
    statistic = Squares()


class Spherical(Structure):
    """One variance a component, for all axes (VII of Celeux & Govaert 1995)."""

    name = "spherical"
    precision = Isotropic()
    statistic = Norm()


class SharedAxes(Structure):
    """Variances along the axes, the same for all components (EEI of Celeux & Govaert 1995)."""

    name = "EEI"
    precision = AlongAxes()
    statistic = Pooled()
    shared = True


class SharedSphere(Structure):
    """One variance for all axes and components (EII of Banfield & Raftery 1993)."""

    name = "EII"
    precision = Isotropic()
    statistic = Pooled()
    shared = True
