"""Components that keep their numbers from fit to fit."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import quad
from scipy.stats import norm

from daskgmm import BayesianGaussianMixture, GaussianMixture
from daskgmm.errors import SettingError
from daskgmm.gaussian.components.overlap import bhattacharyya

R = np.random.default_rng(0)
CENTRES = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 5.0], [5.0, 5.0]])
TRUE = R.choice(4, 800, p=[0.4, 0.3, 0.2, 0.1])
X = CENTRES[TRUE] + R.normal(size=(800, 2)) * [1.0, 0.7]


def fitted(x=X, k=4, seed=0, **settings):
    return GaussianMixture(k, random_state=seed, **settings).fit(x)


@pytest.fixture(scope="module")
def reference():
    return fitted().sort_components()


def shuffled(mixture, order):
    other = GaussianMixture.from_sklearn(mixture.to_sklearn())
    other._reorder(np.asarray(order))
    return other


def test_distances_are_integrals():
    means, deviations = np.array([0.0, 3.0]), np.array([1.0, 0.4])
    found = bhattacharyya(means[:, None], deviations[:, None, None] ** 2, *ALONE)
    for i in range(2):
        one, other = norm(means[i], deviations[i]), norm(1.0, 0.5)
        overlap, _ = quad(lambda x, a=one, b=other: np.sqrt(a.pdf(x) * b.pdf(x)), -8, 8, limit=200)
        assert np.exp(-found[i, 0]) == pytest.approx(overlap, rel=1e-8)


ALONE = (np.array([[1.0]]), np.array([[[0.25]]]))


def test_singular_components_have_nothing_in_common():
    means, covariances = np.zeros((2, 2)), np.stack([np.eye(2), np.diag([1.0, 0.0])])
    found = bhattacharyya(means, covariances, means, covariances)
    assert_array_equal(found, [[0.0, np.inf], [np.inf, np.inf]])


def test_the_same_mixture_in_another_order(reference):
    other = shuffled(reference, [2, 0, 3, 1])
    assert other.align_to(reference) is other
    assert_array_equal(other.means_, reference.means_)
    assert_array_equal(other.precisions_cholesky_, reference.precisions_cholesky_)
    assert_array_equal(other.predict(X), reference.predict(X))
    assert_allclose(other.alignment_.overlap, 1.0, rtol=1e-12)
    assert_array_equal(other.alignment_.order, [1, 3, 0, 2])
    assert (other.alignment_.confidence > 0.8).all()


@pytest.mark.slow  # fifty fits
def test_labels_stay_over_bootstrap_samples(reference):
    own, stayed = reference.predict(X), 0
    for seed in range(50):
        sample = X[np.random.default_rng(seed).choice(len(X), 400)]
        found = fitted(sample, seed=seed, tol=1e-2).align_to(reference)
        stayed += (found.predict(X) == own).mean() > 0.95
        assert found.alignment_.confidence.min() > 0.6
    assert stayed == 50


@pytest.mark.parametrize("move", [1e3, -1e3])
def test_a_cluster_that_went_elsewhere_moves_no_others(reference, move):
    other = shuffled(reference, [3, 1, 0, 2])
    other.means_ = other.means_ + np.array([[0.0], [0.0], [0.0], [move]])
    other.align_to(reference)
    assert_allclose(other.means_[[0, 1, 3]], reference.means_[[0, 1, 3]])
    found = other.alignment_
    assert found.overlap[2] < 1e-6
    assert (found.overlap[[0, 1, 3]] > 0.99).all()


def test_all_clusters_moved_by_many_widths():
    near, far = fitted(CENTRES[TRUE] + 0.01 * R.normal(size=(800, 2))).sort_components(), None
    far = shuffled(near, [2, 3, 1, 0])
    far.means_ = far.means_ + 1.0
    far.align_to(near)
    assert_allclose(far.means_, near.means_ + 1.0)


def test_new_components_come_last(reference):
    extra = np.concatenate([X, R.normal(size=(60, 2)) - 9.0])
    found = fitted(extra, 5).align_to(reference)
    assert_allclose(found.means_[4], [-9.0, -9.0], atol=0.5)
    assert np.isnan(found.alignment_.overlap[4])
    assert np.isnan(found.alignment_.confidence[4])
    assert (found.alignment_.overlap[:4] > 0.95).all()
    with pytest.raises(ValueError, match="4 components, and the one to align to has 5"):
        reference.align_to(found)


@pytest.mark.parametrize(
    "settings",
    [{"standardise": True}, {"standardise": True, "pca": 2}, {"covariance_type": "tied"}],
    ids=["standardise", "pca", "tied"],
)
def test_other_structures_and_coordinates(reference, settings):
    found = fitted(seed=3, **settings).align_to(reference)
    assert (found.predict(X) == reference.predict(X)).mean() > 0.97
    again = shuffled(reference, [3, 2, 1, 0]).align_to(found)
    assert (again.predict(X) == found.predict(X)).mean() > 0.97


def test_fewer_axes_than_the_reference_has():
    """Covariances without the axes that were left out are singular in those of the reference."""
    line = np.repeat([[0.0, 0.0, 0.0], [9.0, 9.0, 0.0], [18.0, 18.0, 0.0]], 200, axis=0)
    rows = line + np.random.default_rng(0).normal(size=line.shape)
    full = fitted(rows, 3).sort_components()
    one = fitted(rows, 3, seed=5, pca=1)
    one._reorder(np.array([1, 2, 0]))
    one.align_to(full)
    assert_array_equal(one.predict(rows), full.predict(rows))
    assert (one.alignment_.overlap > 0.99).all()
    assert (one.alignment_.confidence > 0.9).all()
    again = shuffled(full, [2, 0, 1]).align_to(one)
    assert_allclose(again.alignment_.overlap, one.alignment_.overlap, rtol=1e-9)


def test_what_is_no_mixture_is_refused(reference):
    with pytest.raises(SettingError, match="reference is a ndarray"):
        reference.align_to(X)
    with pytest.raises(SettingError, match="from_sklearn"):
        reference.align_to(reference.to_sklearn())


def test_components_of_a_process_keep_their_numbers(reference):
    process = BayesianGaussianMixture(4, random_state=1).fit(X)
    with pytest.raises(ValueError, match="cannot be numbered anew"):
        process.align_to(reference)


def test_a_bayesian_mixture(reference):
    kind = "dirichlet_distribution"
    found = BayesianGaussianMixture(4, weight_concentration_prior_type=kind, random_state=1).fit(X)
    found.align_to(reference)
    assert (found.predict(X) == reference.predict(X)).mean() > 0.97


def test_two_equal_components_leave_a_coin_flip(reference):
    twins = shuffled(reference, [0, 1, 2, 3])
    twins.means_, twins.covariances_ = twins.means_[[0, 0, 1, 2]], twins.covariances_[[0, 0, 1, 2]]
    twins.precisions_cholesky_ = twins.precisions_cholesky_[[0, 0, 1, 2]]
    found = shuffled(twins, [1, 0, 2, 3]).align_to(twins).alignment_
    assert_allclose(found.confidence[:2], 0.5)


def test_other_features_are_refused(reference):
    with pytest.raises(ValueError, match="different features: 2 and 1"):
        reference.align_to(fitted(X[:, :1]))


def test_another_fit_forgets_it(reference):
    other = shuffled(reference, [2, 0, 3, 1]).align_to(reference)
    assert hasattr(other, "alignment_")
    assert not hasattr(other.sort_components(), "alignment_")
