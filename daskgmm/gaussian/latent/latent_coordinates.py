"""Latent coordinates of rows in a component of low rank, and the rows that these stand for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.low_rank.families import family_of
from daskgmm.gaussian.covariance.low_rank.precision import Axes, parts
from daskgmm.gaussian.latent.common_factors import SharedFactors
from daskgmm.gaussian.parameters import Parameters


def n_factors(parameters: Parameters) -> int:
    """Return the number of factors of each component; 0 of a structure without any.

    The name tells: workers do not have structures of one's own in their table.
    """
    found = family_of(parameters.structure)
    return 0 if found is None else found[1]


def latent_coordinates(parameters: Parameters, rows: Array, labels: NDArray[np.intp]) -> Array:
    r"""Return the posterior means of the factors of rows in their components, shape (b, q).

    :math:`E(z | x) = W^T \Sigma^{-1} (x - \mu)` (Ghahramani & Hinton 1996), NaN for a label
    below 0. Factors that components share have means in each (`common_factors`).

    Parameters
    ----------
    parameters : Parameters
        Of a structure with factors.
    rows : ndarray of shape (b, d)
    labels : ndarray of int, shape (b,)
    """
    shared = SharedFactors.of(parameters)
    if shared is not None:
        return shared.posterior_means(rows, labels)
    factors = parameters.precisions_cholesky
    found = np.full((len(rows), factors.shape[1] - 1), np.nan)
    for component in np.unique(labels[labels >= 0]).tolist():
        own = labels == component
        axes = Axes(factors[component : component + 1])
        # Loadings are orthogonal in units of the noise, so that E z_j = s_j b_j (x - mu).
        along = (rows[own] - parameters.means[component]) @ axes.projections[0].T
        found[own] = along * axes.shrinkage[0]
    return found


def reconstructed(parameters: Parameters, latent: Array, labels: NDArray[np.intp]) -> Array:
    """Return mu + W z for latent coordinates (b, q), shape (b, d); NaN for a label below 0."""
    shared = SharedFactors.of(parameters)
    if shared is not None:
        return shared.points(latent, labels)
    found = np.full((len(latent), parameters.n_features), np.nan)
    for component in np.unique(labels[labels >= 0]).tolist():
        own = labels == component
        (loadings,), _ = parts(parameters.covariances[component : component + 1])
        found[own] = latent[own] @ loadings + parameters.means[component]
    return found


def squared_errors(parameters: Parameters, rows: Array, labels: NDArray[np.intp]) -> Array:
    """Return the squared distances of rows (b, d) from their reconstructions, shape (b,)."""
    latent = latent_coordinates(parameters, rows, labels)
    left = rows - reconstructed(parameters, latent, labels)
    return np.asarray(np.einsum("bi,bi->b", left, left))
