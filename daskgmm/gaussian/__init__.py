"""The maths of one tile of rows, with NumPy and SciPy alone: no Dask, no input, no output.

Letters, here and everywhere: n rows, d features, k components, b rows of one tile,
p entries of the sufficient statistic T(x). Axes run (k, d, d); tiles are stored with one
statistic or feature a row, (p, b) and (d, b).
"""

from daskgmm.gaussian.covariance.structures import STRUCTURES, structure_of
from daskgmm.gaussian.kernels.backends import BACKENDS
from daskgmm.gaussian.m_step import Maximised, maximise
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.prior import PRIORS

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
