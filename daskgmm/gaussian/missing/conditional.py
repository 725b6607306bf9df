r"""What observed values tell of missing ones, for one pattern of missing values.

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

import daskgmm.gaussian.covariance.packed as packed
from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.missing.patterns import Pattern
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
    factors = STRUCTURES[name].precision.factorise(covariances)
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
    factors = STRUCTURES[whole.structure].precision.factorise(covariances)
    means = np.ascontiguousarray(whole.means[:, o])
    return Parameters(
        whole.structure, whole.weights, means, covariances, factors, whole.log_weights
    )


@dataclass(frozen=True, slots=True)
class Conditional:
    """What a pattern tells of the columns that it misses, for each of k components.

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
        """Return the expected missing values of rows x (b, o) in component k, (b, m) or (m,)."""
        at: Array = means[k, self.missing]
        if self.slopes is not None:
            at = at + (x - means[k, self.observed]) @ self.slopes[k].T
        return at

    def filled(
        self, found: Moments, means: Array, reference: Array, noise: float
    ) -> tuple[Array, Array]:
        r"""Return the first (k, d) and second moments, (k, d, d) or (k, d), of whole rows.

        A density with noise (`kernels.kernel.Kernel`) has it in the observed columns alone. M-steps
        add it to all, so that :math:`\varepsilon (R R^T - I)` is added here: then each step is an
        exact one.

        Parameters
        ----------
        found : Moments
            Of the observed columns, with all their products, or squares without slopes.
        means, reference : ndarray of shape (k, d)
            Means, and the points that the moments are about.
        noise : float
        """
        o, m, counts, offsets = self.observed, self.missing, found.counts, means - reference
        k, d = means.shape
        first = np.empty((k, d))
        first[:, o] = found.first
        if self.slopes is None:
            first[:, m] = counts[:, None] * offsets[:, m]
            second = np.empty((k, d))
            second[:, o] = found.second
            left = self.covariances - noise
            second[:, m] = counts[:, None] * (offsets[:, m] ** 2 + left)
            return first, second
        of_observed = packed.unpack(found.second, len(o))
        if not len(m):
            return first, of_observed
        slopes, turned = self.slopes, np.swapaxes(self.slopes, 1, 2)
        # What is expected of missing values is at + B (x_o - r_o), about the reference.
        at = offsets[:, m] - np.einsum("kmo,ko->km", slopes, offsets[:, o])
        ahead = np.einsum("kmo,ko->km", slopes, found.first)
        first[:, m] = ahead + counts[:, None] * at
        across = slopes @ of_observed + at[:, :, None] * found.first[:, None, :]
        within = slopes @ of_observed @ turned + counts[:, None, None] * self.covariances
        within += ahead[:, :, None] * at[:, None, :] + at[:, :, None] * first[:, None, m]
        if noise:
            added = noise * counts[:, None, None]
            across = across + added * slopes
            within += added * (slopes @ turned - np.eye(len(m)))
        second = np.empty((k, d, d))
        second[:, o[:, None], o] = of_observed
        second[:, m[:, None], o] = across
        second[:, o[:, None], m] = np.swapaxes(across, 1, 2)
        second[:, m[:, None], m] = (within + np.swapaxes(within, 1, 2)) / 2
        return first, second
