"""Mixtures of any structure, made of weights, means and matrices."""

import numpy as np
from scipy.special import log_softmax

import daskgmm.gaussian.covariance.algebra.packed as packed
from daskgmm.gaussian import STRUCTURES, Parameters


def parameters_of(name, weights, means, matrices):
    """Return the parameters that have the parts of matrices (k, d, d) that a structure has."""
    structure = STRUCTURES[name]
    given = np.asarray(matrices, float)[: structure.n_covariances(len(means))]
    covariances = structure.precision.of_matrices(given)
    factors = structure.precision.factorise(np.ascontiguousarray(covariances))
    return Parameters(name, np.asarray(weights), np.asarray(means), covariances, factors)


def beside(chart, point):
    """Return weights, means and matrices of the mixture at a point of a `ScoreChart`."""
    own, d = chart.parameters, chart.parameters.n_features
    norms = np.where(np.equal(*packed.indices(d)), 2**0.5, 1.0)
    coordinates = np.asarray(chart.free @ point).reshape(own.n_components, -1)
    means, matrices = own.means.copy(), np.empty((own.n_components, d, d))
    for j, (factor, each) in enumerate(zip(own.precisions_cholesky, coordinates, strict=True)):
        scale = each[1 + d :]
        if chart.detail == 2:
            u, change = factor, packed.unpack(scale * norms, d)
        else:
            u = np.diag(np.broadcast_to(factor, d))
            change = np.eye(d) * scale * np.sqrt(2 / (d if chart.detail == 0 else 1))
        kept, lower = np.eye(d) - change, np.linalg.inv(u).T
        means[j] += lower @ np.linalg.solve(kept, each[1 : 1 + d])
        matrices[j] = np.linalg.inv(u @ kept @ u.T)
    return np.exp(log_softmax(np.log(own.weights) + coordinates[:, 0])), means, matrices
