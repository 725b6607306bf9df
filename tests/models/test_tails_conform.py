"""Estimators whose components have tails pass the tests of every estimator."""

import pytest

from daskgmm.gaussian.tails.tails import TAILS as TABLE
from daskgmm.models.estimators import ESTIMATORS
from daskgmm.models.fitting.estimator import MixtureEstimator
from daskgmm.names import TAILS
from daskgmm.testing import EstimatorTests


class StudentMixture(MixtureEstimator):
    tails, init_params, n_init = "t", "k-means++", 1

    def __init__(self, n_components=2, *, tol=1e-3, max_iter=100, random_state=None):
        self.n_components, self.tol, self.max_iter = n_components, tol, max_iter
        self.random_state = random_state


class ContaminatedMixture(MixtureEstimator):
    tails, covariance_type, init_params, n_init = "contaminated", "tied", "k-means++", 1

    def __init__(self, n_components=2, *, tol=1e-3, max_iter=100, random_state=None):
        self.n_components, self.tol, self.max_iter = n_components, tol, max_iter
        self.random_state = random_state


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    for kind in (StudentMixture, ContaminatedMixture):
        monkeypatch.setitem(ESTIMATORS, kind.__name__, kind)


class TestStudentMixture(EstimatorTests):
    estimator = StudentMixture


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
class TestContaminatedMixture(EstimatorTests):
    estimator = ContaminatedMixture


def test_names_of_tails_are_those_of_the_table():
    assert tuple(TABLE) == TAILS
