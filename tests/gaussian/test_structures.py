"""Every entry of the table of covariance structures is one."""

import numpy as np
import pytest

from daskgmm.gaussian.components.merging import covariance_matrices
from daskgmm.gaussian.components.projection import projected
from daskgmm.gaussian.covariance.eigen.equal_shapes import alternated
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.testing import CovarianceTests


class TestStructures(CovarianceTests):
    @pytest.fixture(autouse=True, params=STRUCTURES)
    def entry(self, request):
        self.structure = STRUCTURES[request.param]


class TestLowRank(CovarianceTests):
    """Rows are drawn from the mixtures: of others the most likely noise of a feature may be 0.

    Beyond one factor of four features factor analysers have more parameters than matrices.
    """

    loose = 3.0

    @pytest.fixture(autouse=True, params=["ppca-1", "ppca-2", "ppca-3", "factor-1"])
    def entry(self, request):
        self.structure = STRUCTURES[request.param]

    def parameters(self, seed=0, k=3):
        random, q = np.random.default_rng(seed), self.structure.q
        loadings, noise = random.normal(size=(k, q, 4)), random.uniform(0.3, 1.0, size=(k, 4))
        covariances = loadings.swapaxes(1, 2) @ loadings + noise[:, None, :] * np.eye(4)
        weights, means = random.dirichlet(np.full(k, 5.0)), 2 * random.normal(size=(k, 4))
        own = self.structure.precision.of_matrices(covariances)
        return projected(self.structure.name, weights, means, own)

    def rows(self, seed=0):
        mixture = self.parameters()
        covariances = covariance_matrices(mixture)
        random = np.random.default_rng(seed)
        of = zip(mixture.means, covariances, strict=True)
        return np.concatenate([random.multivariate_normal(*each, size=134) for each in of])[:400]


class TestCommonFactors(CovarianceTests):
    """Components share loadings and noise, and have means in their subspace.

    Beyond one factor of four features matrices have several, as of factor analysers.
    """

    loose, precise = 3.0, 1e-7

    @pytest.fixture(autouse=True, params=["mcfa-1"])
    def entry(self, request):
        self.structure = STRUCTURES[request.param]

    def parameters(self, seed=0, k=3):
        random, q = np.random.default_rng(seed), self.structure.q
        subspace, noise = random.normal(size=(q, 4)), random.uniform(0.3, 1.0, size=4)
        loadings = random.uniform(0.7, 1.5, size=(k, q, 1)) * subspace
        covariances = loadings.swapaxes(1, 2) @ loadings + noise * np.eye(4)
        means = 1.0 + 2 * random.normal(size=(k, q)) @ subspace
        own = self.structure.precision.of_matrices(covariances)
        return projected(self.structure.name, random.dirichlet(np.full(k, 5.0)), means, own)

    rows = TestLowRank.rows


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


def test_volumes_are_alternated_until_what_changes_is_rounding():
    """Nearly singular scatters leave changes far above the end of others, for ever."""
    random, steps = np.random.default_rng(0), []

    def improved(volumes, rate, rounding):
        steps.append(rate)
        return rate * volumes + rounding * random.uniform(-1, 1, size=volumes.shape)

    slow = alternated(lambda volumes: improved(volumes, 0.95, 0.0), np.ones(3))
    assert np.abs(slow).max() < 1e-11
    rough = alternated(lambda volumes: improved(volumes, 0.5, 1e-8), np.ones(3))
    assert np.abs(rough).max() < 1e-7
    assert steps.count(0.5) < 100
