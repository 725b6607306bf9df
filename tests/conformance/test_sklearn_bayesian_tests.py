"""scikit-learn's own tests of Bayesian mixtures, from its installed wheel, run on ours.

As in `test_sklearn_tests`: all of them but those in PRIVATE, which call scikit-learn's private
functions (two) or private methods of the estimator (one).
"""

import pytest
import sklearn.mixture.tests.test_bayesian_mixture as upstream
import sklearn.mixture.tests.test_mixture as upstream_common
from sklearn.utils.estimator_checks import parametrize_with_checks

import daskgmm
from tests.conformance.taken import taken

pytestmark = pytest.mark.filterwarnings("default")

PRIVATE = {"test_log_dirichlet_norm", "test_log_wishart_norm", "test_compare_covar_type"}

LONG = {
    "test_bayesian_mixture_fit_predict",
    "test_check_covariance_precision",
    "test_invariant_translation",
    "test_monotonic_likelihood",
}

TAKEN = taken(upstream, PRIVATE, LONG)
globals().update(TAKEN)


@pytest.fixture(autouse=True)
def our_mixture(monkeypatch):
    monkeypatch.setattr(upstream, "BayesianGaussianMixture", daskgmm.BayesianGaussianMixture)


def test_the_tests_taken_are_many_and_see_our_class():
    assert len(TAKEN) >= 11
    assert upstream.BayesianGaussianMixture is daskgmm.BayesianGaussianMixture
    assert {"test_monotonic_likelihood", "test_invariant_translation"} <= set(TAKEN)


def test_n_iter():
    upstream_common.test_gaussian_mixture_n_iter(daskgmm.BayesianGaussianMixture())


def test_more_components_than_rows():
    upstream_common.test_mixture_n_components_greater_than_n_samples_error(
        daskgmm.BayesianGaussianMixture()
    )


@parametrize_with_checks([daskgmm.BayesianGaussianMixture()])
def test_check_estimator(estimator, check):
    check(estimator)
