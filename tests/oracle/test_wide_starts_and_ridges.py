"""Wide starts lose no digits, dependent columns end in a ridge, weights of zero stay zero."""

import warnings

import dask.array as da
import numpy as np
import pytest
import sklearn.mixture
from numpy.testing import assert_allclose

from daskgmm import GaussianMixture
from daskgmm.errors import DataError, DegenerateComponentWarning
from tests.oracle.data import STRUCTURES, in_structure

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("covariance_type", STRUCTURES)
@pytest.mark.parametrize("separation", [1e6, 1e9])
@pytest.mark.parametrize("iterations", [1, 3])
def test_a_wide_start_on_tight_clusters_loses_no_digits(covariance_type, separation, iterations):
    """The guard sees the wide start; the moments must suit the tight result."""
    random = np.random.default_rng(0)
    halves = random.normal(size=(2, 500, 2)) + np.array([0, separation])[:, None, None]
    wide = 1600 / separation**2
    precisions = {
        "full": np.tile(np.eye(2) * wide, (2, 1, 1)),
        "tied": np.eye(2) * wide,
        "diag": np.full((2, 2), wide),
        "spherical": np.full(2, wide),
    }[covariance_type]
    mixture = GaussianMixture(
        2,
        covariance_type=covariance_type,
        max_iter=iterations,
        tol=0,
        weights_init=[0.5, 0.5],
        means_init=[[0, 0], [separation, separation]],
        precisions_init=precisions,
    ).fit(np.concatenate(halves))
    each = np.stack([np.cov(half.T, bias=True) for half in halves]) + 1e-6 * np.eye(2)
    expected = in_structure(each, covariance_type)
    assert_allclose(mixture.covariances_, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("covariance_type", ["full", "tied"])
@pytest.mark.parametrize("scale", [1e5, 3e5, 1e6, 1e7])
@pytest.mark.parametrize("seed", [0, 2, 5])
def test_dependent_columns_end_in_a_ridge_and_a_likelihood_that_stands(
    covariance_type, scale, seed
):
    rows = np.random.default_rng(seed).normal(size=(3000, 3)) * scale
    rows = np.c_[rows, rows[:, 0] + rows[:, 1]]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mixture = GaussianMixture(
            3, covariance_type=covariance_type, random_state=seed, max_iter=40
        ).fit(rows)
    changes = np.diff(mixture.lower_bounds_)
    assert changes.min(initial=0.0) > -0.05
    if scale >= 1e6:
        assert any(w.category is DegenerateComponentWarning for w in caught)


def test_a_component_of_weight_zero_stays_so():
    rows = np.concatenate([np.random.default_rng(0).normal(size=(100, 2)), np.full((3, 2), 100.0)])
    settings = {
        "weights_init": [1.0, 0.0],
        "means_init": [[0, 0], [100, 100]],
        "precisions_init": np.tile(np.eye(2), (2, 1, 1)),
        "max_iter": 1,
    }
    with np.errstate(divide="ignore"):
        theirs = sklearn.mixture.GaussianMixture(2, **settings).fit(rows)
    with pytest.warns(DegenerateComponentWarning):
        ours = GaussianMixture(2, **settings).fit(rows)
    assert_allclose(ours.weights_, theirs.weights_, atol=1e-12)


@pytest.mark.slow
def test_few_weighted_rows_among_many_are_all_in_the_sample():
    rows = np.random.default_rng(0).normal(size=(300_000, 1)) + np.arange(300_000)[:, None] % 30
    weights = np.zeros(len(rows))
    weights[:30] = 1
    one = GaussianMixture(5, random_state=0).fit(rows, sample_weight=weights)
    other = GaussianMixture(5, random_state=0).fit(rows[:30])
    assert_allclose(np.sort(one.means_[:, 0]), np.sort(other.means_[:, 0]), rtol=1e-9)


def test_masked_arrays_are_refused():
    rows = np.ma.masked_array(np.zeros((10, 2)), mask=False)
    with pytest.raises(DataError, match="masked"):
        GaussianMixture(1).fit(rows)
    mixture = GaussianMixture(1).fit(np.random.default_rng(0).normal(size=(10, 2)))
    with pytest.raises(DataError, match="masked"):
        mixture.score_samples(rows)
    with pytest.raises(DataError, match="masked"):
        mixture.predict(da.ma.masked_greater(da.zeros((10, 2), chunks=5), 1)).compute()


def test_another_covariance_type_after_the_fit_is_refused():
    rows = np.random.default_rng(0).normal(size=(50, 2))
    mixture = GaussianMixture(2, covariance_type="diag", warm_start=True).fit(rows)
    mixture.set_params(covariance_type="tied")
    for call in (mixture.fit, mixture.predict, mixture.score):
        with pytest.raises(ValueError, match=r"covariance_type|warm_start=False"):
            call(rows)
