"""Many mixtures in one pass give what a pass for each gives."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from daskgmm.companions import Companions
from daskgmm.em.events import PassEnded, silence
from daskgmm.em.expectation import expect
from daskgmm.em.survey.first_pass import survey_rows
from daskgmm.em.survey.survey import TrainingSet
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.kernels.choice import choose_kernel
from daskgmm.gaussian.kernels.natural import NaturalKernel
from daskgmm.gaussian.kernels.stack import group_kernels
from daskgmm.gaussian.parameters import Parameters
from daskgmm.passes.dataset import Dataset
from daskgmm.rows.arrays import ArrayRows
from daskgmm.rows.companions.weights import weights_for
from tests.oracle.data import blobs

X = blobs(5000, 3, 4, seed=1)


def mixture(name, k, seed, narrow=1.0):
    random, structure = np.random.default_rng(seed), STRUCTURES[name]
    covariances = structure.repeat(np.cov(X.T) * narrow, k)
    means, factors = X[random.choice(len(X), k)], structure.precision.factorise(covariances)
    return Parameters(name, random.dirichlet(np.ones(k)), means, covariances, factors)


@pytest.mark.parametrize("weighted", [False, True])
def test_one_pass_for_all(weighted):
    mixtures = [mixture(name, k, k) for k in (1, 3, 8) for name in STRUCTURES]
    mixtures.insert(5, mixture("full", 2, 0, narrow=1e-12))
    rows = ArrayRows(X)
    weights = weights_for(rows, np.random.default_rng(0).uniform(size=len(X))) if weighted else None
    data = Dataset.of(rows, Companions(weights), 8, 10)
    survey = survey_rows(data, None, silence)
    kernels = [choose_kernel(each, survey.mean, survey.half_range) for each in mixtures]
    assert [isinstance(kernel, NaturalKernel) for kernel in kernels].count(False) == 1
    assert [len(stack) for stack in group_kernels(kernels)] == [3] * len(STRUCTURES) + [1]
    events = []
    found, _ = expect(TrainingSet(data, survey, events.append), kernels)
    assert sum(isinstance(event, PassEnded) for event in events) == 1
    for kernel, statistics in zip(kernels, found, strict=True):
        (alone,), _ = expect(TrainingSet(data, survey, silence), [kernel])
        assert statistics.rows == alone.rows
        assert statistics.weight == pytest.approx(alone.weight, rel=1e-14)
        assert statistics.log_likelihood == pytest.approx(alone.log_likelihood, rel=1e-12)
        assert_allclose(statistics.sums, alone.sums, rtol=1e-9, atol=1e-9)
        assert_allclose(statistics.reference, alone.reference)
        if alone.pooled is not None:
            assert_allclose(statistics.pooled, alone.pooled)
