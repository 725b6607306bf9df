"""Predictions of rows so far away that their squared distances overflow."""

import dask.array as da
import numpy as np
import pytest
from numpy.testing import assert_allclose

from daskgmm import GaussianMixture
from tests.oracle.data import STRUCTURES


def fitted(covariance_type, variance=1.0, weights=(0.25, 0.75)):
    """Two components at 0 and at 10, the second one with nine times the variance."""
    mixture = GaussianMixture(2, covariance_type=covariance_type)
    mixture.weights_ = np.array(weights)
    mixture.means_ = np.array([[0.0, 0.0], [10.0, 10.0]])
    deviations = np.sqrt(variance) * np.array([1.0, 3.0])
    mixture.precisions_cholesky_ = {
        "full": np.eye(2) / deviations[:, None, None],
        "tied": np.eye(2) / deviations[0],
        "diag": np.ones((2, 2)) / deviations[:, None],
        "spherical": 1 / deviations,
    }[covariance_type]
    mixture.n_features_in_ = 2
    return mixture


@pytest.mark.parametrize("covariance_type", STRUCTURES)
@pytest.mark.parametrize("variance", [1.0, 1e-20, 1e-200])
def test_posteriors_sum_to_one_and_densities_are_numbers(covariance_type, variance):
    mixture = fitted(covariance_type, variance)
    rows = np.array([[1e150, -1e150], [1e149, 0], [0, -1e100], [10, 10], [5, 5], [-1e20, 1]])
    posteriors = mixture.predict_proba(rows)
    assert_allclose(posteriors.sum(1), 1.0)
    densities = mixture.score_samples(rows)
    assert not np.isnan(densities).any()
    assert densities[0] <= densities[1] <= densities[2] < densities[3]
    assert np.isfinite(mixture.score(rows))
    assert np.isfinite(mixture.icl(rows))
    np.testing.assert_array_equal(mixture.predict(rows), posteriors.argmax(1))
    lazy = mixture.predict_proba(da.from_array(rows, chunks=(1, 2)))
    assert_allclose(lazy.compute(), posteriors, rtol=1e-9)


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
@pytest.mark.parametrize("variance", [1e-20, 1e-200])
def test_the_nearest_component_takes_what_is_beyond_all(covariance_type, variance):
    mixture = fitted(covariance_type, variance)
    # In its own deviations the wide component is nearer to whatever is far away.
    far = np.array([[1e150, 1e150], [-1e150, 0.0], [0.0, 1e149]])
    np.testing.assert_array_equal(mixture.predict(far), 1)
    assert_allclose(mixture.predict_proba(far), [[0.0, 1.0]] * 3, atol=1e-280)


@pytest.mark.parametrize("covariance_type", STRUCTURES)
def test_a_component_without_weight_takes_nothing(covariance_type):
    mixture = fitted(covariance_type, 1e-12, weights=(1.0, 0.0))
    far = np.array([[1e150, 1e150], [10.0, 10.0], [0.0, 1e3]])
    np.testing.assert_array_equal(mixture.predict(far), 0)


def test_float32_rows_end_with_minus_infinity():
    mixture = fitted("full")
    rows = np.array([[3e38, 0], [0, 0]], np.float32)
    densities = mixture.score_samples(rows)
    assert densities.dtype == np.float32
    assert densities[0] == -np.inf
    assert np.isfinite(densities[1])
    assert_allclose(mixture.predict_proba(rows).sum(1), 1.0)


@pytest.mark.parametrize("far", [1e17, 1e150])
def test_a_far_component_costs_the_others_no_digit(far):
    mixture = fitted("full")
    rows = np.random.default_rng(0).normal(size=(50, 2)) * 5
    expected = mixture.score_samples(rows)
    mixture.means_ = np.vstack([mixture.means_, [[far, far]]])
    factor = np.eye(2)[None]
    mixture.precisions_cholesky_ = np.concatenate([mixture.precisions_cholesky_, factor])
    mixture.weights_ = np.array([0.125, 0.375, 0.5])
    assert_allclose(mixture.score_samples(rows), expected - np.log(2), rtol=1e-13)
    assert mixture.predict([[far, far]])[0] == 2
    assert_allclose(mixture.score_samples([[far, far]]), -np.log(4 * np.pi))


def test_values_at_the_largest_are_taken_about_any_centre():
    mixture = fitted("diag", weights=(0.5, 0.5))
    mixture.means_ = np.array([[-1e150, 0.0], [1e150, 0.0]])
    np.testing.assert_array_equal(mixture.predict([[-1e150, 0.0], [1e150, 0.0]]), [0, 1])
    with pytest.raises(ValueError, match=r"1\.1e\+150 in row 1"):
        mixture.predict([[0.0, 0.0], [1.1e150, 0.0]])
