"""Standard errors of structures that are narrower than their form, as equal volumes.

Against the sandwich of numerical derivatives, of covariances made of volumes, shapes and axes here.
"""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose

from daskgmm import GaussianMixture
from daskgmm.errors import SettingError

KINDS = ("VEI", "EVI", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV")
K, STEP = 2, 2e-3
CLOSE = {"tol": 1e-13, "max_iter": 20_000, "reg_covar": 0.0, "random_state": 0}
FIVE = ((-2, 1 / 12), (-1, -2 / 3), (1, 2 / 3), (2, -1 / 12))
"""Steps and factors of a first derivative, off by the fourth power of a step."""


def rows(d, n=300):
    """Return two clusters that follow none of the structures, in a random order."""
    random = np.random.default_rng(d)
    parts = []
    for center in (0.0, 2.5):
        root = np.eye(d) + 0.5 * random.normal(size=(d, d))
        parts.append(center + random.normal(size=(n, d)) @ root)
    return random.permutation(np.concatenate(parts))


X = {d: rows(d) for d in (2, 3)}


def matrices_of(mixture):
    found = np.asarray(mixture.covariances_)
    return np.stack([np.diag(each) if each.ndim == 1 else each for each in found])


def axes_of(matrices, shape, orientation):
    """Return the axes and the logarithms of the variances along them."""
    d = matrices.shape[1]
    if orientation == "I":
        axes = np.stack([np.eye(d)] * K)
    elif orientation == "V":
        axes = np.linalg.eigh(matrices)[1]
    else:  # of a sum in which no two axes have one variance
        own = matrices[0] if shape == "E" else matrices[0] + np.sqrt(2) * matrices[1]
        axes = np.stack([np.linalg.eigh(own)[1]] * K)
    inside = axes.swapaxes(1, 2) @ matrices @ axes
    logs = np.log(np.diagonal(inside, axis1=1, axis2=2))
    off = inside - np.exp(logs)[:, :, None] * np.eye(d)
    assert np.abs(off).max() < 1e-6 * inside.max()  # they are axes of all
    return axes, logs


def covariances_at(theta, kind, axes, logs):
    """Return covariances with changes of volumes, shapes and orientations, in turn."""
    (volume, shape, orientation), d = kind, axes.shape[1]
    theta = list(theta)

    def taken(letter, size):
        if letter == "I" or size == 0:
            return np.zeros((K, size))
        found = [[theta.pop(0) for _ in range(size)] for _ in range(1 if letter == "E" else K)]
        return np.broadcast_to(np.array(found), (K, size))

    volumes, shapes = taken(volume, 1), taken(shape, d - 1)
    turns = taken(orientation, d * (d - 1) // 2)
    assert not theta
    skew = np.zeros((K, d, d))
    skew[:, *np.triu_indices(d, 1)] = turns / 2
    skew -= skew.swapaxes(1, 2)
    # Cayley's rotation: to first order that of the matrix exponential.
    turned = axes @ np.linalg.solve(np.eye(d) - skew, np.eye(d) + skew)
    changes = np.concatenate([shapes, -shapes.sum(axis=1, keepdims=True)], axis=1) + volumes
    return (turned * np.exp(logs + changes)[:, None]) @ turned.swapaxes(1, 2)


def n_changes(kind, d):
    sizes = (1, d - 1, d * (d - 1) // 2)
    return sum(
        {"E": 1, "V": K, "I": 0}[letter] * size for letter, size in zip(kind, sizes, strict=True)
    )


def log_densities(theta, x, kind, axes, logs, means):
    d = x.shape[1]
    weights = np.append(theta[0], 0.0) - np.logaddexp(theta[0], 0.0)
    covariances = covariances_at(theta[1 + K * d :], kind, axes, logs)
    centred = x - (means + theta[1 : 1 + K * d].reshape(K, d))[:, None]  # (k, n, d)
    z = centred @ np.linalg.inv(np.linalg.cholesky(covariances)).swapaxes(1, 2)
    normalisers = np.linalg.slogdet(2 * np.pi * covariances)[1]
    return np.logaddexp.reduce(
        weights[:, None] - 0.5 * (np.einsum("knd,knd->kn", z, z) + normalisers[:, None])
    )


def slopes(function, at):
    """Return the first derivatives of a function, along the first axis."""
    steps = STEP * np.eye(len(at))
    return np.stack([sum(c * function(at + m * s) for m, c in FIVE) / STEP for s in steps])


def sandwich(x, mixture, kind):
    """Return the standard errors of a weight, the means and all entries of the covariances."""
    d, matrices = x.shape[1], matrices_of(mixture)
    axes, logs = axes_of(matrices, kind[1], kind[2])
    theta = np.zeros(1 + K * d + n_changes(kind, d))
    theta[0] = np.log(mixture.weights_[0] / mixture.weights_[1])
    args = x, kind, axes, logs, mixture.means_

    def scores(at):
        return slopes(lambda t: log_densities(t, *args), at)

    assert np.abs(scores(theta).sum(axis=1)).max() < 1e-2  # the maximum is that of this density
    curvature = -slopes(lambda t: scores(t).sum(axis=1), theta)
    found, n = scores(theta), len(x)
    centred = found - found.mean(axis=1, keepdims=True)
    inverse = np.linalg.inv((curvature + curvature.T) / 2)
    law = inverse @ (centred @ centred.T * n / (n - 1)) @ inverse
    change = slopes(
        lambda t: np.concatenate(
            [
                [1 / (1 + np.exp(-t[0]))],
                t[1 : 1 + K * d],
                covariances_at(t[1 + K * d :], kind, axes, logs).ravel(),
            ]
        ),
        theta,
    )
    return np.sqrt(np.einsum("ia,ij,ja->a", change, law, change))


@pytest.mark.parametrize(
    ("kind", "d"), [*((kind, 2) for kind in KINDS), ("EEV", 3), ("VVE", 3), ("VEI", 3)]
)
def test_errors_are_those_of_numerical_derivatives(kind, d):
    mixture = GaussianMixture(K, covariance_type=kind, **CLOSE).fit(X[d])
    found = mixture.standard_errors(X[d])
    assert found.unit == "row"
    wanted, k = sandwich(X[d], mixture, kind), 1 + K * d
    assert_allclose(found.weights, wanted[[0, 0]], rtol=1e-6)
    assert_allclose(found.means.ravel(), wanted[1:k], rtol=1e-6)
    covariances = wanted[k:].reshape(K, d, d)
    if kind.endswith("I"):
        assert_allclose(
            found.covariances.ravel(),
            np.diagonal(covariances, 0, 1, 2).ravel(),
            rtol=1e-6,
        )
    else:
        assert_allclose(found.covariances, covariances, rtol=1e-6)


def test_of_rows_that_count_the_same():
    counts = np.random.default_rng(0).integers(1, 4, len(X[2]))
    repeated = np.repeat(X[2], counts, axis=0)
    mixture = GaussianMixture(K, covariance_type="VEE", **CLOSE).fit(repeated)
    found = mixture.standard_errors(X[2], counts, weights_are="counts")
    wanted = mixture.standard_errors(repeated, blocks=len(repeated))
    assert found.units == wanted.units == len(repeated)
    assert_allclose(found.covariances, wanted.covariances, rtol=2e-3)  # n / (n - 1) apart


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["EVI", "VEE"])
def test_errors_are_those_of_a_bootstrap(kind):
    """Of 150 samples, the spread of which is known to 6 % each."""
    x, random = X[2], np.random.default_rng(0)
    settings = {**CLOSE, "covariance_type": kind, "tol": 1e-7}
    mixture = GaussianMixture(K, **settings).fit(x)
    begin = {
        "weights_init": mixture.weights_,
        "means_init": mixture.means_,
        "precisions_init": mixture.precisions_,
    }
    draws = []
    for _ in range(150):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            again = GaussianMixture(K, **settings, **begin).fit(
                x[random.integers(len(x), size=len(x))]
            )
        draws.append(np.concatenate([again.means_.ravel(), np.ravel(again.covariances_)]))
    found = mixture.standard_errors(x)
    own = np.concatenate([found.means.ravel(), found.covariances.ravel()])
    ratios = own / np.std(draws, axis=0, ddof=1)
    assert 0.8 < ratios.min() < ratios.max() < 1.25
    assert abs(np.median(ratios) - 1) < 0.1


def test_what_is_refused_says_why():
    x = X[3]
    factors = GaussianMixture(K, covariance_type="ppca", n_factors=1, random_state=0).fit(x)
    with pytest.raises(SettingError, match="loadings are known up to rotations alone"):
        factors.standard_errors(x)
    prior = GaussianMixture(K, covariance_type="EVI", prior="conjugate", random_state=0).fit(x)
    with pytest.raises(SettingError, match="the curvature of a prior is not computed"):
        prior.standard_errors(x)
