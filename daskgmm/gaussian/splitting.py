"""One component into two, so that a component without rows gets some."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.structure import SingularError
from daskgmm.gaussian.structures import structure_of

Array = NDArray[np.float64]

APART = 0.5
"""Distance of either half from the old mean, in standard deviations along the longest axis."""


def revived(parameters: Parameters, dead: Sequence[int]) -> Parameters | None:
    """Return the mixture with each dead component on one half of the heaviest one left.

    The heaviest is split across its longest axis, so that both halves together have its weight,
    its mean and, where the structure allows it, its covariance.

    Returns
    -------
    Parameters or None
        None if a half has no positive definite covariance.
    """
    structure = structure_of(parameters)
    weights, means = parameters.weights.copy(), parameters.means.copy()
    covariances = parameters.covariances.copy()
    for component in dead:
        heaviest = int(np.argmax(weights))
        covariance = covariances if structure.shared else covariances[heaviest]
        axis, rest = _halved(covariance, parameters.n_features)
        weights[[heaviest, component]] = weights[heaviest] / 2
        means[component] = means[heaviest] + axis
        means[heaviest] -= axis
        if not structure.shared:
            covariances[[heaviest, component]] = rest
    try:
        factors = structure.factorise(covariances)
    except SingularError:
        return None
    return Parameters(parameters.structure, weights / weights.sum(), means, covariances, factors)


def _halved(covariance: Array, d: int) -> tuple[Array, Array]:
    """Return the shift along the longest axis, and the covariance of either half."""
    covariance = np.asarray(covariance)
    if covariance.ndim == 2:
        values, vectors = np.linalg.eigh(covariance)
        axis = APART * np.sqrt(max(values[-1], 0.0)) * vectors[:, -1]
        return axis, covariance - np.outer(axis, axis)
    variances = np.broadcast_to(covariance, d)
    longest = int(np.argmax(variances))
    axis = np.zeros(d)
    axis[longest] = APART * np.sqrt(variances[longest])
    # A spherical half keeps its mean variance: the axis takes a d-th of what it spans.
    return axis, covariance - (axis**2 if covariance.ndim else axis[longest] ** 2 / d)
