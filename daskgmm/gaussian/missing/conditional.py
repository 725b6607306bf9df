r"""Conditional Gaussians of missing values given observed ones, for one pattern.

With o the columns observed and m those missing, the values of a row of component k are expected at

.. math:: \hat x_m = \mu_m + B (x_o - \mu_o), \quad B = \Sigma_{mo} \Sigma_{oo}^{-1}

with the covariance :math:`C = \Sigma_{mm} - B \Sigma_{om}` (Little & Rubin 2002, section 11.2;
of mixtures Ghahramani & Jordan 1994). With :math:`R = (I; B)` a row is :math:`R x_o` plus a
constant, so that the moments of rows follow from those of the observed values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import daskgmm.gaussian.covariance.algebra.packed as packed
from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.algebra.dense import Dense
from daskgmm.gaussian.covariance.algebra.precision import SingularError
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.m_step import ILL_DEFINED, IllDefinedError
from daskgmm.gaussian.missing.patterns import Pattern
from daskgmm.gaussian.missing.row_by_row import in_order
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.parameters import Parameters

MATRICES, ALONG_AXES = "full", "diag"
"""Structures of the densities of observed values: other ones do not survive the loss of columns."""


def has_matrices(structure: Structure) -> bool:
    """Return whether values of different columns tell of each other, or their products count."""
    return max(structure.precision.detail, structure.statistic.detail) > 1


def unstructured(parameters: Parameters, structure: Structure) -> Parameters:
    """Return the same densities with a matrix, or variances, of each component."""
    k, d = parameters.means.shape
    form = structure.precision
    if has_matrices(structure):
        name, covariances = MATRICES, form.matrices(parameters.covariances, d)
    else:
        name, covariances = ALONG_AXES, form.diagonals(parameters.covariances, d)
    covariances = np.ascontiguousarray(np.broadcast_to(covariances, (k, *covariances.shape[1:])))
    if isinstance(form, Dense):
        # Those of proposals of acceleration are exact where covariances have been rounded.
        factors = np.broadcast_to(parameters.precisions_cholesky, covariances.shape).copy()
    else:
        factors = _factorised(name, covariances)
    return Parameters(
        name, parameters.weights, parameters.means, covariances, factors, parameters.log_weights
    )


def marginal(whole: Parameters, pattern: Pattern) -> Parameters:
    """Return the densities of observed columns, of `unstructured` parameters."""
    if pattern.all():
        return whole
    o = np.flatnonzero(pattern)
    columns = (slice(None), o[:, None], o) if whole.structure == MATRICES else (slice(None), o)
    covariances = np.ascontiguousarray(whole.covariances[columns])
    try:
        factors = STRUCTURES[whole.structure].precision.factorise(covariances)
    except SingularError:
        if whole.structure != MATRICES:
            raise
        factors = marginal_factors(whole.precisions_cholesky, o)
    means = np.ascontiguousarray(whole.means[:, o])
    return Parameters(
        whole.structure, whole.weights, means, covariances, factors, whole.log_weights
    )


def _factorised(name: str, covariances: Array) -> Array:
    try:
        return STRUCTURES[name].precision.factorise(covariances)
    except SingularError as error:
        raise IllDefinedError(ILL_DEFINED) from error


def marginal_factors(factors: Array, columns: NDArray[np.intp]) -> Array:
    r"""Return factors (k, o, o) of the precisions of some columns, from those (k, d, d) of all.

    With :math:`\Sigma = L L^T` and :math:`L_o^T = Q R` it is :math:`\Sigma_{oo} = R^T R`. No
    covariance is made, which would have the square of the condition of L.
    """
    rows = np.linalg.inv(factors)[:, :, columns]
    upper: Array = np.asarray(np.linalg.qr(rows, mode="r"))
    upper = upper * np.where(np.diagonal(upper, axis1=1, axis2=2) < 0, -1.0, 1.0)[:, :, None]
    return np.ascontiguousarray(np.linalg.inv(upper))


@dataclass(frozen=True, slots=True)
class Conditional:
    """Conditional Gaussian of the columns that a pattern misses, for each of k components.

    Attributes
    ----------
    observed, missing : ndarray of int
        Numbers of the columns.
    slopes : ndarray of shape (k, m, o), or None
        B; None where columns tell nothing of each other.
    covariances : ndarray of shape (k, m, m), or (k, m)
        C; variances without slopes.
    """

    observed: NDArray[np.intp]
    missing: NDArray[np.intp]
    slopes: Array | None
    covariances: Array

    @classmethod
    def of(cls, whole: Parameters, pattern: Pattern, observed: Parameters) -> Conditional:
        """Return the conditional distribution, given the `marginal` of the observed columns."""
        o, m = np.flatnonzero(pattern), np.flatnonzero(~pattern)
        if whole.structure == ALONG_AXES:
            return cls(o, m, None, whole.covariances[:, m])
        upper = observed.precisions_cholesky
        half = whole.covariances[:, m[:, None], o] @ upper
        slopes = half @ np.swapaxes(upper, 1, 2)
        left = whole.covariances[:, m[:, None], m] - half @ np.swapaxes(half, 1, 2)
        return cls(o, m, slopes, left)

    def expected_in(self, k: int, means: Array, x: Array) -> Array:
        """Return the expected missing values of rows x (b, o) in component k, (b, m) or (m,).

        Those of a row have the same bits whatever rows are beside it.
        """
        at: Array = means[k, self.missing]
        if self.slopes is not None:
            at = at + in_order(x - means[k, self.observed], self.slopes[k].T)
        return at

    def completion(self, means: Array, reference: Array, traces: Array, noise: float) -> Completion:
        r"""Return what makes moments of whole rows, about points (k, d), of those observed.

        A density with noise (`kernels.kernel.Kernel`) has it in the observed columns alone. M-steps
        add it to all, so that :math:`\varepsilon (R R^T - I)` is added here: then each step is an
        exact one. `traces` (k,) are those of the precisions of the observed columns.
        """
        o, m, offsets = self.observed, self.missing, means - reference
        k, d = means.shape
        at = np.zeros((k, d))
        if self.slopes is None:
            at[:, m] = offsets[:, m]
            left = np.zeros((k, d))
            left[:, m] = offsets[:, m] ** 2 + self.covariances - noise
            return Completion(o, None, at, left, traces)
        at[:, m] = offsets[:, m] - (self.slopes @ offsets[:, o, None])[:, :, 0]
        whole = np.zeros((k, d, len(o)))
        whole[:, o, np.arange(len(o))] = 1.0
        whole[:, m] = self.slopes
        left = at[:, :, None] * at[:, None, :]
        left[:, m[:, None], m] += self.covariances
        if noise:
            left += noise * (whole @ np.swapaxes(whole, 1, 2) - np.eye(d))
        return Completion(o, whole, at, left, traces)


@dataclass(frozen=True, slots=True)
class Completion:
    """Moments of whole rows from those of observed values, R x + e, with what is left beside.

    Attributes
    ----------
    observed : ndarray of int
        Numbers of the observed columns.
    whole : ndarray of shape (k, d, o), or None
        R; None where columns tell nothing of each other.
    at : ndarray of shape (k, d)
        e, 0 in the observed columns.
    left : ndarray of shape (k, d, d), or (k, d)
        Second moment that each row has beside, that of e among it; the diagonal without R.
    traces : ndarray of shape (k,)
        Traces of the precisions of the observed columns.
    """

    observed: NDArray[np.intp]
    whole: Array | None
    at: Array
    left: Array
    traces: Array

    def __call__(self, found: Moments) -> tuple[Array, Array]:
        """Return the first (k, d) and second moments, (k, d, d) or (k, d), of whole rows.

        Those `found` are of the observed columns, with all their products, or squares without R.
        """
        o, counts = self.observed, found.counts
        if self.whole is None:
            first, second = counts[:, None] * self.at, counts[:, None] * self.left
            first[:, o] += found.first
            second[:, o] += found.second
            return first, second
        second = packed.unpack(found.second, len(o))
        if len(o) == len(self.at[0]):
            return found.first, second
        ahead = (self.whole @ found.first[:, :, None])[:, :, 0]
        across = ahead[:, :, None] * self.at[:, None, :]
        second = self.whole @ second @ np.swapaxes(self.whole, 1, 2)
        second += across
        second += np.swapaxes(across, 1, 2)
        second += counts[:, None, None] * self.left
        return ahead + counts[:, None] * self.at, second
