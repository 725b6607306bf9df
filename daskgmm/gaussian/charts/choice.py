"""Choice of the coordinates of a structure."""

from __future__ import annotations

from daskgmm.gaussian.charts.anchor import Anchor
from daskgmm.gaussian.charts.beside_noise import BesideNoise
from daskgmm.gaussian.charts.chart import Chart
from daskgmm.gaussian.charts.loadings import CommonLoadings, OwnLoadings
from daskgmm.gaussian.charts.structured import StructuredAnchor
from daskgmm.gaussian.charts.with_tails import WithTails
from daskgmm.gaussian.covariance.algebra.precision import Charted
from daskgmm.gaussian.covariance.low_rank.common_factors import CommonFactors
from daskgmm.gaussian.covariance.low_rank.factors import OwnFactors
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.tails.tails import tail_of

OF_LOADINGS = (OwnFactors, CommonFactors)
"""Structures of low rank that have coordinates, of loadings where there are many features."""


def has_chart(structure: Structure) -> bool:
    """Return whether covariances of a structure have coordinates, or matrices that have.

    Of low rank those of many features are loadings and noise, which other structures of this form
    than ours, as with noise that components share, need not have all of.
    """
    return isinstance(structure.precision, Charted) or isinstance(structure, OF_LOADINGS)


def chart_at(parameters: Parameters) -> Chart:
    """Return coordinates about parameters.

    Raises
    ------
    SingularError
        If a covariance has no factor as a matrix, where coordinates are those of matrices.
    """
    if parameters.has_noise:
        return BesideNoise(parameters, _of_components(parameters.without_noise()))
    tail = tail_of(parameters)
    if tail is not None:
        return WithTails(parameters, _of_components(parameters.without_outliers()), tail)
    if structure_of(parameters).free:
        return Anchor(parameters)
    return _of_components(parameters)


def _of_components(parameters: Parameters) -> Chart:
    """Return coordinates in which the EM step stands for the gradient."""
    structure = structure_of(parameters)
    if isinstance(structure, OF_LOADINGS) and structure.is_projected(parameters.n_features):
        shared = isinstance(structure, CommonFactors)
        return CommonLoadings(parameters) if shared else OwnLoadings(parameters)
    return StructuredAnchor(parameters)
