"""Every entry of the tables of outputs and estimators is run through their classes."""

import pytest

from daskgmm.models.estimators import ESTIMATORS
from daskgmm.models.predictions.outputs import OUTPUTS
from daskgmm.testing import EstimatorTests, OutputTests
from daskgmm.testing.outputs import OF_FACTORS


@pytest.mark.parametrize(
    "name", [each for each in OUTPUTS if each not in OF_FACTORS], scope="class"
)
class TestOutputs(OutputTests):
    @pytest.fixture(autouse=True)
    def named(self, name):
        self.name = name


@pytest.mark.parametrize("name", OF_FACTORS, scope="class")
class TestOutputsOfFactors(OutputTests):
    structures, q = ("factor-2", "ppca-2"), 2

    @pytest.fixture(autouse=True)
    def named(self, name):
        self.name = name


@pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=list(ESTIMATORS), scope="class")
class TestEstimators(EstimatorTests):
    @pytest.fixture(autouse=True)
    def chosen(self, estimator):
        self.estimator = estimator
