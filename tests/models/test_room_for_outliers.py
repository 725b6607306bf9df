"""Starts, boxes, priors and predictions of mixtures that make room for outliers."""

import warnings
from functools import cache

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose, assert_array_equal

from daskgmm import BayesianGaussianMixture, ConjugatePrior, GaussianMixture
from daskgmm.errors import ScaleWarning
from daskgmm.models.settings.outliers import box_of
from tests.models.test_outliers import WAY, N, clusters, fitted, outliers, sorted_means


@pytest.mark.slow
@pytest.mark.parametrize("acceleration", ["auto", None])
def test_constant_columns_tell_nothing_of_outliers(acceleration):
    x = np.concatenate([clusters(), outliers("everywhere")])
    settings = {"noise": True, "acceleration": acceleration}
    alone = fitted(x, **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ScaleWarning)
        for m in (1, 20, 60):
            wider = fitted(np.column_stack([x, np.full((len(x), m), 3.0)]), **settings)
            assert_allclose(wider.noise_weight_, alone.noise_weight_, rtol=1e-4)
            assert_array_equal(
                wider.predict(np.column_stack([x, np.full((len(x), m), 3.0)])), alone.predict(x)
            )


@pytest.mark.slow
def test_clean_rows_with_constant_columns_have_no_outliers():
    x = np.column_stack([clusters(), np.zeros((2 * N, 40))])
    mixture = fitted(x, noise=True)
    assert mixture.noise_weight_ < 1e-3
    assert_allclose(mixture.score(x), fitted(x).score(x), atol=1e-3)


@pytest.mark.slow
def test_the_box_is_that_of_the_columns_that_are_standardised():
    x = np.exp(np.concatenate([clusters(), outliers("everywhere")]) / 50.0)  # skewed
    mixture = fitted(x, noise=True, standardise=True)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    assert_allclose(mixture.noise_log_volume_, np.log(np.ptp(z, axis=0)).sum(), rtol=1e-12)
    by_hand = fitted(z, noise=True)
    assert_allclose(mixture.lower_bound_, by_hand.lower_bound_, atol=1e-5)
    low, high = box_of(mixture)
    assert_allclose(np.log(high - low).sum(), mixture.noise_log_volume_, rtol=1e-12)


@pytest.mark.parametrize("init_params", ["k-means++", "random_from_data"])
@WAY
def test_starts_from_single_rows_do_not_leave_the_others_to_outliers(way, init_params):
    x = np.concatenate([clusters(), outliers("everywhere")])
    best = fitted(x, init_params="kmeans", **way).lower_bound_
    found = [
        GaussianMixture(2, init_params=init_params, random_state=seed, **way).fit(x).lower_bound_
        for seed in range(3)
    ]
    assert max(found) > best - 1e-3
    assert min(found) > best - 0.1


@cache
def clean(seed):
    """Return k, a few rows without outliers, and the score of a plain mixture of them."""
    random = np.random.default_rng(seed)
    k, d, n = random.integers(1, 6), random.integers(1, 5), random.integers(50, 200)
    x = random.normal(size=(n, d)) + 3.0 * random.normal(size=(k, d))[random.integers(k, size=n)]
    return k, x, GaussianMixture(k, random_state=seed).fit(x).score(x)


@pytest.mark.slow
@WAY
@pytest.mark.parametrize("seed", [0, 7, 15])
def test_few_clean_rows_cost_less_than_a_hundredth_of_a_nat(way, seed):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        k, x, plain = clean(seed)
        assert GaussianMixture(k, random_state=seed, **way).fit(x).score(x) > plain - 0.01


@WAY
def test_whole_weights_are_repeated_rows(way):
    x = np.concatenate([clusters()[::25], [[300.0, 300.0]]])
    weights = np.ones(len(x))
    weights[-1] = 8
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        weighted = GaussianMixture(2, random_state=0, **way).fit(x, sample_weight=weights)
        repeated = np.repeat(x, weights.astype(int), axis=0)
        rows = GaussianMixture(2, random_state=0, **way).fit(repeated)
    assert_allclose(weighted.lower_bound_, rows.lower_bound_, atol=1e-5)
    assert_allclose(sorted_means(weighted), sorted_means(rows), atol=1e-3)


def test_the_noise_is_a_class_among_the_most_probable_ones(tmp_path):
    x = np.concatenate([clusters(), outliers("everywhere")])
    mixture = fitted(x, noise=True)
    names = ["label", "top", "largest_posterior", "ambiguity", "outlier_probability"]
    mixture.predict_to_zarr(x, tmp_path / "p.zarr", names, dtype="float64")
    found = xr.open_zarr(tmp_path / "p.zarr", consolidated=False).load()
    posteriors = np.column_stack([mixture.predict_proba(x), found.outlier_probability])
    ordered = np.sort(posteriors, axis=1)[:, ::-1]
    assert_array_equal(found.top_component[:, 0], found.label)
    assert_allclose(found.top_posterior, ordered[:, :2], atol=1e-12)
    assert_allclose(found.largest_posterior, ordered[:, 0], atol=1e-12)
    assert_allclose(found.ambiguity, 1 - (ordered[:, 0] - ordered[:, 1]), atol=1e-12)
    assert found.ambiguity[found.outlier_probability > 0.999].max() < 0.002


@pytest.mark.slow
def test_a_prior_that_outliers_make_is_refused():
    x = np.concatenate([clusters(), outliers("everywhere")])
    with pytest.raises(ValueError, match="takes its mean and scale from all rows"):
        GaussianMixture(2, noise=True, prior="conjugate").fit(x)
    prior = ConjugatePrior(mean=[0.0, 0.0], scale=np.eye(2), degrees_of_freedom=4)
    for given in (prior, "dirichlet"):
        mixture = fitted(x, noise=True, prior=given)
        assert_allclose(sorted_means(mixture), [[0, 0], [6, 0]], atol=0.2)


@pytest.mark.parametrize("settings", [{"noise": True}, {"tails": "contaminated"}])
def test_a_bayesian_mixture_has_no_room_for_outliers(settings):
    mixture = BayesianGaussianMixture(n_components=2)
    for name, value in settings.items():
        setattr(mixture, name, value)
    with pytest.raises(ValueError, match=f"The {next(iter(settings))!r} parameter"):
        mixture.fit(clusters())
