"""Labels of rows in mixtures with outliers, tails or known noise, and in posteriors."""

import itertools

import dask.array as da
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import betaln, digamma, gammaln, logsumexp
from scipy.stats import multivariate_normal, multivariate_t

from daskgmm import BayesianGaussianMixture, GaussianMixture, GaussianMixtureClassifier
from daskgmm.companions import ALONE
from daskgmm.em.events import silence
from daskgmm.em.models.choice import model_of
from daskgmm.em.models.robust_model import FIRST_SHARE
from daskgmm.em.survey.first_pass import survey_rows
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.tails.tails import TAILS
from daskgmm.passes.dataset import Dataset
from daskgmm.rows.arrays import ArrayRows
from tests.em.test_variational_bound import log_evidence
from tests.gaussian.deconvolution import row_by_row

K, D, N = 3, 2, 240
RANDOM = np.random.default_rng(0)
CENTERS = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 3.0]])
Z = RANDOM.integers(0, K, N)
X = CENTERS[Z] + RANDOM.normal(size=(N, D)) * [1.0, 0.7]
X[::20] = RANDOM.uniform(-12, 12, (12, D))
SOME = np.where(RANDOM.random(N) < 0.3, Z, -1)
WEIGHTS = RANDOM.uniform(0.5, 2.0, N)
NOISE = RANDOM.uniform(0.1, 1.0, (N, D))

BEGIN = {
    "weights_init": [0.2, 0.3, 0.5],
    "means_init": CENTERS + 0.3,
    "precisions_init": np.stack([np.eye(D)] * K),
}
BY_HAND = {**BEGIN, "acceleration": None, "reg_covar": 0.0, "tol": 0.0, "max_iter": 4}

SHORT = {"random_state": 0, "max_iter": 3, "init_params": "k-means++"}

WAYS = [{"noise": True}, *({"tails": name} for name in TAILS)]

STEPWISE = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def name_of(way):
    return "-".join(map(str, way.values()))


def same(one, other):
    names = [name for name in vars(one) if name.endswith("_") and not name.startswith("history")]
    assert "lower_bounds_" in names
    for name in names:
        if isinstance(getattr(one, name), (np.ndarray, float, list)):
            assert_array_equal(getattr(one, name), getattr(other, name))


def joint_by_hand(parameters, x):
    """Return the log joint densities of all columns, and squared distances, (columns, n)."""
    found, squares = [], []
    for j in range(K):
        mean, scatter = parameters.means[j], parameters.covariances[j]
        log = np.log(parameters.weights[j])
        squares.append(np.einsum("ni,ij,nj->n", x - mean, np.linalg.inv(scatter), x - mean))
        if parameters.degrees is not None:
            found.append(log + multivariate_t(mean, scatter, df=parameters.degrees[j]).logpdf(x))
        elif parameters.clean is not None:
            share, eta = parameters.clean[j], parameters.inflation[j]
            found.append(log + np.log(share) + multivariate_normal(mean, scatter).logpdf(x))
            wide = multivariate_normal(mean, eta * scatter).logpdf(x)
            found.append(log + np.log1p(-share) + wide)
        else:
            found.append(log + multivariate_normal(mean, scatter).logpdf(x))
    if parameters.has_noise:
        found.append(np.full(len(x), np.log(parameters.noise_weight) - parameters.log_volume))
    return np.array(found), np.array(squares)


def of_columns(parameters):
    """Return the component of each column of `joint_by_hand`; -2 of noise."""
    own = np.repeat(np.arange(K), 1 if parameters.clean is None else 2)
    return np.append(own, -2) if parameters.has_noise else own


def moments_by_hand(parameters, x, labels, weights):
    """Return the moments of the rows, whose responsibilities are within the label's columns."""
    joint, squares = joint_by_hand(parameters, x)
    columns = of_columns(parameters)
    joint[(labels >= 0) & (columns[:, None] != labels)] = -np.inf
    total = logsumexp(joint, axis=0)
    gamma = np.exp(joint - total) * weights
    counts = np.stack([gamma[columns == j].sum(axis=0) for j in range(K)])
    factors, tail = counts, None
    if parameters.degrees is not None:
        nu = parameters.degrees[:, None]
        u = (nu + D) / (nu + squares)
        factors = counts * u
        tail = np.stack([counts, counts * np.log(u), counts * u**2]).sum(axis=2)
    if parameters.clean is not None:
        bad, eta = gamma[1::2], parameters.inflation[:, None]
        factors = gamma[::2] + bad / eta
        tail = np.stack([counts, bad, bad * squares, factors * squares]).sum(axis=2)
    second = np.einsum("kn,ni,nj->kij", factors, x, x)
    # By lag, as moments are kept: x_0^2, x_1^2, x_0 x_1.
    entries = np.stack([second[:, 0, 0], second[:, 1, 1], second[:, 0, 1]])
    sums = np.vstack([factors.sum(axis=1), (factors @ x).T, entries])
    noise = gamma[-1].sum() if parameters.has_noise else None
    bound = weights @ total
    return Moments(
        sums, np.zeros((K, D)), None, bound, weights.sum(), len(x), tail=tail, noise=noise
    )


@STEPWISE
@pytest.mark.parametrize("way", WAYS, ids=name_of)
@pytest.mark.parametrize("shift", [0.0, 1e7], ids=["natural", "whitened"])
def test_em_with_outliers_is_that_row_by_row(way, shift):
    moved = np.array([0.0, shift])
    begin = {**BY_HAND, "means_init": BEGIN["means_init"] + moved}
    x, y = da.from_array(X + moved, chunks=(50, D)), da.from_array(SOME, chunks=70)
    found = GaussianMixture(K, **begin, **way).fit(x, None, WEIGHTS, labels=y)
    survey = survey_rows(Dataset.of(ArrayRows(X), ALONE, K, 6), None, silence)
    model = model_of(found._settings(), survey)
    once = GaussianMixture(K, **{**BY_HAND, "max_iter": 0}, **way).fit(X)
    parameters, bounds = once._parameters(), []
    if way == {"noise": True}:
        assert parameters.noise_weight == FIRST_SHARE
    for _ in range(4):
        moments = moments_by_hand(parameters, X, SOME, WEIGHTS)
        bounds.append(moments.log_likelihood / moments.weight)
        parameters = model.step(moments, parameters).parameters
    rtol = 1e-9 if not shift else 1e-6
    own = found._parameters()
    assert_allclose(own.means - moved, parameters.means, rtol=rtol, atol=rtol)
    for name in ("weights", "covariances", "noise_weight", "clean", "inflation", "degrees"):
        if getattr(own, name) is not None:
            assert_allclose(getattr(own, name), getattr(parameters, name), rtol=rtol, atol=rtol)
    assert_allclose(found.lower_bounds_, bounds, rtol=rtol)


@STEPWISE
@pytest.mark.parametrize("noise", [NOISE, NOISE[:, :, None] * np.eye(D) + 0.05, NOISE[0]])
def test_em_with_known_noise_is_that_row_by_row(noise):
    found = GaussianMixture(K, **BY_HAND)
    found.fit(X, None, WEIGHTS, labels=SOME, noise_variance=noise)
    each = noise if noise.ndim == 3 else noise[..., None] * np.eye(D)
    matrices = np.broadcast_to(each, (N, D, D))
    state = np.array(BEGIN["weights_init"]), BEGIN["means_init"], np.stack([np.eye(D)] * K)
    bounds = []
    for _ in range(4):
        sums = row_by_row.moments(X, matrices, *state, WEIGHTS, labels=SOME)
        bounds.append(sums.log_likelihood / WEIGHTS.sum())
        state = row_by_row.step(sums, "full", 0.0)
    for name, expected in zip(("weights_", "means_", "covariances_"), state, strict=True):
        assert_allclose(getattr(found, name), expected, rtol=1e-9, atol=1e-9)
    assert_allclose(found.lower_bounds_, bounds, rtol=1e-9)


@STEPWISE
@pytest.mark.parametrize("way", WAYS, ids=name_of)
def test_no_labels_are_a_fit_without(way):
    plain = GaussianMixture(K, **SHORT, **way).fit(X)
    same(plain, GaussianMixture(K, **SHORT, **way).fit(X, labels=np.full(N, -1)))


@STEPWISE
def test_no_labels_beside_known_noise_or_of_a_posterior_are_a_fit_without():
    given, none = {"noise_variance": NOISE}, {"labels": np.full(N, np.nan)}
    mixture = GaussianMixture(K, **SHORT)
    same(mixture.fit(X, **given), GaussianMixture(**mixture.get_params()).fit(X, **given, **none))
    posterior = BayesianGaussianMixture(K, **SHORT)
    again = BayesianGaussianMixture(**posterior.get_params())
    same(posterior.fit(X), again.fit(X, **none))


def fitted(labels, x=X, k=K, kind=GaussianMixture, **settings):
    given = {name: settings.pop(name) for name in ("noise_variance",) if name in settings}
    mixture = kind(k, random_state=0, tol=1e-9, max_iter=2000, **settings)
    return mixture.fit(x, labels=labels, **given)


def test_all_labels_leave_nothing_to_the_noise():
    found = fitted(Z, noise=True, reg_covar=0.0)
    assert_allclose(found.weights_, np.bincount(Z) / N, rtol=1e-12)
    assert found.noise_weight_ < 1e-200
    for j in range(K):
        assert_allclose(found.means_[j], X[j == Z].mean(axis=0), rtol=1e-12)
        assert_allclose(found.covariances_[j], np.cov(X[j == Z].T, bias=True), rtol=1e-9)


@pytest.mark.parametrize("tails", TAILS)
def test_all_labels_are_a_fit_with_tails_to_the_rows_of_each(tails):
    found = fitted(Z, tails=tails)
    total = 0.0
    for j in range(K):
        alone = fitted(None, X[j == Z], 1, tails=tails)
        share = (j == Z).mean()
        total += share * (alone.lower_bound_ + np.log(share))
        assert_allclose(found.means_[j], alone.means_[0], atol=1e-3)
        assert_allclose(found.covariances_[j], alone.covariances_[0], rtol=1e-2, atol=1e-3)
    assert_allclose(found.lower_bound_, total, atol=1e-6)
    assert_allclose(found.weights_, np.bincount(Z) / N, rtol=1e-12)


def test_all_labels_deconvolve_the_rows_of_each():
    found = fitted(Z, noise_variance=NOISE)
    for j in range(K):
        alone = fitted(None, X[j == Z], 1, noise_variance=NOISE[j == Z])
        assert_allclose(found.means_[j], alone.means_[0], atol=1e-4)
        assert_allclose(found.covariances_[j], alone.covariances_[0], atol=1e-3)


@pytest.mark.parametrize("settings", [*WAYS, {"noise_variance": NOISE}], ids="-".join)
def test_objectives_never_fall(settings):
    bounds = np.array(fitted(SOME, **settings).lower_bounds_)
    assert (np.diff(bounds) >= -1e-11).all()
    assert len(bounds) > 3


def test_a_row_of_known_class_is_no_outlier():
    x = np.vstack([X, [[40.0, 40.0], [-40.0, 40.0]]])
    labels = np.append(SOME, [1, -1])
    found = fitted(labels, x, noise=True)
    expected = fitted(np.append(SOME, [-1, -1]), x, noise=True)
    assert np.linalg.det(found.covariances_[1]) > 3 * np.linalg.det(expected.covariances_[1])
    assert found.predict(x[-1:])[0] == -1
    assert expected.noise_weight_ > found.noise_weight_ > 0.5 / len(x)


PRIOR = {
    "mean_precision_prior": 0.3,
    "mean_prior": np.array([1.0, 1.0]),
    "degrees_of_freedom_prior": 3.5,
    "covariance_prior": np.array([[2.0, 0.3], [0.3, 1.0]]),
    "weight_concentration_prior": 0.7,
    "reg_covar": 0.0,
}
TYPES = ("dirichlet_distribution", "dirichlet_process")


def log_of_assignments(counts, concentration, kind):
    """Return the log probability of rows' components, of these counts (k,)."""
    if kind == "dirichlet_process":
        beyond = np.append(np.cumsum(counts[:0:-1])[::-1], 0.0)
        return (betaln(1 + counts, concentration + beyond) - betaln(1.0, concentration)).sum()
    a, k = concentration, len(counts)
    return gammaln(k * a) - gammaln(k * a + counts.sum()) + (gammaln(a + counts) - gammaln(a)).sum()


def evidence_of(z, x, k, kind):
    counts = np.bincount(z, minlength=k)
    concentration = PRIOR["weight_concentration_prior"]
    prior = PRIOR["mean_prior"], 0.3, 3.5, PRIOR["covariance_prior"]
    of_rows = sum(log_evidence(x[z == j], *prior) for j in range(k))
    return log_of_assignments(counts, concentration, kind) + of_rows


@pytest.mark.parametrize("kind", TYPES)
def test_the_bound_of_rows_that_all_have_labels_is_the_evidence(kind):
    found = fitted(Z, kind=BayesianGaussianMixture, weight_concentration_prior_type=kind, **PRIOR)
    assert_allclose(found.lower_bound_ * N, evidence_of(Z, X, K, kind), rtol=1e-12)
    assert_allclose(found.mean_precision_, 0.3 + np.bincount(Z), rtol=1e-12)
    means = [0.3 * PRIOR["mean_prior"] + X[j == Z].sum(axis=0) for j in range(K)]
    assert_allclose(found.means_, means / found.mean_precision_[:, None], rtol=1e-12)


@pytest.mark.parametrize("kind", TYPES)
def test_the_bound_of_some_labels_is_below_the_evidence_and_near_it(kind):
    random = np.random.default_rng(1)
    x = np.concatenate([random.normal(size=(6, 2)), random.normal((5.0, 3.0), size=(6, 2))])
    labels = np.array([0, 0, 0, -1, -1, -1, 1, 1, 1, -1, -1, -1])
    found = fitted(
        labels, x, 2, BayesianGaussianMixture, weight_concentration_prior_type=kind, **PRIOR
    )
    assert (np.diff(found.lower_bounds_) > -1e-12).all()
    terms = []
    for free in itertools.product([0, 1], repeat=6):
        z = labels.copy()
        z[labels < 0] = free
        terms.append(evidence_of(z, x, 2, kind))
    evidence, bound = logsumexp(terms), found.lower_bound_ * 12
    assert evidence - 0.05 < bound < evidence


def start_by_hand(x, labels):
    """Return responsibilities of the start: rows without a label go to the nearest mean."""
    scaled = (x - x.mean(axis=0)) / x.std(axis=0)
    means = np.stack([scaled[labels == j].mean(axis=0) for j in range(K)])
    nearest = ((scaled[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    return np.eye(K)[np.where(labels < 0, nearest, labels)]


def expected_log_joint(x, gamma, kind):
    """Return E log pi_k N(x) under the posterior of responsibilities (Bishop 2006, 10.64-10.66)."""
    counts = gamma.sum(axis=0)
    beta, nu = 0.3 + counts, 3.5 + counts
    a = PRIOR["weight_concentration_prior"]
    if kind == "dirichlet_process":
        beyond = np.append(np.cumsum(counts[:0:-1])[::-1], 0.0)
        one, other, both = 1 + counts, a + beyond, 1 + counts + a + beyond
        rest = digamma(other) - digamma(both)
        of_weights = digamma(one) - digamma(both) + np.append(0.0, np.cumsum(rest)[:-1])
    else:
        of_weights = digamma(a + counts) - digamma(K * a + counts.sum())
    found = []
    for j in range(K):
        mean = (0.3 * PRIOR["mean_prior"] + gamma[:, j] @ x) / beta[j]
        scale = PRIOR["covariance_prior"] + 0.3 * np.outer(PRIOR["mean_prior"], PRIOR["mean_prior"])
        scale = scale + (gamma[:, j, None] * x).T @ x - beta[j] * np.outer(mean, mean)
        squares = np.einsum("ni,ij,nj->n", x - mean, np.linalg.inv(scale), x - mean)
        log_det = digamma((nu[j] - np.arange(D)) / 2).sum() + D * np.log(2)
        log_det -= np.linalg.slogdet(scale)[1]
        density = 0.5 * (log_det - D * np.log(2 * np.pi) - D / beta[j] - nu[j] * squares)
        found.append(of_weights[j] + density)
    return np.array(found).T


@STEPWISE
@pytest.mark.parametrize("kind", TYPES)
def test_variational_steps_are_those_by_hand(kind):
    found = BayesianGaussianMixture(
        K, max_iter=4, tol=0.0, weight_concentration_prior_type=kind, **PRIOR
    ).fit(X, labels=SOME)
    gamma = start_by_hand(X, SOME)
    for _ in range(4):
        log = expected_log_joint(X, gamma, kind)
        log[(SOME[:, None] >= 0) & (SOME[:, None] != np.arange(K))] = -np.inf
        gamma = np.exp(log - logsumexp(log, axis=1)[:, None])
    counts = gamma.sum(axis=0)
    assert_allclose(found.mean_precision_, 0.3 + counts, rtol=1e-9)
    means = (0.3 * PRIOR["mean_prior"] + gamma.T @ X) / (0.3 + counts)[:, None]
    assert_allclose(found.means_, means, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("tails", TAILS)
def test_a_classifier_has_classes_with_tails(tails, tmp_path):
    classifier = GaussianMixtureClassifier(tails=tails, random_state=0).fit(X, SOME)
    expected = GaussianMixture(K, tails=tails, random_state=0).fit(X, labels=SOME)
    assert_array_equal(classifier.mixture_.means_, expected.means_)
    joint, _ = joint_by_hand(expected._parameters(), X)
    columns = of_columns(expected._parameters())
    of_class = np.stack([logsumexp(joint[columns == j], axis=0) for j in range(K)], axis=1)
    posterior = np.exp(of_class - logsumexp(of_class, axis=1)[:, None])
    assert_allclose(classifier.predict_proba(X), posterior, rtol=1e-8, atol=1e-12)
    classifier.save(tmp_path / "c.json")
    again = GaussianMixtureClassifier.load(tmp_path / "c.json")
    assert again.tails == tails
    assert_array_equal(again.predict_proba(X), classifier.predict_proba(X))


@pytest.mark.filterwarnings("ignore::daskgmm.errors.ChoiceWarning")
@pytest.mark.parametrize(("tails", "standardise"), list(zip(TAILS, [False, True], strict=True)))
def test_mixtures_of_classes_have_tails_of_their_own(tails, standardise, tmp_path):
    settings = {"tails": tails, "standardise": standardise, "random_state": 0, "tol": 1e-6}
    found = GaussianMixtureClassifier(structures="own", **settings).fit(X, Z)
    log = []
    for j in range(K):
        alone = GaussianMixture(1, **settings).fit(X[j == Z])
        # In the units of the data: rows of a class are standardised by their own deviations.
        scale = 0.0 if alone.coordinates_ is None else np.log(alone.coordinates_.scales).sum()
        log.append(alone.score_samples(X) - scale + np.log((j == Z).mean()))
    posterior = np.exp(log - logsumexp(log, axis=0)).T
    assert_allclose(found.predict_proba(X), posterior, atol=2e-3)
    found.save(tmp_path / "c.json")
    again = GaussianMixtureClassifier.load(tmp_path / "c.json")
    assert_array_equal(again.predict_proba(X), found.predict_proba(X))
