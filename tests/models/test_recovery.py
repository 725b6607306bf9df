"""Data drawn from a mixture of each structure give its parameters back."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import wishart

from daskgmm import GaussianMixture
from daskgmm.gaussian.components.merging import covariance_matrices
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.testing.mixtures import random_mixture

pytestmark = pytest.mark.slow

N, K, D = 100_000, 2, 3

SEED = 2
"""Of 266 normal values the largest is above three standard errors in half of all samples."""

REPLICATIONS = 200


def truth(structure):
    """Return a mixture of two components so far apart that each row has its label."""
    mixture = random_mixture(structure, K, D, seed=4)
    return replace(
        mixture, weights=np.array([0.4, 0.6]), means=np.array([[0.0, 1.0, 2.0], [30.0, 1.0, -2.0]])
    )


def standard_errors(structure, mixture):
    """Return those of weights, means and matrices, of rows whose labels are known.

    Weights are a proportion, means averages; covariances are those that the M-step makes of
    scatters with Wishart distributions, in many replications.
    """
    matrices, counts = covariance_matrices(mixture), N * mixture.weights
    random, found = np.random.default_rng(0), []
    for _ in range(REPLICATIONS):
        drawn = [
            wishart.rvs(int(n) - 1, sigma, random_state=random) / n
            for n, sigma in zip(counts, matrices, strict=True)
        ]
        given = structure.statistic.form.of_matrices(np.array(drawn))
        if structure.statistic.pools:
            given = np.tensordot(mixture.weights, given, 1)[None]
        scatter = structure.scatter(mixture.covariances, counts[: len(given)], D)
        covariances = structure.maximise(replace(scatter, covariances=given), mixture.covariances)
        found.append(structure.precision.matrices(covariances, D))
    errors = np.sqrt(((np.array(found) - matrices[: len(found[0])]) ** 2).mean(0))
    of_means = np.sqrt(np.diagonal(matrices, 0, 1, 2) / counts[:, None])
    return np.sqrt(mixture.weights[0] * mixture.weights[1] / N), of_means, errors


@pytest.mark.parametrize("name", STRUCTURES)
def test_parameters_come_back_within_three_standard_errors(name):
    structure = STRUCTURES[name]
    mixture, random = truth(structure), np.random.default_rng(SEED)
    labels = random.choice(K, size=N, p=mixture.weights)
    roots = np.linalg.cholesky(covariance_matrices(mixture))
    x = mixture.means[labels] + np.einsum(
        "nij,nj->ni", roots[labels], random.normal(size=(N, D))
    )  # fmt: skip
    fitted = GaussianMixture(K, covariance_type=name, random_state=0, tol=1e-7).fit(x)
    order = np.argsort(fitted.means_[:, 0])
    found = fitted._parameters()
    of_weights, of_means, of_covariances = standard_errors(structure, mixture)
    off = (found.weights[order] - mixture.weights) / of_weights
    assert np.abs(off).max() < 3
    assert (np.abs(found.means[order] - mixture.means) / of_means).max() < 3
    matrices = covariance_matrices(found)[order]
    difference = np.abs(matrices - covariance_matrices(mixture))[: len(of_covariances)]
    known = of_covariances < 1e-9  # entries that the structure has as 0
    assert difference[known].max(initial=0.0) < 1e-9
    assert (difference[~known] / of_covariances[~known]).max() < 3
