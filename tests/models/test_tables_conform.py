"""Every entry of the tables of outputs and estimators is run through their classes."""

import pytest

from daskgmm.models.estimators import ESTIMATORS
from daskgmm.models.predictions.outputs import OUTPUTS
from daskgmm.testing import EstimatorTests, OutputTests


@pytest.mark.parametrize("name", OUTPUTS, scope="class")
class TestOutputs(OutputTests):
    @pytest.fixture(autouse=True)
    def named(self, name):
        self.name = name


@pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=list(ESTIMATORS), scope="class")
class TestEstimators(EstimatorTests):
    @pytest.fixture(autouse=True)
    def chosen(self, estimator):
        self.estimator = estimator
