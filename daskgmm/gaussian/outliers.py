r"""Densities that make room for outliers, as columns of a kernel and back.

A uniform component (Banfield & Raftery 1993) is one more column, whose log joint density is the
same everywhere. Contaminated components (Punzo & McNicholas 2016) are pairs of Gaussians that share
a mean, :math:`\alpha N(\mu, \Sigma) + (1 - \alpha) N(\mu, \eta \Sigma)`: twice as many columns.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.log_weights import NO_WEIGHT, log_weights
from daskgmm.gaussian.moments import EMPTY, Moments
from daskgmm.gaussian.parameters import Parameters

LEAST_CLEAN = 0.5
"""Least proportion of a component that has its own covariance: outliers are the smaller part."""

LEAST_INFLATION = 1.001
"""Least factor of the covariance of outliers: at 1 their proportion has no meaning."""


def log_joint_of_noise(parameters: Parameters) -> float:
    """Return the log joint density of the uniform component, in nats."""
    weight, volume = parameters.noise_weight, parameters.log_volume
    if weight is None or volume is None or not weight > 0:
        return NO_WEIGHT
    return float(np.log(weight)) - volume


def box_sides(minimum: Array, maximum: Array, reg_covar: float) -> Array:
    r"""Return the sides (d,) of the box from `minimum` to `maximum`, (d,) each.

    No side is shorter than :math:`\sqrt{2 \pi \lambda}`, with :math:`\lambda` = `reg_covar`: in a
    constant column components have the variance :math:`\lambda` and, at its value, the density of
    one over that side. So it tells nothing of the outliers.
    """
    least = max(np.sqrt(2.0 * np.pi * reg_covar), float(np.finfo(np.float64).tiny))
    return np.asarray(np.maximum(maximum - minimum, least), np.float64)


def log_volume(sides: Array) -> float:
    """Return the logarithm of the volume of a box of these sides (d,)."""
    return float(np.log(sides).sum())


def loss_by_noise(sides: Array, noise: float) -> float:
    r"""Return the nats that the log density of a uniform component loses by noise of the rows.

    A Gaussian loses half the noise's variance by the variance of a column; a side L counts as the
    variance :math:`L^2 / 2 \pi`, so that a constant column costs both the same.
    """
    return float(0.5 * noise * (2.0 * np.pi / sides**2).sum())


def pairs_of(parameters: Parameters, noise: float = 0.0) -> Parameters:
    """Return contaminated components as 2 k Gaussian ones, outliers last; others as they are.

    Both of a pair have the same term of the `noise` of rows (see `Kernel`), so that the M-step
    which adds it to the covariance is exact.
    """
    if parameters.clean is None or parameters.inflation is None:
        return parameters
    precision, d = structure_of(parameters).precision, parameters.n_features
    clean, inflation, factors = parameters.clean, parameters.inflation, _of_each(parameters)
    logs, eta = log_weights(parameters), inflation.reshape(-1, *[1] * (factors.ndim - 1))
    dirty = 1.0 - clean
    traces = precision.traces(factors, d)
    outlying = np.where(dirty > 0, np.log(np.where(dirty > 0, dirty, 1.0)), NO_WEIGHT)
    outlying = outlying - 0.5 * noise * traces * (1.0 - 1.0 / inflation)
    covariances = np.broadcast_to(parameters.covariances, factors.shape)
    return replace(
        parameters,
        weights=np.concatenate([parameters.weights * clean, parameters.weights * dirty]),
        log_weights=np.maximum(np.concatenate([logs + np.log(clean), logs + outlying]), NO_WEIGHT),
        means=np.tile(parameters.means, (2, 1)),
        covariances=np.concatenate([covariances, eta * covariances]),
        precisions_cholesky=np.concatenate([factors, factors / np.sqrt(eta)]),
        clean=None,
        inflation=None,
    )


def joined(moments: Moments, parameters: Parameters) -> Moments:
    """Return moments of a kernel's columns as those of components, with what outliers need."""
    k = parameters.n_components
    if parameters.is_contaminated:
        return _of_pairs(moments, parameters)
    if not parameters.has_noise:
        return moments
    return replace(
        moments,
        sums=np.ascontiguousarray(moments.sums[:, :k]),
        reference=moments.reference[:k],
        noise=float(moments.counts[k]),
    )


def _of_pairs(moments: Moments, parameters: Parameters) -> Moments:
    r"""Return the moments of the components of pairs: the first of two conditional M-steps.

    It takes :math:`\alpha = N_{good} / N` and :math:`\eta` at the means and covariances of the
    pass. For that :math:`\eta` an outlier counts :math:`1 / \eta` in means and second moments,
    while covariances are divided by N.
    """
    assert parameters.clean is not None, "components are contaminated"
    assert parameters.inflation is not None, "components are contaminated"
    k, d = parameters.means.shape
    good, bad = moments.counts[:k], moments.counts[k:]
    some = bad > EMPTY * max(moments.weight, np.finfo(np.float64).tiny)
    distances = _squared_distances(moments, parameters)
    inflation = np.where(some, distances / (d * np.where(some, bad, 1.0)), parameters.inflation)
    inflation = np.maximum(inflation, LEAST_INFLATION)
    counts = good + bad
    full = counts > 0
    clean = np.where(full, good / np.where(full, counts, 1.0), parameters.clean)
    sums = moments.sums[:, :k] + moments.sums[:, k:] / inflation
    mean_counts = sums[0].copy()
    sums[0] = counts
    return replace(
        moments,
        sums=sums,
        reference=moments.reference[:k],
        prior_counts=(mean_counts, counts),
        clean=np.maximum(clean, LEAST_CLEAN),
        inflation=inflation,
    )


def _squared_distances(moments: Moments, parameters: Parameters) -> Array:
    """Return the weighted sum of squared Mahalanobis distances of each component's outliers."""
    structure, (k, d) = structure_of(parameters), parameters.means.shape
    factors, offsets = _of_each(parameters), parameters.means - moments.reference[:k]
    linear = structure.precision.multiply_precision(factors, offsets)
    quadratic = structure.statistic.quadratic(structure.precision, factors, d)
    bad, first, second = moments.counts[k:], moments.first[k:], moments.second[k:]
    squares: Array = (
        -2.0 * np.einsum("kq,kq->k", quadratic, second)
        - 2.0 * np.einsum("ki,ki->k", linear, first)
        + bad * np.einsum("ki,ki->k", offsets, linear)
    )
    return squares


def _of_each(parameters: Parameters) -> Array:
    """Return a factor of the precision for each component, shared or not."""
    factors, k = parameters.precisions_cholesky, parameters.n_components
    return np.broadcast_to(factors, (k, *factors.shape[1:]))
