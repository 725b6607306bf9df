"""Standard errors of objectives that are not the likelihood of Gaussians alone: noise, priors.

Against the sandwich of numerical derivatives, of densities that are written here.
"""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.special import logsumexp

from daskgmm import ConjugatePrior, GaussianMixture, load_model
from daskgmm.errors import SettingError
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.priors.table import pseudo_moments_of

R = np.random.default_rng(3)
D, STEP = 2, 1e-4
CLEAN = R.normal(size=(240, D)) @ [[1.0, 0.4], [0.0, 0.7]] + np.repeat([[0.0, 0], [3.5, 1]], 120, 0)
DIRTY = np.concatenate([CLEAN, R.uniform(-9, 12, size=(40, D))])
CLOSE = {"tol": 1e-12, "max_iter": 5000, "reg_covar": 0.0, "random_state": 0}
SCALE = 25.0 * np.eye(D)
PRIOR = ConjugatePrior(
    mean_count=6.0, mean=[0.5, 0.2], degrees_of_freedom=30.0, scale=SCALE, concentration=9.0
)
ROWS, COLUMNS = np.tril_indices(D)


def covariances_at(theta, covariance_type, k):
    """Return the covariances (k, d, d) of their free numbers."""
    if covariance_type == "full":
        found = np.zeros((k, D, D))
        found[:, ROWS, COLUMNS] = found[:, COLUMNS, ROWS] = theta.reshape(k, -1)
        return found
    if covariance_type == "tied":
        return np.repeat(covariances_at(theta, "full", 1), k, axis=0)
    if covariance_type == "diag":
        return np.stack([np.diag(each) for each in theta.reshape(k, D)])
    if covariance_type == "EII":
        return np.repeat(theta[0] * np.eye(D)[None], k, axis=0)
    return theta[:, None, None] * np.eye(D)  # spherical


def free_numbers(mixture, covariance_type):
    found = np.asarray(mixture.covariances_)
    if covariance_type in ("full", "tied"):
        return found[..., ROWS, COLUMNS].ravel()
    return found.ravel()[:1] if covariance_type == "EII" else found.ravel()


def parts_of(theta, mixture, covariance_type, *, equal=False):
    """Return weights, that of the noise last if there is one, means and covariances."""
    k, noisy = len(mixture.weights_), mixture.noise
    n_odds = (1 if noisy else 0) if equal else k - 1 + noisy
    odds = np.zeros(k + noisy)
    odds[len(odds) - n_odds :] = theta[:n_odds]
    weights = np.exp(odds - logsumexp(odds))
    means = theta[n_odds : n_odds + k * D].reshape(k, D)
    return weights, means, covariances_at(theta[n_odds + k * D :], covariance_type, k)


def log_densities(theta, x, mixture, covariance_type, **how):
    weights, means, covariances = parts_of(theta, mixture, covariance_type, **how)
    joint = []
    for weight, mean, covariance in zip(weights, means, covariances, strict=False):
        z = np.linalg.solve(np.linalg.cholesky(covariance), (x - mean).T)
        normaliser = np.linalg.slogdet(2 * np.pi * covariance)[1]
        joint.append(np.log(weight) - 0.5 * ((z * z).sum(axis=0) + normaliser))
    if mixture.noise:
        joint.append(np.full(len(x), np.log(weights[-1]) - np.log(np.ptp(x, axis=0)).sum()))
    return logsumexp(joint, axis=0)


def log_prior(theta, x, mixture, covariance_type, **how):
    """Return the log density of the prior, as its pseudo-moments say."""
    weights, means, covariances = parts_of(theta, mixture, covariance_type, **how)
    k, structure = len(means), STRUCTURES[mixture._structure_name]
    prior = pseudo_moments_of(mixture.prior, k, x.mean(0), np.cov(x.T, ddof=0), structure)
    total = prior.counts @ np.log(weights[:k])
    counts = np.broadcast_to(prior.scale_counts / (k // len(prior.scale_counts)), (k,))
    scales = np.broadcast_to(prior.scales, (k, D, D)) / (k // len(prior.scale_counts))
    for j in range(k):
        inverse, shift = np.linalg.inv(covariances[j]), means[j] - prior.means[j]
        total -= 0.5 * counts[j] * np.linalg.slogdet(covariances[j])[1]
        total -= 0.5 * (inverse * scales[j]).sum()
        total -= 0.5 * prior.mean_counts[j] * shift @ inverse @ shift
    return total


def sandwich(x, mixture, covariance_type, **how):
    """Return the standard errors of weights, means and free numbers of the covariances."""
    w = np.append(mixture.weights_, 1 - mixture.weights_.sum() if mixture.noise else [])
    odds = np.log(w / w[0])[len(w) - (len(w) - 1 if not how else int(mixture.noise)) :]
    theta = np.concatenate([odds, mixture.means_.ravel(), free_numbers(mixture, covariance_type)])
    steps = STEP * np.eye(len(theta))

    def scores(at):
        pairs = ((at + step, at - step) for step in steps)
        args = x, mixture, covariance_type
        return np.stack(
            [(log_densities(a, *args, **how) - log_densities(b, *args, **how)) / (2 * STEP)
             for a, b in pairs]
        )  # fmt: skip

    def slope(at):
        total = scores(at).sum(axis=1)
        if mixture.prior is not None:
            args = x, mixture, covariance_type
            total += [
                (log_prior(at + s, *args, **how) - log_prior(at - s, *args, **how)) / (2 * STEP)
                for s in steps
            ]
        return total

    assert np.abs(slope(theta)).max() < 1e-3  # the mode is that of this density
    curvature = -np.stack([(slope(theta + s) - slope(theta - s)) / (2 * STEP) for s in steps])
    found, n = scores(theta), len(x)
    centred = found - found.mean(axis=1, keepdims=True)
    inverse = np.linalg.inv((curvature + curvature.T) / 2)
    law = inverse @ (centred @ centred.T * n / (n - 1)) @ inverse
    change = np.stack(
        [
            (parts_of(theta + s, mixture, covariance_type, **how)[0]
             - parts_of(theta - s, mixture, covariance_type, **how)[0]) / (2 * STEP)
            for s in steps
        ],
        axis=1,
    )  # fmt: skip
    own = np.sqrt(np.diagonal(law))[len(odds) :]
    k = len(mixture.weights_)
    weights = np.sqrt(np.einsum("ij,jl,il->i", change, law, change))[:k]
    return weights, own[: k * D], own[k * D :]


def check(found, mixture, x, covariance_type, **how):
    weights, means, covariances = sandwich(x, mixture, covariance_type, **how)
    assert_allclose(found.weights, weights, rtol=2e-4, atol=1e-8)
    assert_allclose(found.means.ravel(), means, rtol=2e-4)
    own = found.covariances
    if covariance_type in ("full", "tied"):
        own = own[..., ROWS, COLUMNS]
    assert_allclose(own.ravel()[: len(covariances)], covariances, rtol=2e-4)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "EII"])
def test_the_mode_under_a_prior(covariance_type):
    settings = {**CLOSE, "covariance_type": covariance_type, "prior": PRIOR}
    mixture = GaussianMixture(2, **settings).fit(CLEAN)
    found = mixture.standard_errors(CLEAN)
    assert found.unit == "row"
    check(found, mixture, CLEAN, covariance_type)


@pytest.mark.parametrize(
    ("covariance_type", "settings"),
    [("full", {}), ("diag", {"equal_weights": True}), ("EII", {"prior": PRIOR})],
)
def test_a_uniform_component(covariance_type, settings):
    settings = {**CLOSE, "covariance_type": covariance_type, "noise": True, **settings}
    mixture = GaussianMixture(2, **settings).fit(DIRTY)
    how = {"equal": True} if mixture.equal_weights else {}
    check(mixture.standard_errors(DIRTY), mixture, DIRTY, covariance_type, **how)


def test_a_prior_of_one_gaussian_has_closed_forms():
    """The mean is (n x + m mu) / (n + m), so that rows move it n / (n + m) times as far."""
    prior = ConjugatePrior(mean_count=40.0, mean=[2.0, 1.0])
    mixture = GaussianMixture(1, prior=prior, **CLOSE).fit(CLEAN)
    n = len(CLEAN)
    wanted = CLEAN.std(axis=0, ddof=1) / np.sqrt(n) * n / (n + 40.0)
    assert_allclose(mixture.standard_errors(CLEAN).means[0], wanted, rtol=1e-8)


def test_counts_are_rows_also_under_a_prior(tmp_path):
    """Of rows that count, the squares are about their mean, which a prior moves from 0."""
    counts = np.random.default_rng(0).integers(1, 4, len(CLEAN))
    repeated, how = np.repeat(CLEAN, counts, axis=0), {"prior": PRIOR, **CLOSE}
    mixture = GaussianMixture(2, **how).fit(CLEAN, None, counts, weights_are="counts")
    found = mixture.standard_errors(CLEAN, counts)
    n = int(counts.sum())
    wanted = GaussianMixture(2, **how).fit(repeated).standard_errors(repeated)
    assert found.units == wanted.units == n
    assert_allclose(found.means, wanted.means, rtol=2e-3)  # n / (n - 1) apart
    mixture.save(tmp_path / "m.json")
    again = load_model(tmp_path / "m.json").standard_errors(CLEAN, counts)
    assert_allclose(again.covariances, found.covariances, rtol=1e-12)


def test_the_default_prior_and_units_of_rows():
    """Hyperparameters of all rows are those of the fit, whatever the units and chunks."""
    mixture = GaussianMixture(2, prior="conjugate", **CLOSE).fit(CLEAN)
    wanted = mixture.standard_errors(CLEAN, blocks=60)
    check(mixture.standard_errors(CLEAN), mixture, CLEAN, "full")
    frame = pd.DataFrame(1e3 * CLEAN, columns=["a", "b"])
    scaled = GaussianMixture(2, prior="conjugate", **CLOSE, standardise=True).fit(frame)
    found = scaled.standard_errors(frame, blocks=60).in_data_units()
    order = np.argsort(scaled.means_[:, 0])
    wanted_order = np.argsort(mixture.means_[:, 0])
    assert_allclose(found.means[order], 1e3 * wanted.means[wanted_order], rtol=1e-5)


def test_what_has_no_errors_says_why():
    tails = GaussianMixture(2, tails="t", random_state=0).fit(DIRTY)
    with pytest.raises(SettingError, match="tails have parameters of their own"):
        tails.standard_errors(DIRTY)
    mixture = GaussianMixture(2, prior=PRIOR, random_state=0).fit(CLEAN)
    plain = GaussianMixture(2, random_state=0).fit(CLEAN)
    for fitted, other in (
        (mixture, ConjugatePrior(mean_count=3.0)),
        (mixture, None),
        (plain, ConjugatePrior(mean_count=3.0)),
    ):
        fitted.set_params(prior=other)
        with pytest.raises(SettingError, match="its prior is not that of its fit any more"):
            fitted.standard_errors(CLEAN)


def test_noise_without_outliers_has_none():
    """Its weight goes to 0, the end of its range, and passes seldom reach it."""
    random = np.random.default_rng(0)
    x = np.concatenate([random.normal(size=(500, 2)), random.normal(size=(500, 2)) + 6])
    mixture = GaussianMixture(2, random_state=0, tol=1e-8, noise=True).fit(x)
    assert 0 < mixture.noise_weight_ < 1e-9
    with pytest.raises(SettingError, match=r"no row is an outlier.*Fit without noise"):
        mixture.standard_errors(x)
    far = random.permutation(np.r_[x, [[30.0, -30.0]]])
    noisy = GaussianMixture(2, random_state=0, tol=1e-8, noise=True).fit(far)
    assert np.isfinite(noisy.standard_errors(far).means).all()
