"""Choice of the kernel by a bound on its rounding, and by speed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

import daskgmm.gaussian.covariance.algebra.packed as packed
from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.low_rank.structure import LowRankStructure
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.kernels.factors import FactorKernel
from daskgmm.gaussian.kernels.kernel import Kernel
from daskgmm.gaussian.kernels.natural import NaturalKernel
from daskgmm.gaussian.kernels.single import SingleKernel
from daskgmm.gaussian.kernels.tailed import natural_kernel, whitened_kernel
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.tails.tails import tail_of

EPS = float(np.finfo(np.float64).eps)

TOLERANCE = 1e-8
"""Largest rounding error, in nats, of a log density by the natural-parameter kernel."""

STATISTICS_FACTOR = 100.0
"""Relative error of a covariance from moments about a common centre, in units of eps times the
squared Mahalanobis distance of its mean from there (measured: 40 to 170)."""


SINGLE_EPS = float(np.finfo(np.float32).eps)

SINGLE_TOLERANCE = 1e-3
"""As `TOLERANCE`, for passes in float32 that need not be exact. Of the mean log density of rows the
error is a tenth at most (measured: 0.1 to 10 % of the bound, for 2 to 64 features)."""

LEAST_SINGLE_ROWS = 300.0
"""Effective rows (Kish) from which on errors of log densities, which differ from row to row, are a
tenth of `SINGLE_TOLERANCE` in the mean. One row alone errs by up to 3e-3 nats (measured, of 300
features). So few rows take no time in float64, either."""


def natural_error(
    parameters: Parameters, center: Array, half_range: Array, structure: Structure | None = None
) -> float:
    r"""Predict the largest rounding error of the natural-parameter kernel.

    Every term of the quadratic form is bounded by :math:`|P_{ij}| h_i h_j`, with h the
    largest distance of a row from the centre in each column: eps times their sum bounds the
    rounding of a log density whatever the scales of the columns are. In second moments about the
    centre, a covariance cancels against the squared distance of its mean from there.

    Parameters
    ----------
    parameters : Parameters
    center, half_range : ndarray of shape (d,)
        Centre c, and largest |x - c| of each column.
    structure : Structure, optional
        Structure of the parameters, for workers, whose table may lack it.

    Returns
    -------
    float
        The larger error of the densities, in nats, and of the covariances, relative.
    """
    return float(natural_errors(parameters, center, half_range, structure).max())


def natural_errors(
    parameters: Parameters, center: Array, half_range: Array, structure: Structure | None = None
) -> Array:
    """Return `natural_error` of each component (k,), or of those that share a covariance."""
    tail = tail_of(parameters)
    structure = structure_of(parameters) if structure is None else structure
    points = half_range[None, :], parameters.means - center
    density, moments = _bounds(structure, parameters, *points)
    if tail is not None:
        density = density * tail.sensitivity(parameters)
    return EPS * np.maximum(density, STATISTICS_FACTOR * moments)


def moment_error(parameters: Parameters, points: Array) -> float:
    """Predict the relative error of covariances from moments about points (k, d) or (d,)."""
    structure = structure_of(parameters)
    (bounds,) = _bounds(structure, parameters, parameters.means - points)
    return EPS * STATISTICS_FACTOR * float(bounds.max())


LARGEST_FACTOR = 1e150
"""Entry of a factor up to which precisions, of the squares of entries, do not overflow."""


def _bounds(structure: Structure, parameters: Parameters, *points: Array) -> list[Array]:
    """Return the bilinear bounds at each set of points; infinite where something overflows."""
    precision, factors = structure.precision, parameters.precisions_cholesky
    with np.errstate(over="ignore", invalid="ignore"):
        bounds = precision.bilinear_bounds(factors, *points)
    if np.abs(factors).max(initial=0.0) > LARGEST_FACTOR:
        return [np.full(bound.shape, np.inf) for bound in bounds]
    return [np.where(np.isfinite(bound), bound, np.inf) for bound in bounds]


def single_error(
    parameters: Parameters, center: Array, half_range: Array, structure: Structure
) -> float:
    r"""Predict the typical rounding error of the natural-parameter kernel in float32.

    As `natural_error`, but that the p terms of a log density are rounded on their own, so that
    their sum errs by :math:`1 / \sqrt p` of the bound, unless one squared norm is most of it. Sums
    over tiles are in float64, so that covariances err by eps times the squared distance alone
    (measured: 0.01 to 0.3 of that).
    """
    points = half_range[None, :], parameters.means - center
    density, moments = _bounds(structure, parameters, *points)
    d = len(center)
    terms = 1 if structure.statistic.n_quadratic(d) == 1 else structure.n_statistics(d)
    return SINGLE_EPS * max(float(density.max()) / math.sqrt(terms), float(moments.max()))


def single_moment_error(parameters: Parameters, points: Array) -> float:
    """Predict the relative error of covariances from moments in float32 about points (k, d)."""
    (bounds,) = _bounds(structure_of(parameters), parameters, parameters.means - points)
    return SINGLE_EPS * float(bounds.max())


def in_single(kernel: Kernel, parameters: Parameters, half_range: Array) -> Kernel:
    """Return a kernel of Gaussians in float32 if that errs little, or else as it is.

    Parameters
    ----------
    kernel : Kernel
        Of `choose_kernel`, for the parameters.
    parameters : Parameters
    half_range : ndarray of shape (d,)
        See `natural_error`.
    """
    if not isinstance(kernel, NaturalKernel):
        return kernel
    if kernel.outliers_of is not None or kernel.classes is not None:
        return kernel
    error = single_error(parameters, kernel.center, half_range, kernel.structure)
    return SingleKernel.of_natural(kernel, half_range) if error < SINGLE_TOLERANCE else kernel


COLUMNS_A_COMPONENT, MOST_WHITENED = 16, 12
"""Least number of columns a component, and largest number of components, at which the whitened
kernel is faster: the natural one writes d (d + 1) / 2 products of a row whatever k is. Time of the
natural kernel over that of the whitened one, on one thread: 1.2 at d=64 k=4, 1.6 at d=128 k=8, 7 at
d=600 k=2; 0.74 at d=64 k=8, 1.1 at d=300 k=16."""


FEW, FROM_COLUMNS = 3, 48
"""Components of a mixture up to which, and columns from which on, whitening is faster beside other
mixtures as well, where each computes its own products. Time of natural kernels over that of
whitened ones by the compiled back end, four mixtures a pass: 1.6, 1.2 and 1.0 at d=48 with k=1, 2
and 3; 2.5, 1.5 and 1.1 at d=128; 1.0 and 0.9 at d=128 with k=4 and 8."""


def counted_together(mixtures: Sequence[Parameters], *, share_products: bool) -> list[int]:
    """Return for each mixture of a pass the components that its kernel is chosen by.

    `share_products` is that of the back end (`backend.Backend`).
    """
    total = sum(each.n_components for each in mixtures)

    def is_alone(each: Parameters) -> bool:
        return not share_products and each.n_components <= FEW and each.n_features >= FROM_COLUMNS

    return [each.n_components if is_alone(each) else total for each in mixtures]


def is_whitened_faster(structure: Structure, k: int, d: int) -> bool:
    """Return whether the whitened kernel is faster, for k components that share the rows."""
    has_products = structure.statistic.n_quadratic(d) == packed.size(d)
    return has_products and d > 1 and k <= min(MOST_WHITENED, d // COLUMNS_A_COMPONENT)


def narrow_components(
    parameters: Parameters, center: Array, half_range: Array
) -> NDArray[np.bool_]:
    """Return the components (k,) of which the natural-parameter kernel is not exact enough."""
    errors = natural_errors(parameters, center, half_range)
    return np.broadcast_to(errors >= TOLERANCE, parameters.weights.shape)


def fast_kernel(parameters: Parameters, center: Array, noise: float = 0.0) -> Kernel:
    """Return the kernel of few products about a centre, exact while `natural_error` is small."""
    structure = structure_of(parameters)
    if isinstance(structure, LowRankStructure) and structure.is_projected(len(center)):
        return FactorKernel.of(parameters, center, noise)
    return natural_kernel(parameters, center, noise)


def choose_kernel(
    parameters: Parameters,
    center: Array,
    half_range: Array,
    noise: float = 0.0,
    together: int | None = None,
) -> Kernel:
    """Return the natural-parameter kernel if it is faster and exact enough, or else the whitened.

    Parameters
    ----------
    parameters : Parameters
    center, half_range : ndarray of shape (d,)
        See `natural_error`.
    noise : float
        See `kernel.Kernel`.
    together : int, optional
        Number of components of all mixtures in the pass that share the products of a row, as of
        `counted_together`.
    """
    k, d = parameters.means.shape
    if is_whitened_faster(structure_of(parameters), k if together is None else together, d):
        return whitened_kernel(parameters, noise=noise)
    if natural_error(parameters, center, half_range) < TOLERANCE:
        return fast_kernel(parameters, center, noise)
    return whitened_kernel(parameters, noise=noise)
