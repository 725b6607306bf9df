r"""Structures of equal shapes: eigenvalues of all components are the same, or proportional.

With the eigenvalues :math:`\omega_k` of the scatter in order and its axes :math:`L_k`, the most
likely axes are :math:`L_k` for any shape in the same order (Celeux & Govaert 1995):
what is left is the problem along axes. Volumes and the shape follow from each other,
:math:`\lambda_k = \mathrm{tr}(S_k C^{-1}) / d` and :math:`C \propto \sum_k s_k S_k / \lambda_k`
with :math:`|C| = 1`; their alternation raises the likelihood in every step. In the logarithm of C
it is a convex problem (along geodesics for matrices, Wiesel 2012), so that there is one maximum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.algebra.axes import AlongAxes
from daskgmm.gaussian.covariance.algebra.dense import Dense, inverse_factor
from daskgmm.gaussian.covariance.algebra.precision import SingularError
from daskgmm.gaussian.covariance.algebra.scatter import Scatter
from daskgmm.gaussian.covariance.algebra.statistic import Products, Squares
from daskgmm.gaussian.covariance.eigen.volumes import log_volumes, log_volumes_of_matrices
from daskgmm.gaussian.covariance.structure import Structure

STEPS = 1000
"""Largest number of alternations of volumes and shape."""

ROUNDING = 1e-7
"""Volume of a last covariance, in units of its mean variance, below which it may be rounding."""

SAME = 1e-13
"""Change of all volumes, relative, below which they have converged."""

PATIENCE = 10
"""Alternations without a smaller change after which what is left of it is rounding: of nearly
singular scatters it is larger than `SAME`."""


class OfOneShape(Structure):
    """Covariances whose shape is a sum over components, the largest part of which decides it."""

    free = False

    def singular_component(self, scatter: Scatter, covariances: Array, index: int) -> int:
        """Return the component with the largest part in the shape, which is singular for all."""
        volumes = self.precision.diagonals(covariances, scatter.n_features).mean(axis=1)
        return largest_part(scatter.shares / np.where(volumes > 0, volumes, 1.0), scatter)


def largest_part(factors: Array, scatter: Scatter) -> int:
    """Return the component of the largest term in a sum of covariances with these factors (k,)."""
    # The largest entry of a covariance matrix is on its diagonal.
    variances = scatter.covariances.reshape(len(factors), -1).max(axis=1)
    return int(np.argmax(factors * variances))


class EqualShapesAlongAxes(OfOneShape):
    """Variances along the axes that are proportional (VEI)."""

    name = "VEI"
    precision = AlongAxes()
    statistic = Squares()

    def n_covariance_parameters(self, k: int, d: int) -> int:
        return k + d - 1

    def maximise(self, scatter: Scatter, last: Array) -> Array:
        return proportional(scatter.covariances, scatter, log_volumes(last))


class EqualEigenvalues(OfOneShape):
    """Matrices of the same eigenvalues and axes of their own (EEV)."""

    name = "EEV"
    precision = Dense()
    statistic = Products()

    def n_covariance_parameters(self, k: int, d: int) -> int:
        return d + k * d * (d - 1) // 2

    def maximise(self, scatter: Scatter, last: Array) -> Array:
        values, axes = np.linalg.eigh(scatter.covariances)
        return with_eigenvalues(axes, scatter.shares @ values)


class EqualShapes(OfOneShape):
    """Matrices of proportional eigenvalues and axes of their own (VEV)."""

    name = "VEV"
    precision = Dense()
    statistic = Products()

    def n_covariance_parameters(self, k: int, d: int) -> int:
        return k + d - 1 + k * d * (d - 1) // 2

    def maximise(self, scatter: Scatter, last: Array) -> Array:
        values, axes = np.linalg.eigh(scatter.covariances)
        values = np.maximum(values, 0.0)
        volumes = last_volumes(last)
        return with_eigenvalues(axes, proportional(values, scatter, volumes))


class Proportional(OfOneShape):
    """Matrices that are proportional to each other (VEE)."""

    name = "VEE"
    precision = Dense()
    statistic = Products()

    def n_covariance_parameters(self, k: int, d: int) -> int:
        return k - 1 + self.precision.n_parameters(d)

    def maximise(self, scatter: Scatter, last: Array) -> Array:
        covariances, shares, d = scatter.covariances, scatter.shares, scatter.n_features

        def unit_shape(volumes: Array) -> Array:
            """Return C for the logarithms of volumes."""
            factors = shares * np.exp(volumes.min() - volumes)
            shape = np.tensordot(factors, covariances, 1)
            with caused_by(largest_part(factors, scatter)):
                shape *= np.exp(-log_volumes_of_matrices(shape[None])[0])
            return (shape + shape.T) / 2

        def improved(volumes: Array) -> Array:
            shape = unit_shape(volumes)
            with caused_by(largest_part(shares * np.exp(volumes.min() - volumes), scatter)):
                factor = inverse_factor(shape, 0)
            traces = np.einsum("ij,kji->k", factor @ factor.T, covariances)
            return logarithms(traces / d)

        volumes = alternated(improved, last_volumes(last))
        found: Array = np.exp(volumes)[:, None, None] * unit_shape(volumes)
        return found


@contextmanager
def caused_by(component: int) -> Iterator[None]:
    """Raise what is singular in this context as a singular scatter of a component."""
    try:
        yield
    except SingularError as error:
        raise SingularError(component) from error


def last_volumes(covariances: Array) -> Array:
    """Return log |S|^(1/d) of the last matrices, (k,), or of their mean variances if singular."""
    d = covariances.shape[-1]
    signs, logs = np.linalg.slogdet(covariances)
    traces = np.trace(covariances, axis1=-2, axis2=-1)
    sizes = np.log(np.where(traces > 0, traces / d, 1.0))
    usual = (signs > 0) & np.isfinite(logs) & (logs / d > sizes + np.log(ROUNDING))
    return np.asarray(np.where(usual, logs / d, sizes), np.float64)


def with_eigenvalues(axes: Array, values: Array) -> Array:
    """Return matrices with axes (k, d, d), the columns, and variances (d,) or (k, d) along them."""
    matrices = (axes * values[..., None, :]) @ axes.swapaxes(-1, -2)
    symmetric: Array = (matrices + matrices.swapaxes(-1, -2)) / 2
    return symmetric


def proportional(variances: Array, scatter: Scatter, volumes: Array) -> Array:
    """Return the most likely variances (k, d) that are proportional, from logarithms of volumes."""

    def unit_shape(volumes: Array) -> Array:
        factors = scatter.shares * np.exp(volumes.min() - volumes)
        shape = factors @ variances
        with caused_by(largest_part(factors, scatter)):
            unit: Array = shape * np.exp(-log_volumes(shape[None])[0])
        return unit

    def improved(volumes: Array) -> Array:
        return logarithms((variances / unit_shape(volumes)).mean(axis=1))

    volumes = alternated(improved, volumes)
    found: Array = np.exp(volumes)[:, None] * unit_shape(volumes)
    return found


def alternated(improved: Callable[[Array], Array], volumes: Array) -> Array:
    """Return what `improved` makes of volumes, again and again until they stand still."""
    least, least_at = np.inf, 0
    for step in range(STEPS):
        before, volumes = volumes, improved(volumes)
        change = np.abs(volumes - before).max()
        if change < least:
            least, least_at = change, step
        if change < SAME or step - least_at == PATIENCE:
            break
    return volumes


def logarithms(volumes: Array) -> Array:
    """Return the logarithms of volumes (k,); raise `SingularError` for one that is not positive."""
    low = ~(volumes > 0)
    if low.any():
        raise SingularError(int(np.argmax(low)))
    return np.asarray(np.log(volumes), np.float64)
