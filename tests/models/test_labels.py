"""Fits to rows of which the components of some are known."""

import dask.array as da
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from daskgmm import GaussianMixture
from daskgmm.errors import DataError, SettingError
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.m_step import maximise
from daskgmm.gaussian.moments import Moments

K, D = 3, 2
RANDOM = np.random.default_rng(0)
CENTERS = np.array([[0.0, 0.0], [2.5, 0.0], [0.0, 2.5]])
Z = RANDOM.integers(0, K, 300)
X = CENTERS[Z] + RANDOM.normal(size=(300, D)) * [1.0, 0.7]
SOME = np.where(RANDOM.random(300) < 0.2, Z, -1)
WEIGHTS = RANDOM.uniform(0.5, 2.0, 300)


def same(one, other):
    for name in ("weights_", "means_", "covariances_", "lower_bounds_"):
        assert_array_equal(getattr(one, name), getattr(other, name))


def em_by_hand(x, labels, weights, steps, mixture):
    """EM of free Gaussians whose responsibilities are fixed where labels are known."""
    pi, mu, sigma = mixture
    bounds = []
    for _ in range(steps):
        log = np.stack(
            [
                np.log(pi[j]) + multivariate_normal(mu[j], sigma[j]).logpdf(x)
                for j in range(len(pi))
            ],
            axis=1,
        )
        known = labels >= 0
        log[known] = np.where(np.arange(len(pi)) == labels[known, None], log[known], -np.inf)
        total = logsumexp(log, axis=1)
        gamma = np.exp(log - total[:, None]) * weights[:, None]
        bounds.append((weights * total).sum() / weights.sum())
        counts = gamma.sum(axis=0)
        pi, mu = counts / counts.sum(), gamma.T @ x / counts[:, None]
        sigma = np.stack(
            [(gamma[:, j, None] * (x - mu[j])).T @ (x - mu[j]) / counts[j] for j in range(len(pi))]
        )
    return pi, mu, sigma, bounds


def step_with_gaps_by_hand(x, labels, weights, mixture):
    """Return one step of EM on what rows have, row by row, and the bound before it."""
    pi, mu, sigma = mixture
    k, d = mu.shape
    counts, first, second, bound = np.zeros(k), np.zeros((k, d)), np.zeros((k, d, d)), 0.0
    for row, label, weight in zip(x, labels, weights, strict=True):
        o, m = np.flatnonzero(~np.isnan(row)), np.flatnonzero(np.isnan(row))
        log, filled, spread = np.full(k, -np.inf), np.tile(row, (k, 1)), np.zeros((k, d, d))
        for j in range(k):
            seen = sigma[j][np.ix_(o, o)]
            if label in (-1, j):
                density = multivariate_normal(mu[j][o], seen).logpdf(row[o])
                log[j] = np.log(pi[j]) + density
            slopes = sigma[j][np.ix_(m, o)] @ np.linalg.inv(seen)
            filled[j, m] = mu[j][m] + slopes @ (row[o] - mu[j][o])
            spread[j][np.ix_(m, m)] = sigma[j][np.ix_(m, m)] - slopes @ sigma[j][np.ix_(o, m)]
        total = logsumexp(log)
        gamma, bound = weight * np.exp(log - total), bound + weight * total
        counts, first = counts + gamma, first + gamma[:, None] * filled
        outer = filled[:, :, None] * filled[:, None, :]
        second += gamma[:, None, None] * (outer + spread)
    mean = first / counts[:, None]
    covariances = second / counts[:, None, None] - mean[:, :, None] * mean[:, None, :]
    return counts / counts.sum(), mean, covariances, bound / weights.sum()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("chunks", [None, 7])
@pytest.mark.parametrize("shift", [0.0, 1e7], ids=["natural", "whitened"])
def test_a_step_on_rows_with_gaps_is_that_by_hand(chunks, shift):
    random = np.random.default_rng(1)
    x = np.hstack([X, X[:, :1] - X[:, 1:] + random.normal(size=(300, 1))])
    x[random.random(x.shape) < 0.2] = np.nan
    some = ~np.isnan(x).all(axis=1)
    x, labels, weights = x[some], SOME[some], WEIGHTS[some]
    means = np.column_stack([CENTERS + 0.3, CENTERS[:, 0] - CENTERS[:, 1]])
    begin = np.array([0.2, 0.3, 0.5]), means, np.stack([np.diag([1.0, 0.7, 1.5])] * K)
    pi, mu, sigma, bound = step_with_gaps_by_hand(x, labels, weights, begin)
    moved = np.array([0.0, 0.0, shift])
    far = x + moved
    mixture = GaussianMixture(
        K, weights_init=begin[0], means_init=means + moved, reg_covar=0.0, max_iter=1,
        precisions_init=np.linalg.inv(begin[2]), acceleration=None, missing="marginalise",
    )  # fmt: skip
    given = (far, labels, weights)
    if chunks is not None:
        given = [da.from_array(part, chunks=(chunks, -1)[: part.ndim]) for part in given]
    mixture.fit(given[0], labels=given[1], sample_weight=given[2])
    rtol = 1e-9 if not shift else 1e-7
    assert_allclose(mixture.weights_, pi, rtol=rtol)
    assert_allclose(mixture.means_ - moved, mu, rtol=rtol, atol=rtol)
    assert_allclose(mixture.covariances_, sigma, rtol=rtol, atol=rtol)
    assert_allclose(mixture.lower_bound_, bound, rtol=rtol)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_labels_of_rows_without_gaps_are_fitted_as_ever():
    settings = {"random_state": 0, "max_iter": 4}
    plain = GaussianMixture(K, **settings).fit(X, labels=SOME)
    same(GaussianMixture(K, missing="marginalise", **settings).fit(X, labels=SOME), plain)


def test_bounds_with_gaps_and_labels_never_fall():
    x = X.copy()
    x[::3, 0] = x[1::3, 1] = np.nan
    mixture = GaussianMixture(K, missing="marginalise", tol=1e-8, random_state=0)
    bounds = mixture.fit(x, labels=SOME).lower_bounds_
    assert (np.diff(bounds) >= -1e-12).all()
    everything = GaussianMixture(K, missing="marginalise").fit(x, labels=Z)
    assert_allclose(everything.weights_, np.bincount(Z) / len(Z), rtol=1e-9)


@pytest.mark.filterwarnings("ignore::daskgmm.errors.DegenerateComponentWarning")
def test_first_weights_leave_room_for_labelled_rows():
    weights = [0.0, 0.5, 0.5]
    with pytest.raises(SettingError, match=r"weights_init is 0 for component 0, and labels say"):
        GaussianMixture(K, weights_init=weights).fit(X, labels=Z)
    others = np.where(Z == 0, -1, Z)
    assert GaussianMixture(K, weights_init=weights).fit(X, labels=others).weights_[1] > 0.2


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("chunks", [None, 7, 100])
def test_em_is_that_by_hand(chunks):
    begin = np.full(K, 1 / K), CENTERS + 0.3, np.stack([np.eye(D)] * K)
    pi, mu, sigma, bounds = em_by_hand(X, SOME, WEIGHTS, 5, begin)
    x, labels = X, SOME.astype(float)
    labels[SOME < 0] = np.nan
    if chunks:
        x, labels = da.from_array(X, chunks=(chunks, D)), da.from_array(labels, chunks=50)
    found = GaussianMixture(
        K, acceleration=None, max_iter=5, tol=0, reg_covar=0, weights_init=begin[0],
        means_init=begin[1], precisions_init=begin[2],
    ).fit(x, sample_weight=WEIGHTS, labels=labels)  # fmt: skip
    assert_allclose(found.weights_, pi, rtol=1e-10)
    assert_allclose(found.means_, mu, rtol=1e-10, atol=1e-12)
    assert_allclose(found.covariances_, sigma, rtol=1e-10, atol=1e-12)
    assert_allclose(found.lower_bounds_, bounds, rtol=1e-10)


@pytest.mark.parametrize("structure", [*STRUCTURES])
def test_all_labels_are_one_m_step_of_every_structure(structure):
    kind = STRUCTURES[structure]
    x = np.vstack([X, X[:50] * 1.5])
    z = np.concatenate([Z, Z[:50]])
    centers = np.stack([x[z == j].mean(axis=0) for j in range(K)])
    sums = np.zeros((kind.n_statistics(D), K))
    pooled = sum((x[z == j] - centers[j]).T @ (x[z == j] - centers[j]) for j in range(K))
    for j in range(K):
        y = (x[z == j] - centers[j]).T
        filled = np.empty((kind.n_statistics(D) - 1 - D, y.shape[1]))
        kind.statistic.filler(y, D, filled)()
        sums[:, j] = [y.shape[1], *y.sum(axis=1), *filled.sum(axis=1)]
    pooled = pooled if kind.statistic.pools else None
    moments = Moments(sums, centers, pooled, 0.0, float(len(x)), len(x))
    found = GaussianMixture(K, covariance_type=structure, reg_covar=0, max_iter=200, tol=1e-12)
    found.fit(x, labels=z)
    own = found._parameters()
    expected = own
    for _ in range(1 if kind.free else 200):  # iterative structures go on from the last ones
        expected = maximise(moments, structure, 0.0, expected).parameters
    assert_allclose(found.weights_, np.bincount(z) / len(z), rtol=1e-12)
    assert_allclose(found.means_, centers, atol=1e-12)
    assert_allclose(own.covariances, expected.covariances, rtol=1e-6, atol=1e-9)
    assert found.n_iter_ <= (2 if kind.free else 200)


@pytest.mark.parametrize("unknown", [-1.0, np.nan])
def test_no_labels_are_a_fit_without(unknown):
    plain = GaussianMixture(K, random_state=0).fit(X, sample_weight=WEIGHTS)
    same(
        GaussianMixture(K, random_state=0).fit(X, None, WEIGHTS, labels=np.full(300, unknown)),
        plain,
    )
    same(GaussianMixture(K, random_state=0).fit(X, Z, WEIGHTS), plain)  # y is ignored


def test_labels_number_components_and_raise_no_other_likelihood():
    found = GaussianMixture(K, random_state=0).fit(X, labels=SOME)
    assert (np.diff(found.lower_bounds_) > -1e-9).all()
    assert (np.linalg.norm(found.means_ - CENTERS, axis=1) < 0.5).all()
    assert found.fitted_on_["labelled_rows"] == (SOME >= 0).sum()
    order = np.array([2, 0, 1])
    turned = GaussianMixture(K, random_state=0).fit(X, labels=np.where(SOME < 0, -1, order[SOME]))
    assert_allclose(turned.means_[order], found.means_, atol=1e-4)


def test_components_without_labels_are_found():
    labels = np.where((Z == 0) & (RANDOM.random(300) < 0.3), 0, -1)
    x = X + CENTERS[Z]
    found = GaussianMixture(K, random_state=0).fit(x, labels=labels)
    assert np.linalg.norm(found.means_[0] - CENTERS[0]) < 0.3
    apart = np.linalg.norm(found.means_[:, None] - 2 * CENTERS, axis=2).min(axis=0)
    assert (apart < 0.3).all()


def test_labels_are_a_column_and_rows_that_miss_values_have_theirs_dropped():
    frame = pd.DataFrame(X, columns=["a", "b"]).assign(label=SOME)
    expected = GaussianMixture(K, random_state=0).fit(X, labels=SOME)
    named = GaussianMixture(K, random_state=0).fit(frame, labels="label")
    same(named, expected)
    assert named.feature_names_in_.tolist() == ["a", "b"]
    gaps = np.insert(X, [3, 200], np.nan, axis=0)
    dropped = GaussianMixture(K, random_state=0, missing="drop")
    dropped.fit(gaps, labels=np.insert(SOME, [3, 200], 1))
    assert_allclose(dropped.means_, expected.means_, rtol=1e-9, atol=1e-12)


def test_few_labels_of_many_rows_are_in_the_sample_that_starts_are_made_on():
    random = np.random.default_rng(1)
    z = random.integers(0, K, 20_000)
    x = 3 * CENTERS[z] + random.normal(size=(20_000, D))
    labels = np.full(len(z), -1)
    few = np.concatenate([np.flatnonzero(z == j)[:3] for j in range(K)])
    labels[few] = z[few]
    found = GaussianMixture(K, random_state=0, sample_rows=200, max_iter=0)
    found.fit(x, labels=labels)
    assert (np.linalg.norm(found.means_ - 3 * CENTERS, axis=1) < 1.5).all()


@pytest.mark.parametrize(
    ("label", "text"),
    [
        (3, r"labels contains 3 in row 70 \(batch 0\)\. .*a component, 0 to 2, and -1 or NaN"),
        (-2, "contains -2 in row 70"),
        (0.5, r"contains 0\.5 in row 70"),
        (np.inf, "contains inf in row 70"),
    ],
)
def test_a_label_that_names_no_component_is_refused_with_its_row(label, text):
    labels = SOME.astype(float)
    labels[[70, 90]] = label
    with pytest.raises(DataError, match=text):
        GaussianMixture(K).fit(X, labels=labels)


def test_a_warm_start_keeps_bounds_of_other_labels_apart():
    mixture = GaussianMixture(K, random_state=0, warm_start=True).fit(X, labels=SOME)
    mixture.fit(X)  # a higher likelihood, as no row is bound to a component
    assert_allclose(mixture.lower_bound_, mixture.score(X), atol=1e-3)
    mixture.fit(X, labels=SOME)
    mixture.fit(X, labels=np.where(SOME < 0, -1, (SOME + 1) % K))  # as many of each, others
    assert not np.isfinite(mixture.history_["change"][0])


def test_model_files_know_of_what_objective_bounds_are(tmp_path):
    mixture = GaussianMixture(K, random_state=0).fit(X, labels=SOME)
    mixture.save(tmp_path / "m.json")
    again = GaussianMixture.load(tmp_path / "m.json")
    same(again, mixture)
    assert again._ended_with == mixture._ended_with
    assert again._ended_with.labels


def test_a_row_too_far_to_square_is_in_its_own_class():
    x, labels = X.copy(), Z % 2
    x[0] = [1e149, 0.0]
    labels[0] = 0
    narrow = {"means_init": [[1e3, 0.0], [0.0, 0.0]], "precisions_init": [1e12 * np.eye(D)] * 2}
    for own in (labels, 1 - labels):
        mixture = GaussianMixture(2, acceleration=None, max_iter=1, tol=0, **narrow)
        with pytest.warns():
            mixture.fit(x, labels=own)
        assert_allclose(mixture.weights_, np.bincount(own) / 300)
        assert_allclose(mixture.means_[own[0]], x[own == own[0]].mean(axis=0))


def test_criteria_say_that_they_are_those_of_rows_with_labels():
    mixture = GaussianMixture(K, random_state=0, tol=1e-10, max_iter=2000).fit(X, labels=SOME)
    joint = np.stack(
        [
            np.log(p) + multivariate_normal(m, c).logpdf(X)
            for p, m, c in zip(mixture.weights_, mixture.means_, mixture.covariances_, strict=True)
        ],
        axis=1,
    )
    known = np.where(SOME >= 0)[0]
    total = logsumexp(joint, axis=1)
    plain = total.sum()
    total[known] = joint[known, SOME[known]]
    penalty = mixture._n_parameters() * np.log(300)
    assert mixture.criteria_["bic"] == pytest.approx(penalty - 2 * total.sum(), abs=1e-3)
    assert mixture.criteria_["measured"].endswith("with the labels of rows")
    assert mixture.bic(X) == pytest.approx(penalty - 2 * plain, abs=1e-3)
    with pytest.raises(SettingError, match="fitted with labels"):
        mixture.standard_errors(X)


def test_fit_predict_takes_labels():
    found = GaussianMixture(K, random_state=0).fit(X, labels=SOME)
    labels = GaussianMixture(K, random_state=0).fit_predict(X, labels=SOME)
    assert_array_equal(labels, found.predict(X))
