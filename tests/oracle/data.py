"""Data sets that have a right answer."""

import numpy as np

STRUCTURES = ("full", "tied", "diag", "spherical")


def blobs(n=600, d=3, k=3, seed=0, separation=4.0):
    """Return n rows around k centres, with different spreads and correlations."""
    random = np.random.default_rng(seed)
    means = random.normal(size=(k, d)) * separation
    factors = random.normal(size=(k, d, d)) / np.sqrt(d) + 0.5 * np.eye(d)
    labels = random.integers(k, size=n)
    noise = random.normal(size=(n, d))
    return means[labels] + np.einsum("nij,nj->ni", factors[labels], noise)


def in_structure(covariances, covariance_type):
    """Return covariances of equally many rows, (k, 2, 2), as the structure has them."""
    return {
        "full": covariances,
        "tied": covariances.mean(0),
        "diag": covariances[:, [0, 1], [0, 1]],
        "spherical": covariances[:, [0, 1], [0, 1]].mean(1),
    }[covariance_type]


def start_for(X, k, covariance_type, seed=0):
    """Return weights, means and precisions to begin with, far from converged."""
    random = np.random.default_rng(seed)
    weights = random.dirichlet(np.full(k, 5.0))
    means = X[random.choice(len(X), k, replace=False)] + 0.1
    spread = np.cov(X.T) + 1e-3 * np.eye(X.shape[1])
    precisions = {
        "full": np.stack([np.linalg.inv(spread * (1 + 0.2 * j)) for j in range(k)]),
        "tied": np.linalg.inv(spread),
        "diag": np.stack([1 / (np.diag(spread) * (1 + 0.2 * j)) for j in range(k)]),
        "spherical": np.array([1 / (np.diag(spread).mean() * (1 + 0.2 * j)) for j in range(k)]),
    }[covariance_type]
    return {
        "weights_init": weights / weights.sum(),
        "means_init": means,
        "precisions_init": precisions,
    }
