"""scikit-learn's checks of classifiers, run on ours."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import daskgmm

pytestmark = pytest.mark.filterwarnings("default")


@parametrize_with_checks([daskgmm.GaussianMixtureClassifier()])
def test_check_estimator(estimator, check):
    check(estimator)
