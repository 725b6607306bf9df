"""Mixtures of a structure as near as it has them to given covariances, to start from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.m_step import IllDefinedError, estimate
from daskgmm.gaussian.parameters import Parameters


def projected(
    structure_name: str, weights: Array, means: Array, covariances: Array, reg_covar: float = 0.0
) -> Parameters | None:
    """Return the mixture, most likely for components with the moments of the given ones, or None.

    It has the covariances themselves if they are in the structure. Singular ones get a ridge if
    `reg_covar`, which is not added, is positive; there is no mixture if it is 0.
    """
    structure = STRUCTURES[structure_name]
    counts = np.ones(1) if structure.shared else weights
    scatter = replace(structure.scatter(covariances, counts, means.shape[1]), means=means)
    try:
        found = estimate(structure, scatter, reg_covar, covariances, first=True)
    except IllDefinedError:
        return None
    means = structure.placed(means, weights / weights.sum(), found.covariances)
    return Parameters(structure_name, weights, means, found.covariances, found.factors)
