"""A kernel as the compiled library takes it: natural parameters, tails, and what is shared."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.algebra.statistic import Statistic
from daskgmm.gaussian.kernels.compiled.tails import LibraryTail, library_tail
from daskgmm.gaussian.kernels.kernel import Kernel
from daskgmm.gaussian.kernels.natural import NaturalKernel
from daskgmm.gaussian.kernels.tailed import TailedKernel

LOG2_E = math.log2(math.e)

PANEL = 8
"""Components whose sums are beside each other, as in the source."""

Pairs = tuple[NDArray[np.intp], NDArray[np.intp]]


@dataclass(frozen=True)
class LibraryModel:
    """What the library computes with; one mixture of a pass.

    Attributes
    ----------
    kernel : Kernel
        What it is made of.
    theta : ndarray of shape (k, p)
        Natural parameters of `kernel`, and of the shared distance if there is one.
    scales : ndarray of shape (k,)
        What they are multiplied by: log2(e), or the units of a tail.
    pairs : pair of ndarray of int, shape (p,)
        Rows of (1, x_1, ..., x_d, s) that each statistic is the product of; s is the squared
        norm of x, or the squared distance |U^T x|^2 if there is a factor.
    factor : ndarray of shape (d, d), or None
        Upper triangular U, of the precision that components share.
    tail : LibraryTail or None
    uniform : float or None
        Log joint density of a uniform component, in nats; it is a column behind the others.
    classes : ndarray of int, shape (columns,), or None
        As `Kernel.classes`, one for each component whatever its tail is, and for the uniform one.
    """

    kernel: Kernel
    theta: Array
    scales: Array
    pairs: Pairs
    factor: Array | None = None
    tail: LibraryTail | None = None
    uniform: float | None = None
    classes: NDArray[np.int64] | None = None

    @property
    def has_norm(self) -> bool:
        """Whether a statistic has the last row, s, for a factor."""
        left, right = self.pairs
        return int(max(left.max(), right.max())) > len(self.kernel.center)


def library_model(kernel: Kernel) -> LibraryModel | None:
    """Return what the library takes of a kernel; None if it has not all that the kernel asks for.

    Of other kernels than natural ones it knows nothing.
    """
    if isinstance(kernel, NaturalKernel):
        return _model(kernel, kernel, None)
    if not isinstance(kernel, TailedKernel) or not isinstance(kernel.inner, NaturalKernel):
        return None
    tail = library_tail(kernel.densities)
    return None if tail is None else _model(kernel, kernel.inner, tail)


def _model(kernel: Kernel, natural: NaturalKernel, tail: LibraryTail | None) -> LibraryModel | None:
    statistic, d = natural.structure.statistic, natural.shape[2]
    pairs, theta, uniform, factor = pairs_of(statistic, d), natural.theta, None, None
    if pairs is None:
        return None
    if natural.outliers_of is not None:
        theta, uniform = theta[:-1], float(theta[-1, 0])
    if statistic.pools and (tail is not None or not natural.leaves_out):
        # The shared distance is one more statistic: half of a log density, all of a distance.
        left, right = pairs
        pairs = np.append(left, 0), np.append(right, 1 + d)
        theta = np.column_stack([theta, np.full(len(theta), -0.5 if tail is None else 1.0)])
        factor = _factor(natural)
    scales = np.full(len(theta), LOG2_E) if tail is None else tail.scales
    classes = classes_of(kernel, len(theta) + (uniform is not None))
    return LibraryModel(kernel, theta, scales, pairs, factor, tail, uniform, classes)


def shared_factor(kernel: Kernel) -> Array | None:
    """Return U (d, d) of the distance |U^T x|^2 that densities of a kernel lack; None if none."""
    return _factor(kernel) if isinstance(kernel, NaturalKernel) and kernel.leaves_out else None


def _factor(natural: NaturalKernel) -> Array:
    precision, d = natural.structure.precision, natural.shape[2]
    return precision.multiply_ut(natural.factors, np.eye(d))


def classes_of(kernel: Kernel, columns: int) -> NDArray[np.int64] | None:
    """Return the classes of columns; None if rows have no labels.

    Parts of a component with a tail are of one class, and the first ones are of all components.
    """
    return None if kernel.classes is None else kernel.classes[:columns].astype(np.int64)


def pairs_of(statistic: Statistic, d: int) -> Pairs | None:
    """Return the two rows that each entry of T is the product of; None if one is no product."""
    quadratic = statistic.pairs(d)
    if quadratic is None:
        return None
    left, right = map(np.concatenate, zip(linear_pairs(d), quadratic, strict=True))
    return left, right


def linear_pairs(d: int) -> Pairs:
    """Return the pairs of 1 and the features, each times 1."""
    linear = np.arange(1 + d)
    return 0 * linear, linear
