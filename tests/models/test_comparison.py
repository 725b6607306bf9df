"""Two mixtures side by side: by brute force, streamed, in data units, with weights and gaps."""

import json
import math

import dask.array as da
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.cluster import contingency_matrix

from daskgmm import BayesianGaussianMixture, GaussianMixture, compare
from daskgmm.errors import DataError, SettingError
from daskgmm.models.facts.rand_index import adjusted_rand

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(600, 2)) + 4 * RANDOM.integers(0, 3, (600, 1)) * [1.0, 0.5]
WEIGHTS = RANDOM.integers(0, 3, 600).astype(float)


def fitted(k, x=X, **settings):
    settings = {
        "random_state": 0,
        "init_params": "k-means++",
        "max_iter": 40,
        "tol": 1.0,
        **settings,
    }
    return GaussianMixture(k, **settings).fit(x)


@pytest.fixture(scope="module")
def a():
    return fitted(2)


@pytest.fixture(scope="module")
def b():
    return fitted(3, covariance_type="diag")


def by_hand(a, b, x, weights=None):
    weights = np.ones(len(x)) if weights is None else weights
    delta = b.score_samples(x) - a.score_samples(x)
    mean = np.average(delta, weights=weights)
    n, total = (weights > 0).sum(), weights.sum()
    spread = (weights**2 * (delta - mean) ** 2).sum() * n / (n - 1)
    return mean, np.sqrt(spread) / total


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("chunks", [None, 37])
def test_rows_by_brute_force(a, b, weights, chunks):
    x = X if chunks is None else da.from_array(X, chunks=(chunks, 2))
    found = compare(a, b, x, weights).on_rows
    means = [np.average(each.score_samples(X), weights=weights) for each in (a, b)]
    assert_allclose(found.log_likelihoods, means, rtol=1e-12)
    assert_allclose((found.difference, found.standard_error), by_hand(a, b, X, weights), rtol=1e-9)
    there = slice(None) if weights is None else weights > 0
    labels = a.predict(X[there]), b.predict(X[there])
    assert_array_equal(found.confusion[:-1, :-1], contingency_matrix(*labels))
    assert found.confusion.sum() == found.rows == len(labels[0])
    assert_allclose(found.adjusted_rand, adjusted_rand_score(*labels), rtol=1e-12)
    assert found.missing == 0


def test_the_standard_error_of_equal_weights_is_that_of_a_mean(a, b):
    delta = b.score_samples(X) - a.score_samples(X)
    for weights in (None, np.full(600, 0.25)):
        found = compare(a, b, X, weights).on_rows
        assert_allclose(found.standard_error, delta.std(ddof=1) / math.sqrt(600), rtol=1e-9)


@pytest.mark.parametrize("chunks", [600, 100])
def test_the_standard_error_of_a_large_difference(a, chunks):
    """Two mixtures far apart differ by 1e18 nats in the mean, and by 1e9 from row to row."""
    far = GaussianMixture.from_parameters([1.0], [[1e9, 0.0]], [1.0])
    near = GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], [1.0])
    found = compare(near, far, da.from_array(X, chunks=(chunks, 2)), n_drawn=1000).on_rows
    # log N(x | m, 1) is m x - m^2 / 2 more than log N(x | 0, 1), of the first feature.
    expected = 1e9 * X[:, 0].std(ddof=1) / np.sqrt(len(X))
    assert_allclose(found.difference, 1e9 * X[:, 0].mean() - 0.5e18, rtol=1e-12)
    assert_allclose(found.standard_error, expected, rtol=1e-5)


@pytest.mark.parametrize("scale", [1e-200, 1e140])
def test_the_scale_of_weights_changes_nothing(a, b, scale):
    x = da.from_array(X, chunks=(100, 2))
    expected = compare(a, b, x, WEIGHTS, n_drawn=1000).on_rows
    found = compare(a, b, x, scale * WEIGHTS, n_drawn=1000).on_rows
    assert_allclose(found.log_likelihoods, expected.log_likelihoods, rtol=1e-12)
    assert_allclose(found.difference, expected.difference, rtol=1e-9)
    assert_allclose(found.standard_error, expected.standard_error, rtol=1e-9)


def test_a_row_beyond_all_squares_leaves_no_warning(a, b):
    found = compare(a, b, np.append(X, [[1e100, 0.0]], axis=0), n_drawn=1000).on_rows
    assert abs(found.difference) > 1e150
    assert not np.isfinite(found.standard_error)


def test_swapped(a, b):
    one, other = compare(a, b, X), compare(b, a, X)
    assert_allclose(one.on_rows.difference, -other.on_rows.difference)
    assert_array_equal(one.on_rows.confusion, other.on_rows.confusion.T)
    assert {tuple(pair) for pair in one.pairs} == {tuple(pair[::-1]) for pair in other.pairs}
    assert one.divergence == other.divergence[::-1]


def test_pairs_are_those_of_align_to(a, b):
    found = compare(a, b)
    expected = fitted(3, covariance_type="diag").align_to(a).alignment_
    assert len(found.pairs) == 2
    for (i, j), distance, confidence in zip(
        found.pairs, found.distances, found.confidence, strict=True
    ):
        assert expected.order[i] == j
        assert_allclose(np.exp(-distance), expected.overlap[i])
        assert_allclose(confidence, expected.confidence[i])
    assert found.divergence[0] == a.divergence(b)
    assert found.on_rows is None


def test_a_mixture_and_itself_in_another_order(a):
    other = GaussianMixture.from_parameters(a.weights_[::-1], a.means_[::-1], a.covariances_[::-1])
    found = compare(a, other, X)
    assert found.pairs.tolist() == [[0, 1], [1, 0]]
    assert_allclose(found.distances, 0, atol=1e-12)
    assert (found.on_rows.adjusted_rand, abs(found.on_rows.difference) < 1e-12) == (1, True)
    assert abs(found.divergence[0].value) < 1e-12


def test_densities_are_in_the_units_of_the_data(a):
    scaled = X * [100.0, 0.01]
    plain, standardised = fitted(1, scaled), fitted(1, scaled, standardise=True)
    turned = fitted(1, scaled, standardise=True, pca=2)
    for other in (standardised, turned):
        found = compare(plain, other, scaled).on_rows
        scales = other.coordinates_.scales
        assert_allclose(found.log_likelihoods[0], plain.score(scaled))
        assert_allclose(found.log_likelihoods[1], other.score(scaled) - np.log(scales).sum())
        assert abs(found.difference) < 0.01


def test_principal_axes_compare_with_themselves_alone(b):
    one, two = fitted(2, pca=1), fitted(3, pca=1)
    same = compare(one, two, X)
    assert_allclose(same.on_rows.difference, two.score(X) - one.score(X), rtol=1e-9)
    assert "principal axes" in same.no_divergence
    apart = compare(one, b, X)
    assert math.isnan(apart.on_rows.difference)
    assert 0 < apart.on_rows.adjusted_rand <= 1
    assert "likelihoods do not compare" in repr(apart)
    assert apart.as_dict()["on_rows"]["difference"] is None


def test_rows_that_one_leaves_out(a):
    gaps = X.copy()
    gaps[::5, 1] = np.nan
    drops, fills = (fitted(2, gaps, missing=way) for way in ("drop", "marginalise"))
    found = compare(drops, fills, gaps).on_rows
    assert (found.rows, found.missing) == (480, 120)
    whole = gaps[~np.isnan(gaps).any(axis=1)]
    assert_allclose(found.difference, by_hand(drops, fills, whole)[0], rtol=1e-9)
    with pytest.raises(DataError, match="NaN"):
        compare(a, fills, gaps)
    with pytest.raises(DataError, match="no rows of positive weight"):
        compare(drops, fills, np.full((4, 2), np.nan))


def test_outliers_have_a_row_and_a_column(a):
    far = np.concatenate([X, RANDOM.uniform(-60, 60, (40, 2))])
    noisy = fitted(2, far, noise=True, tol=1e-3)
    found = compare(noisy, a, far)
    labels = noisy.predict(far)
    assert found.on_rows.confusion[-1].sum() == (labels == -1).sum() > 5
    assert_allclose(found.on_rows.adjusted_rand, adjusted_rand_score(labels, a.predict(far)))
    assert "uniform over a box" in found.no_divergence
    assert "out" in repr(found)


@pytest.mark.parametrize(
    "counts",
    [[[5]], [[3, 0], [0, 2]], [[1, 0], [0, 1]], [[2, 1], [1, 2]], [[1, 1], [1, 1]], [[4, 3]]],
)
def test_the_index_is_that_of_scikit_learn(counts):
    counts = np.array(counts)
    places = np.repeat(np.indices(counts.shape).reshape(2, -1), counts.ravel(), axis=1)
    assert_allclose(adjusted_rand(counts), adjusted_rand_score(*places), atol=1e-15)


def test_the_index_of_many_rows_does_not_overflow():
    few = np.array([[5, 2], [1, 7]])
    assert_allclose(adjusted_rand(few * 10**12), adjusted_rand(few * 10**9), rtol=1e-8)
    assert 0 < adjusted_rand(few * 10**17) < 1


def test_what_is_refused(a):
    named = fitted(2, pd.DataFrame(X, columns=["u", "v"]))
    assert compare(a, named).features == ("u", "v")
    turned = fitted(2, pd.DataFrame(X[:, ::-1], columns=["v", "u"]))
    with pytest.raises(DataError, match=r"different features: 2 \(u, v\) and 2 \(v, u\)"):
        compare(named, turned)
    with pytest.raises(DataError, match=r"2 .without names. and 1"):
        compare(a, fitted(1, X[:, :1]))
    with pytest.raises(SettingError, match=r"b is a str; give a fitted mixture.*mixture_"):
        compare(a, "model.json")


def test_a_bayesian_mixture_has_no_divergence(a):
    other = BayesianGaussianMixture(2, random_state=0, max_iter=5).fit(X)
    found = compare(a, other, X)
    assert "variational posterior" in found.no_divergence
    assert found.on_rows.rows == 600


def test_the_report(a, b):
    text = repr(compare(a, b, X))
    assert text.startswith("Two mixtures of 2 features\n")
    assert max(map(len, text.splitlines())) <= 80
    assert "without a partner in B" in text
    plain = compare(a, b, X).as_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["facts"][1]["structure"] == "diag"


def test_criteria_of_different_rows_do_not_compare(a, b):
    assert "different rows" not in repr(compare(a, b))
    assert "do not compare" in repr(compare(a, fitted(3, X[10:])))
