"""Moments that parameters stand for, and moments about other points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.algebra.precision import Precision
from daskgmm.gaussian.covariance.algebra.statistic import Statistic
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.parameters import Parameters


def implied_moments(parameters: Parameters, weight: float, reg_covar: float) -> Moments:
    r"""Return the moments of which parameters are the M-step, of rows of this weight.

    About the means, :math:`N_k = W \pi_k`, no first moments, and
    :math:`N_k (\Sigma_k - \epsilon I)` with `reg_covar` for :math:`\epsilon`. Of structures that
    are `free` the M-step returns the same parameters, so that nothing is lost that a later one
    needs.
    """
    structure, (k, d) = structure_of(parameters), parameters.means.shape
    statistic, form = structure.statistic, structure.precision
    counts = weight * parameters.weights
    covariances = form.raised(parameters.covariances, -reg_covar)
    pooled = None
    if statistic.pools:
        pooled = counts.sum() * form.matrices(covariances, d)[0]
        second = np.empty((k, 0))
    else:
        second = counts[:, None] * _quadratic(statistic, form, covariances, d)
    sums = np.concatenate([counts[:, None], np.zeros((k, d)), second], axis=1).T
    return Moments(sums, parameters.means, pooled, 0.0, weight, 0)


def _quadratic(statistic: Statistic, form: Precision, covariances: Array, d: int) -> Array:
    """Return the quadratic entries of T(x) of covariances, (k, q) or (1, q)."""
    if statistic.detail == 2:
        return statistic.of_matrices(form.matrices(covariances, d))
    variances = form.diagonals(covariances, d)
    return variances if statistic.detail == 1 else variances.sum(axis=1, keepdims=True)


def moments_about(moments: Moments, statistic: Statistic, points: Array) -> Moments:
    r"""Return the same moments about other points (k, d).

    With :math:`\delta_k` the old point less the new one, :math:`S'_k = S_k + N_k \delta_k` and
    :math:`SS'_k = SS_k + S_k \delta_k^T + \delta_k S_k^T + N_k \delta_k \delta_k^T`.
    """
    if np.array_equal(moments.reference, points):
        return moments
    counts, first, delta = moments.counts[:, None], moments.first, moments.reference - points
    shifted = first + counts * delta
    second, pooled = moments.second, moments.pooled
    if statistic.pools:
        assert pooled is not None, "the statistic pools"
        pooled = pooled + first.T @ delta + delta.T @ shifted
    elif statistic.detail == 2:
        # Symmetric but for rounding, and packed entries take one of two.
        outer = first[:, :, None] * delta[:, None, :] + delta[:, :, None] * shifted[:, None, :]
        second = second + statistic.of_matrices(outer)
    else:
        squares = (first + shifted) * delta
        second = second + (squares if statistic.detail == 1 else squares.sum(1, keepdims=True))
    sums = np.concatenate([counts, shifted, second], axis=1).T
    return replace(moments, sums=sums, reference=points, pooled=pooled)


def difference(moments: Moments, part: Moments) -> Moments:
    """Return the moments of rows without a part of them, about the same points."""
    pooled = None
    if moments.pooled is not None and part.pooled is not None:
        pooled = moments.pooled - part.pooled
    sums = moments.sums - part.sums
    sums[0] = np.maximum(sums[0], 0.0)  # by rounding they may be below
    weight = max(0.0, moments.weight - part.weight)
    return Moments(sums, moments.reference, pooled, 0.0, weight, max(0, moments.rows - part.rows))


def scaled_moments(moments: Moments, factor: float) -> Moments:
    """Return the moments of rows whose weights are so many times as large."""
    if factor == 1:
        return moments
    pooled = None if moments.pooled is None else factor * moments.pooled
    return replace(
        moments,
        sums=factor * moments.sums,
        pooled=pooled,
        log_likelihood=factor * moments.log_likelihood,
        weight=factor * moments.weight,
    )


def expected_log_likelihood(moments: Moments, parameters: Parameters) -> float:
    r"""Return :math:`\sum_n w_n \sum_k \gamma_{nk} \log \pi_k N(x_n | \mu_k, \Sigma_k)`, in nats.

    The responsibilities are those of the moments, of which `reference` must be the means.
    """
    structure, d = structure_of(parameters), parameters.n_features
    form, statistic, counts = structure.precision, structure.statistic, moments.counts
    factors, used = parameters.precisions_cholesky, moments.counts > 0
    logs = np.log(parameters.weights, out=np.zeros(len(counts)), where=used)
    logs = logs + form.log_determinants(factors, d) - 0.5 * d * np.log(2 * np.pi)
    total = float(counts @ logs)
    if statistic.pools:
        precision = form.precision_matrices(factors, d)[0]
        return total - 0.5 * float(np.sum(precision * moments.pooled))
    return total + float(np.sum(statistic.quadratic(form, factors, d) * moments.second))
