"""The canonical order: by weight, ties by mean, and everything a component has goes along."""

import itertools
import warnings
from copy import deepcopy

import dask.array as da
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from daskgmm import GaussianMixture, load_model, save_model
from daskgmm.models.facts.order import canonical_order
from daskgmm.models.fitting.request import search_to_go_on
from tests.oracle.data import STRUCTURES, blobs, start_for

N, D, K = 600, 3, 4
X = blobs(N, D, K, separation=10)
ATTRIBUTES = ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_")
PER_COVARIANCE = ATTRIBUTES[2:]


@pytest.fixture(scope="module", params=STRUCTURES)
def fitted(request):
    """A mixture whose weights ascend."""
    mixture = GaussianMixture(K, covariance_type=request.param, random_state=0).fit(X)
    return renumbered(mixture, np.argsort(mixture.weights_))


@pytest.fixture
def mixture(fitted):
    """A copy that the test may change."""
    return deepcopy(fitted)


def renumbered(mixture, order):
    for name in ATTRIBUTES:
        if not (name in PER_COVARIANCE and mixture.covariance_type == "tied"):
            setattr(mixture, name, getattr(mixture, name)[order])
    return mixture


def attributes(mixture):
    return {name: getattr(mixture, name).copy() for name in ATTRIBUTES}


def test_the_order_is_by_weight_first():
    weights = np.array([0.2, 0.5, 0.3])
    assert_array_equal(canonical_order(weights, np.zeros((3, 2))), [1, 2, 0])


def test_ties_are_by_mean_feature_by_feature():
    weights = np.array([0.2, 0.2, 0.2, 0.2, 0.2])
    means = np.array([[1, -5, 0], [0, 2, 9], [1, -5, -1], [0, 1, 99], [-3, 7, 7]])
    assert_array_equal(canonical_order(weights, means), [4, 3, 1, 2, 0])


def test_no_ties_between_weights_that_differ_in_the_last_bit():
    weights = np.array([np.nextafter(0.5, 0), 0.5])
    assert_array_equal(canonical_order(weights, np.array([[0.0], [1.0]])), [1, 0])


def test_both_zeros_are_equal_and_equal_components_keep_their_places():
    weights, means = np.full(3, 1 / 3), np.array([[0.0, 2], [-0.0, 1], [0.0, 2]])
    assert_array_equal(canonical_order(weights, means), [1, 0, 2])


def test_the_order_of_any_numbering_is_the_same_mixture():
    weights, means = np.array([0.3, 0.2, 0.3, 0.2]), np.array([[2.0], [1], [0], [-1]])
    for numbering in map(list, itertools.permutations(range(4))):
        order = canonical_order(weights[numbering], means[numbering])
        assert_array_equal(weights[numbering][order], [0.3, 0.3, 0.2, 0.2])
        assert_array_equal(means[numbering][order].ravel(), [0, 2, -1, 1])


def test_everything_goes_along(mixture):
    before = attributes(mixture)
    assert mixture.sort_components() is mixture
    for name, found in attributes(mixture).items():
        stays = mixture.covariance_type == "tied" and name in PER_COVARIANCE
        assert_array_equal(found, before[name] if stays else before[name][::-1])
        assert found.dtype == np.float64
    assert (np.diff(mixture.weights_) <= 0).all()


@pytest.mark.parametrize("source", [np.asarray, lambda X: da.from_array(X, chunks=(100, D))])
def test_predictions_are_relabelled_and_densities_stay(mixture, source):
    rows = source(X)
    labels, proba = (np.asarray(f(rows)) for f in (mixture.predict, mixture.predict_proba))
    densities, icl = np.asarray(mixture.score_samples(rows)), mixture.icl(rows)
    mixture.sort_components()
    assert_array_equal(np.asarray(mixture.predict(rows)), K - 1 - labels)
    assert_allclose(np.asarray(mixture.predict_proba(rows)), proba[:, ::-1], atol=1e-12)
    assert_allclose(np.asarray(mixture.score_samples(rows)), densities, atol=1e-9)
    assert_allclose(mixture.icl(rows), icl, rtol=1e-12)
    drawn, components = mixture.sample(20_000)
    assert_allclose(np.bincount(components) / 20_000, mixture.weights_, atol=0.02)
    assert_allclose(mixture.score(drawn), mixture.score(X), rtol=0.05)


def test_the_second_time_changes_nothing(mixture):
    before = attributes(mixture.sort_components())
    mixture.sort_components()
    for name, found in attributes(mixture).items():
        assert_array_equal(found, before[name])


@pytest.mark.parametrize("covariance_type", STRUCTURES)
def test_fits_from_renumbered_starts_come_out_the_same(covariance_type):
    x = blobs(N, D, K)
    start = start_for(x, K, covariance_type)
    turned = {
        name: value if name == "precisions_init" and covariance_type == "tied" else value[::-1]
        for name, value in start.items()
    }
    settings = {"covariance_type": covariance_type, "max_iter": 300}
    one, other = (GaussianMixture(K, **settings, **init).fit(x) for init in (start, turned))
    assert not np.allclose(one.weights_, other.weights_)
    one.sort_components()
    other.sort_components()
    for name in ATTRIBUTES:
        assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-6, atol=1e-8)


def test_ties_of_a_mixture(mixture):
    mixture.weights_ = np.full(K, 1 / K)
    mixture.means_ = np.array([[1.0, 2, 2], [0, 5, 0], [1, 2, 1], [0, 4, 9]])
    before = attributes(mixture)
    mixture.sort_components()
    assert_array_equal(mixture.means_, [[0, 4, 9], [0, 5, 0], [1, 2, 1], [1, 2, 2]])
    if mixture.covariance_type != "tied":
        assert_array_equal(mixture.covariances_, before["covariances_"][[3, 1, 2, 0]])


def test_arrays_that_others_hold_stay_as_they_are(mixture):
    held = {name: getattr(mixture, name) for name in ATTRIBUTES}
    before = attributes(mixture)
    mixture.sort_components()
    for name, array in held.items():
        assert_array_equal(array, before[name])


def test_attributes_set_by_hand_may_lack_what_predictions_do_not_need(mixture):
    del mixture.covariances_, mixture.precisions_
    labels = mixture.predict(X)
    mixture.weights_ = mixture.weights_.tolist()
    assert_array_equal(mixture.sort_components().predict(X), K - 1 - labels)
    assert not hasattr(mixture, "covariances_")


def test_goes_through_a_file_and_a_warm_start(mixture, tmp_path):
    mixture.sort_components()
    save_model(mixture, tmp_path / "model.json")
    loaded = load_model(tmp_path / "model.json")
    assert_array_equal(loaded.predict(X), mixture.predict(X))
    mixture.set_params(warm_start=True).fit(X)
    assert_allclose(mixture.means_, loaded.means_, atol=0.1)


def test_refuses_what_predictions_refuse(mixture):
    with pytest.raises(NotFittedError):
        GaussianMixture().sort_components()
    before = attributes(mixture)
    other = "diag" if mixture.covariance_type == "full" else "full"
    mixture.set_params(covariance_type=other)
    with pytest.raises(ValueError, match="covariance_type was set"):
        mixture.sort_components()
    for name, found in attributes(mixture).items():
        assert_array_equal(found, before[name])


@pytest.mark.slow
@pytest.mark.parametrize("structure", STRUCTURES)
def test_a_warm_start_goes_on_from_the_new_order_as_from_the_old(structure):
    """Its likelihood and what acceleration knew included."""
    x = np.random.default_rng(0).normal(size=(2000, 2)) * [1.0, 3.0]  # no clusters: many steps
    settings = {"covariance_type": structure, "warm_start": True, "tol": 1e-9, "max_iter": 25}
    settings |= {"init_params": "k-means++"}
    kept, changed = (GaussianMixture(4, random_state=0, **settings) for _ in range(2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        kept.fit(x)
        changed.fit(x)
        renumber = np.argsort(kept.weights_)
        assert not np.array_equal(renumber, np.arange(4))
        changed._reorder(renumber)
        assert search_to_go_on(changed) is not None
        assert search_to_go_on(changed.sort_components()) is not None
        assert changed.lower_bound_ == kept.lower_bound_
        kept.fit(x)
        changed.fit(x)
    assert_allclose(changed.lower_bounds_[:5], kept.lower_bounds_[:5], rtol=1e-9)
    kept.sort_components()
    changed.sort_components()
    if kept.converged_:
        assert_allclose(changed.lower_bound_, kept.lower_bound_, atol=1e-8)


def test_a_warm_start_knows_nothing_of_means_that_were_set():
    mixture = GaussianMixture(2, warm_start=True, random_state=0).fit(X)
    mixture.means_ = mixture.means_ + 1
    assert search_to_go_on(mixture.sort_components()) is None
