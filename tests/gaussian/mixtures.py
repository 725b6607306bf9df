"""Mixtures of any structure, made of weights, means and matrices."""

import numpy as np

from daskgmm.gaussian import STRUCTURES, Parameters


def parameters_of(name, weights, means, matrices):
    """Return the parameters that have the parts of matrices (k, d, d) that a structure has."""
    structure = STRUCTURES[name]
    given = np.asarray(matrices, float)[: structure.n_covariances(len(means))]
    covariances = structure.precision.of_matrices(given)
    factors = structure.precision.factorise(np.ascontiguousarray(covariances))
    return Parameters(name, np.asarray(weights), np.asarray(means), covariances, factors)
