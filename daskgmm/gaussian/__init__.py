"""Arithmetic of Gaussian mixtures with NumPy and SciPy alone: no Dask, no input, no output.

Letters, here and everywhere: n rows, d features, k components, m covariances (k, or 1 where
components share one), b rows of a tile, p entries of the sufficient statistic T(x), q of them
quadratic; of covariances of low rank q is the number of factors. Axes run (k, d, d); the last axis
of a tile is its rows, (p, b) and (d, b).
"""

from daskgmm.gaussian.covariance.structures import STRUCTURES, structure_of
from daskgmm.gaussian.kernels.backends import BACKENDS
from daskgmm.gaussian.m_step import Maximised, maximise
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.priors.table import PRIORS

__all__ = [
    "BACKENDS",
    "PRIORS",
    "STRUCTURES",
    "Maximised",
    "Moments",
    "Parameters",
    "maximise",
    "structure_of",
]
