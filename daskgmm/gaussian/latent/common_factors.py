r"""Latent coordinates of rows where all components share the factors: one picture for all.

A row is :math:`x = \mu_0 + W^T u + e`, with :math:`u | k \sim N(\xi_k, \Omega_k)`. The mean of u
over all components is 0 and its covariance the identity, so that W and the noise are those of a
factor analysis of all rows; loadings are orthogonal in units of the noise, in falling order, with
the largest entry positive.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.low_rank.common_factors import CommonFactors
from daskgmm.gaussian.covariance.low_rank.factor_analysis import signed
from daskgmm.gaussian.covariance.low_rank.families import family_of
from daskgmm.gaussian.parameters import Parameters


@dataclass(frozen=True, slots=True)
class SharedFactors:
    r"""The factors of a mixture whose components share them.

    Attributes
    ----------
    center : ndarray of shape (d,)
        Mean of the mixture, mu_0.
    loadings : ndarray of shape (q, d)
        W.
    noise : ndarray of shape (d,)
        Noise variances.
    means : ndarray of shape (k, q)
        Means of the factors in the components, xi.
    covariances : ndarray of shape (k, q, q)
        Covariances of the factors in the components, Omega.
    """

    center: Array
    loadings: Array
    noise: Array
    means: Array
    covariances: Array

    @classmethod
    def of(cls, parameters: Parameters) -> SharedFactors | None:
        """Return the factors of parameters; None if components do not share them."""
        found = family_of(parameters.structure)
        if found is None or found[0] != CommonFactors.family:
            return None  # workers do not have structures of one's own in their table
        structure = CommonFactors(found[1])
        subspace = structure.subspace(parameters.covariances)
        shares, root = parameters.weights / parameters.weights.sum(), subspace.root
        center = shares @ parameters.means
        means = (parameters.means - center) * root @ subspace.vectors.T
        within = subspace.within(parameters.covariances)
        total = np.tensordot(shares, within, 1) + (shares * means.T) @ means
        values, turn = np.linalg.eigh(total)
        lengths = np.sqrt(np.maximum(values[::-1], np.finfo(np.float64).tiny))
        rows = signed(turn.T[::-1] @ subspace.vectors)
        loadings = lengths[:, None] * rows / root
        turn = (rows @ subspace.vectors.T) / lengths[:, None]  # from coordinates along V
        return cls(center, loadings, subspace.noise, means @ turn.T, turn @ within @ turn.T)

    def posterior_means(self, rows: Array, labels: NDArray[np.intp]) -> Array:
        r"""Return the means of the factors of rows (b, d) in their components, shape (b, q).

        :math:`\xi + (\Omega^{-1} + W \Psi^{-1} W^T)^{-1} W \Psi^{-1} (x - \mu_k)`, the normal
        distribution of u given x, NaN for a label below 0.
        """
        found = np.full((len(rows), len(self.loadings)), np.nan)
        weighed = self.loadings / self.noise
        precision = weighed @ self.loadings.T
        seen = (rows - self.center) @ weighed.T
        identity = np.eye(len(precision))
        for component in np.unique(labels[labels >= 0]).tolist():
            own, mean = labels == component, self.means[component]
            within = self.covariances[component]
            gain = np.linalg.solve(identity + within @ precision, within)
            found[own] = mean + (seen[own] - precision @ mean) @ gain.T
        return found

    def points(self, latent: Array, labels: NDArray[np.intp]) -> Array:
        """Return mu_0 + W u for factors (b, q), shape (b, d); NaN for a label below 0."""
        found: Array = self.center + latent @ self.loadings
        found[labels < 0] = np.nan
        return found
