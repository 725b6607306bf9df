"""Adaptation of a mixture to few rows: the prior mixture and the M-step, weighed by their rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.m_step import estimate, means_of
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.parameters import Parameters


def adapt(
    prior: Parameters,
    moments: Moments,
    relevance: Mapping[str, float],
    scale: float = 1.0,
    reg_covar: float = 0.0,
) -> Parameters:
    r"""Return a mixture adapted to rows (Reynolds, Quatieri & Dunn 2000, equations 11 to 14).

    Of a component with :math:`N_k` rows the data have the share
    :math:`\alpha_k = N_k / (N_k + r)`, a relevance r for each kind of parameter. Covariances are
    second moments about the adapted means, :math:`\Sigma_k = \alpha_k E_k (x - \mu_k)(x -
    \mu_k)^T + (1 - \alpha_k) (\Sigma_{0k} + (\mu_{0k} - \mu_k)(\mu_{0k} - \mu_k)^T)`. That is the
    published formula where means have the same relevance; where they have not, the published
    one depends on the origin. A shared covariance is the mean of these with the weights
    :math:`N_k + r`.

    Parameters
    ----------
    prior : Parameters
    moments : Moments
        Moments of the rows, under the prior or an earlier adaptation.
    relevance : mapping from str to float
        r in rows for each of `names.ADAPTED` that is adapted; not negative, possibly infinite.
    scale : float
        Rows that a weight of 1 counts for.
    reg_covar : float
        Added to the diagonals of the covariances of the rows, as in an M-step.

    Raises
    ------
    IllDefinedError
        If a covariance is singular.
    """
    counts = np.where(moments.empty, 0.0, scale * moments.counts)
    weights, means, covariances = prior.weights, prior.means, prior.covariances
    factors = prior.precisions_cholesky
    if "weights" in relevance:
        share = _shares(counts, relevance["weights"])
        weights = share * counts / counts.sum() + (1.0 - share) * prior.weights
        weights = weights / weights.sum()
    observed = means_of(moments, prior)
    if "means" in relevance:
        share = _shares(counts, relevance["means"])
        means = prior.means + share[:, None] * (observed - prior.means)
    if "covariances" in relevance:
        structure = STRUCTURES[prior.structure]
        scatter = structure.scatter_of(moments, reg_covar, covariances)
        within = np.asarray(structure.maximise(scatter, covariances), np.float64)
        data = _about(structure, within, observed - means, counts)
        old = _about(structure, covariances, prior.means - means, np.ones(len(counts)))
        rows, pseudo = counts, relevance["covariances"]
        if structure.shared:
            rows, pseudo = counts.sum(keepdims=True), pseudo * len(counts)
        share = _shares(rows, pseudo).reshape(-1, *[1] * (covariances.ndim - 1))
        covariances = share * data + (1.0 - share) * old
        scatter = structure.scatter(covariances, np.ones(len(covariances)), prior.n_features)
        found = estimate(structure, scatter, reg_covar, covariances, first=True)
        covariances, factors = found.covariances, found.factors
    return Parameters(prior.structure, weights, means, covariances, factors)


def _shares(counts: Array, relevance: float) -> Array:
    """Return N / (N + r), 0 where there are no rows."""
    return np.asarray(counts / np.where(counts > 0, counts + relevance, 1.0))


def _about(structure: Structure, covariances: Array, offsets: Array, counts: Array) -> Array:
    """Return second moments about points at offsets (k, d) from the means."""
    outer = offsets[:, :, None] * offsets[:, None, :]
    if structure.shared:
        outer = np.einsum("k,kij->ij", counts / counts.sum(), outer)[None]
    return np.asarray(covariances + structure.precision.of_matrices(outer))
