"""Which kernel: the fast one while its rounding, predicted from driver numbers, is small."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.kernels.kernel import Kernel
from daskgmm.gaussian.kernels.natural import NaturalKernel
from daskgmm.gaussian.kernels.whitened import WhitenedKernel
from daskgmm.gaussian.parameters import Parameters

Array = NDArray[np.float64]

EPS = float(np.finfo(np.float64).eps)

TOLERANCE = 1e-8
"""Largest error of a log density, in nats, that the natural-parameter kernel may make."""

STATISTICS_FACTOR = 100.0
"""Measured ratio between the relative error of a covariance from moments about a common
centre and eps times its squared Mahalanobis distance from there (40 to 170)."""


def natural_error(
    parameters: Parameters, center: Array, half_range: Array, structure: Structure | None = None
) -> float:
    r"""Predict the largest error of the natural-parameter kernel.

    Every term of the quadratic form is bounded by :math:`|P_{ij}| h_i h_j`, with h the
    largest distance of a row from the centre in each column: eps times their sum bounds the
    rounding of a log density whatever the scales of the columns are. The second moments
    about the centre lose a component's covariance by its own distance from there.

    Parameters
    ----------
    parameters : Parameters
    center, half_range : ndarray of shape (d,)
        The centre c, and the largest |x - c| of each column.
    structure : Structure, optional
        That of the parameters, where the table may not have it, as on a worker.

    Returns
    -------
    float
        In nats for densities, relative for covariances: the larger of the two.
    """
    structure = structure_of(parameters) if structure is None else structure
    points = half_range[None, :], parameters.means - center
    density, moments = _bounds(structure, parameters, *points)
    return EPS * max(density, STATISTICS_FACTOR * moments)


def moment_error(parameters: Parameters, points: Array) -> float:
    """Predict the relative error of covariances from moments about points (k, d) or (d,)."""
    structure = structure_of(parameters)
    return EPS * STATISTICS_FACTOR * _bounds(structure, parameters, parameters.means - points)[0]


def _bounds(structure: Structure, parameters: Parameters, *points: Array) -> list[float]:
    """Return the bilinear bound at each set of points; infinity where it overflows."""
    precision, factors = structure.precision, parameters.precisions_cholesky
    with np.errstate(over="ignore", invalid="ignore"):
        found = precision.bilinear_bounds(factors, *points)
    return [bound if np.isfinite(bound) else np.inf for bound in found]


COLUMNS_A_COMPONENT, MOST_WHITENED = 16, 12
"""Columns for each component from which on, and components up to which, whitening is the faster:
the natural kernel writes d (d + 1) / 2 products of a row however few components there are. Measured
with one thread, natural against whitened: 1.2 times at d=64 k=4, 1.6 at d=128 k=8, 7 at d=600
k=2; 0.74 at d=64 k=8, 1.1 at d=300 k=16."""


def is_whitened_faster(structure: Structure, k: int, d: int) -> bool:
    """Return whether the exact kernel is the faster one, for k components that share the rows."""
    has_products = structure.statistic.n_quadratic(d) > d
    return has_products and k <= min(MOST_WHITENED, d // COLUMNS_A_COMPONENT)


def choose_kernel(
    parameters: Parameters,
    center: Array,
    half_range: Array,
    noise: float = 0.0,
    together: int | None = None,
) -> Kernel:
    """Return the natural-parameter kernel if it is exact enough here and faster, else the whitened.

    Parameters
    ----------
    parameters : Parameters
    center, half_range : ndarray of shape (d,)
        As of `natural_error`.
    noise : float
        As in `kernel.Kernel`.
    together : int, optional
        Components of all mixtures that are evaluated in one pass: their products are formed once.
    """
    k, d = parameters.means.shape
    if is_whitened_faster(structure_of(parameters), k if together is None else together, d):
        return WhitenedKernel.of(parameters, noise=noise)
    if natural_error(parameters, center, half_range) < TOLERANCE:
        return NaturalKernel.of(parameters, center, noise)
    return WhitenedKernel.of(parameters, noise=noise)
