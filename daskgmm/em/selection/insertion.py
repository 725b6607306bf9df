"""A new component where a mixture explains rows worst: rare clusters, which k-means does not see.

A cluster of ten rows in 100,000 lowers the sum of squares of k-means by less than cutting the
others in two does. Greedy EM (Verbeek, Vlassis & Kroese 2003) looks for such rows instead.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.gaussian.components.projection import projected
from daskgmm.gaussian.coordinates import whitening
from daskgmm.gaussian.covariance.algebra.precision import SingularError
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.parameters import Parameters

WORST = 200
"""Rows of the lowest densities that are looked at."""

MOST_SURPRISE = 50.0
"""Nats that a row counts at most: a single fill value is no cluster."""

LEAST_WIDTH = 0.1
"""Standard deviation of a new component, in every direction, as a part of its radius."""


def inserted(
    parameters: Parameters,
    x: NDArray[Any],
    counts: Array,
    densities: Array,
    reg_covar: float,
) -> Parameters | None:
    """Return the mixture with one component more, on the worst explained rows that are together.

    Of the rows x (m, d) there are `counts` (m,), and log densities (m,) under the mixture. The
    new component is no narrower than M-steps with `reg_covar` make it. Return None if no two of
    these rows are together, or their covariance is singular.
    """
    shares = counts / counts.sum()
    worst = np.argsort(densities, kind="stable")[:WORST]
    surprise = np.clip(shares @ densities - densities[worst], 0.0, MOST_SURPRISE)
    center = shares @ x
    spread = (x - center).T @ ((x - center) * shares[:, None])
    axes = whitening(spread)
    z, means = (x[worst] - center) @ axes, (parameters.means - center) @ axes
    # Together is what is nearer than half of the way to a component: axes (row, row), (row, k).
    radius = 0.5 * _distances(z, means).min(axis=1)
    together = _distances(z, z) <= radius[:, None]
    best = int(np.argmax(together @ (shares[worst] * surprise)))
    members = worst[together[best]]
    if len(members) < 2:
        return None
    own = shares[members] / shares[members].sum()
    mean = own @ x[members]
    difference = x[members] - mean
    covariance = difference.T @ (difference * own[:, None])
    covariance += (LEAST_WIDTH * radius[best]) ** 2 * spread
    return _with_component(parameters, float(shares[members].sum()), mean, covariance, reg_covar)


def _with_component(
    parameters: Parameters, weight: float, mean: Array, covariance: Array, reg_covar: float
) -> Parameters | None:
    structure = structure_of(parameters)
    weights = np.append((1 - weight) * parameters.weights, weight)
    wider = replace(parameters, weights=weights, means=np.vstack([parameters.means, mean]))
    if structure.shared:
        return wider
    precision = structure.precision
    own = precision.of_matrices(covariance[None])
    if not structure.free:
        own = precision.raised(own, reg_covar)
        covariances = np.concatenate([parameters.covariances, own])
        return projected(structure.name, weights, wider.means, covariances)
    try:
        precision.factorise(own)
        own = precision.raised(own, reg_covar)
        factor = precision.factorise(own)
    except SingularError:
        return None
    factors = np.concatenate([parameters.precisions_cholesky, factor])
    covariances = np.concatenate([parameters.covariances, own])
    return replace(wider, covariances=covariances, precisions_cholesky=factors)


def _distances(one: Array, other: Array) -> Array:
    """Return the distances between points (m, r) and (l, r), shape (m, l)."""
    squares = (one**2).sum(1)[:, None] + (other**2).sum(1) - 2 * one @ other.T
    distances: Array = np.sqrt(np.maximum(squares, 0.0))
    return distances
