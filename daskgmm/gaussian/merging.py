"""Two components into one: the pair that costs least, by its moments."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.structures import structure_of

Array = NDArray[np.float64]


def merged(parameters: Parameters) -> Parameters:
    r"""Return the mixture with its two components merged that are most alike.

    The pair has the smallest bound on what the merge loses (Runnalls 2007),
    :math:`\frac{1}{2} ((\pi_i + \pi_j) \log|\Sigma_{ij}| - \pi_i \log|\Sigma_i| - \pi_j
    \log|\Sigma_j|)`; the merged one has the moments of both.
    """
    structure, weights = structure_of(parameters), parameters.weights
    k, d = parameters.means.shape
    dense = _dense(parameters)
    logs = np.linalg.slogdet(dense)[1]
    rows, columns = np.triu_indices(k, 1)
    covariances = _pooled(parameters, dense, rows, columns)
    if structure.name == "diag":
        covariances = covariances * np.eye(d)
    elif structure.name == "spherical":
        covariances = np.eye(d) * (np.trace(covariances, axis1=1, axis2=2) / d)[:, None, None]
    costs = (weights[rows] + weights[columns]) * np.linalg.slogdet(covariances)[1]
    costs -= weights[rows] * logs[rows] + weights[columns] * logs[columns]
    pair = int(np.argmin(costs))
    i, j = int(rows[pair]), int(columns[pair])
    weight = weights[i] + weights[j]
    means = parameters.means.copy()
    means[i] = (weights[i] * means[i] + weights[j] * means[j]) / weight
    kept = np.arange(k) != j
    together = weights.copy()
    together[i] = weight
    shaped = parameters.covariances
    if not structure.shared:
        shaped = shaped.copy()
        shaped[i] = structure.repeat(covariances[pair], 1)[0]
        shaped = shaped[kept]
    factors = structure.factorise(shaped)
    return Parameters(parameters.structure, together[kept], means[kept], shaped, factors)


def _pooled(
    parameters: Parameters, dense: Array, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> Array:
    """Return the covariances of pairs of components taken together, shape (pairs, d, d)."""
    first, second = parameters.weights[rows], parameters.weights[columns]
    share = (first / np.maximum(first + second, np.finfo(np.float64).tiny))[:, None, None]
    apart = parameters.means[rows] - parameters.means[columns]
    between = apart[:, :, None] * apart[:, None, :]
    pooled: Array = share * dense[rows] + (1 - share) * dense[columns]
    return pooled + share * (1 - share) * between


def _dense(parameters: Parameters) -> Array:
    """Return the covariances of any structure as matrices, shape (k, d, d)."""
    k, d = parameters.means.shape
    covariances = parameters.covariances
    if covariances.ndim == 3:
        return covariances
    if structure_of(parameters).shared:
        return np.broadcast_to(covariances, (k, d, d))
    return np.eye(d) * np.broadcast_to(covariances.reshape(k, -1), (k, d))[:, None, :]
