"""Every entry of the table of covariance structures is one."""

import pytest

from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.testing import CovarianceTests


class TestStructures(CovarianceTests):
    @pytest.fixture(autouse=True, params=STRUCTURES)
    def entry(self, request):
        self.structure = STRUCTURES[request.param]


@pytest.mark.parametrize("wrong", ["divisor", "order"])
def test_a_wrong_m_step_is_found(wrong, monkeypatch):
    full = STRUCTURES["full"]
    right = type(full).maximise

    def maximise(self, scatter, last):
        covariances = right(self, scatter, last)
        return covariances * 1.05 if wrong == "divisor" else covariances[::-1].copy()

    monkeypatch.setattr(type(full), "maximise", maximise)
    tests = CovarianceTests()
    tests.structure = full
    with pytest.raises(AssertionError):
        tests.test_the_m_step_is_the_most_likely()
