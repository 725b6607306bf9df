"""Extreme deconvolution written row by row, from the formulas of Bovy, Hogg & Roweis (2011)."""

from dataclasses import dataclass

import numpy as np


@dataclass
class Sums:
    """Sums over rows: N (k,), of b (k, d), of b b^T + B (k, d, d), and the log-likelihood."""

    counts: np.ndarray
    first: np.ndarray
    second: np.ndarray
    log_likelihood: float


def moments(x, noise, weights, means, covariances, of_rows=None, reg_covar=0.0, labels=None):
    """Return the sums for rows x (n, d) with covariances of noise (n, d, d), and labels or -1."""
    k, d = means.shape
    found = Sums(np.zeros(k), np.zeros((k, d)), np.zeros((k, d, d)), 0.0)
    for i, row in enumerate(x):
        weight = 1.0 if of_rows is None else of_rows[i]
        joint, b, left = np.empty(k), np.empty((k, d)), np.empty((k, d, d))
        for j in range(k):
            seen = covariances[j] + noise[i]
            scaled = np.linalg.solve(seen, row - means[j])
            joint[j] = np.log(weights[j]) - 0.5 * np.linalg.slogdet(2 * np.pi * seen)[1]
            joint[j] -= 0.5 * (row - means[j]) @ scaled
            joint[j] -= 0.5 * reg_covar * np.trace(np.linalg.inv(covariances[j]))
            b[j] = means[j] + covariances[j] @ scaled
            left[j] = covariances[j] - covariances[j] @ np.linalg.solve(seen, covariances[j])
            if labels is not None and labels[i] not in (-1, j):
                joint[j] = -np.inf
        density = np.logaddexp.reduce(joint)
        q = weight * np.exp(joint - density)
        found.log_likelihood += weight * density
        found.counts += q
        found.first += q[:, None] * b
        found.second += q[:, None, None] * (b[:, :, None] * b[:, None, :] + left)
    return found


def step(found, structure, reg_covar):
    """Return weights, means and covariances (k, d, d) of the structure."""
    d = found.first.shape[1]
    weights = found.counts / found.counts.sum()
    means = found.first / found.counts[:, None]
    each = found.second / found.counts[:, None, None] - means[:, :, None] * means[:, None, :]
    if structure == "tied":
        each = np.broadcast_to(np.tensordot(weights, each, 1), each.shape)
    if structure in ("diag", "spherical"):
        each = each * np.eye(d)
    if structure == "spherical":
        each = np.trace(each, axis1=1, axis2=2)[:, None, None] / d * np.eye(d)
    return weights, means, each + reg_covar * np.eye(d)


def log_densities(x, noise, weights, means, covariances):
    """Return log p of each row."""
    rows = zip(x, noise, strict=True)
    one = [moments(a[None], c[None], weights, means, covariances) for a, c in rows]
    return np.array([each.log_likelihood for each in one])
