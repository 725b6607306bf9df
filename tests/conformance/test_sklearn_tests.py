"""scikit-learn's own tests of mixtures, from its installed wheel, run on ours.

The modules' name `GaussianMixture` is replaced; nothing is copied. Every test there is run,
but those listed in PRIVATE, which call scikit-learn's private functions and so test nothing
of ours, and ARRAY_API, which need other array libraries than NumPy.
"""

import pytest
import sklearn.mixture.tests.test_gaussian_mixture as upstream
import sklearn.mixture.tests.test_mixture as upstream_common
from sklearn.utils.estimator_checks import parametrize_with_checks

import daskgmm
from tests.conformance.taken import taken

pytestmark = pytest.mark.filterwarnings("default")

PRIVATE = {
    "test_suffstat_sk_full",
    "test_suffstat_sk_tied",
    "test_suffstat_sk_diag",
    "test_gaussian_suffstat_sk_spherical",
    "test_compute_log_det_cholesky",
    "test_gaussian_mixture_log_probabilities",
    "test_gaussian_mixture_precisions_init",
    "test_gaussian_mixture_all_init_does_not_estimate_gaussian_parameters",
}
ARRAY_API = {
    "test_gaussian_mixture_array_api_compliance",
    "test_gaussian_mixture_raises_where_array_api_not_implemented",
}

LONG = {"test_init", "test_multiple_init", "test_gaussian_mixture_fit_best_params"}

TAKEN = taken(upstream, PRIVATE | ARRAY_API, LONG)
globals().update(TAKEN)


@pytest.fixture(autouse=True)
def our_mixture(monkeypatch):
    monkeypatch.setattr(upstream, "GaussianMixture", daskgmm.GaussianMixture)


def test_the_tests_taken_are_many_and_see_our_class():
    assert len(TAKEN) >= 30
    assert upstream.GaussianMixture is daskgmm.GaussianMixture
    assert {"test_gaussian_mixture_fit", "test_warm_start", "test_regularisation"} <= set(TAKEN)


def test_n_iter():
    upstream_common.test_gaussian_mixture_n_iter(daskgmm.GaussianMixture())


def test_more_components_than_rows():
    upstream_common.test_mixture_n_components_greater_than_n_samples_error(
        daskgmm.GaussianMixture()
    )


@parametrize_with_checks([daskgmm.GaussianMixture()])
def test_check_estimator(estimator, check):
    check(estimator)
