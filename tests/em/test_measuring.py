"""Likelihoods and entropies of many mixtures in one pass are what SciPy's densities give."""

import dask.array as da
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import logsumexp, xlogy
from scipy.stats import multivariate_normal

from daskgmm.companions import Companions
from daskgmm.em.events import PassEnded, silence
from daskgmm.em.selection.measuring import Measured, measure_many, merge_measured
from daskgmm.em.survey.first_pass import survey_rows
from daskgmm.em.survey.survey import TrainingSet
from daskgmm.gaussian.components.merging import covariance_matrices
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.kernels.choice import choose_kernel
from daskgmm.gaussian.kernels.natural import NaturalKernel
from daskgmm.gaussian.parameters import Parameters
from daskgmm.passes.dataset import Dataset
from daskgmm.rows.companions.weights import weights_for
from daskgmm.rows.opening import as_rows
from tests.oracle.data import blobs

N, D = 5000, 3
X = blobs(N, D, 4, seed=1, separation=1.0)
WEIGHTS = np.random.default_rng(0).uniform(size=N) * (np.arange(N) % 7 > 0)

SOURCES = {
    "numpy": lambda X: X,
    "dask, uneven": lambda X: da.from_array(X, chunks=((77, 1, 2422, 2500), (2, 1))),
    "dask, one chunk": lambda X: da.from_array(X, chunks=(N, D)),
}


def mixture(name, k, seed, narrow=1.0):
    random, structure = np.random.default_rng(seed), STRUCTURES[name]
    covariances = structure.repeat(np.cov(X.T) * narrow, k)
    means, factors = X[random.choice(N, k)], structure.precision.factorise(covariances)
    return Parameters(name, random.dirichlet(np.ones(k)), means, covariances, factors)


def direct(parameters, weights):
    """Return the weighted sums of log p(x) and of the entropies, as they are defined."""
    pairs = zip(parameters.means, covariance_matrices(parameters), strict=True)
    densities = [multivariate_normal.logpdf(X, *pair) for pair in pairs]
    joint = np.stack(densities, axis=1) + np.log(parameters.weights)
    total = logsumexp(joint, axis=1)
    shares = np.exp(joint - total[:, None])
    return weights @ total, -weights @ xlogy(shares, shares).sum(axis=1)


def measured(mixtures, source="numpy", weights=None, listen=silence):
    rows = as_rows(SOURCES[source](X))
    given = None if weights is None else weights_for(rows, weights)
    data = Dataset.of(rows, Companions(given), 8, 10)
    return measure_many(TrainingSet(data, survey_rows(data, None, silence), listen), mixtures)


@pytest.fixture(scope="module")
def mixtures():
    """Twelve of all structures, and in their midst two that need the exact kernel."""
    found = [mixture(name, k, k) for k in (1, 3, 8) for name in STRUCTURES]
    found.insert(5, mixture("full", 2, 0, narrow=1e-7))
    found.insert(2, mixture("tied", 2, 1, narrow=1e-7))
    return found


def is_exact(parameters):
    center = X.mean(axis=0)
    kernel = choose_kernel(parameters, center, np.abs(X - center).max(axis=0))
    return not isinstance(kernel, NaturalKernel)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("weighted", [False, True])
def test_same_as_scipy(mixtures, source, weighted):
    assert [i for i, each in enumerate(mixtures) if is_exact(each)] == [2, 6]
    weights = WEIGHTS if weighted else np.ones(N)
    events = []
    found = measured(mixtures, source, weights if weighted else None, events.append)
    assert [event.name for event in events if isinstance(event, PassEnded)] == ["measure"]
    assert found.rows == N
    assert found.weight == pytest.approx(weights.sum(), rel=1e-12)
    expected = np.array([direct(each, weights) for each in mixtures])
    assert_allclose(found.log_likelihoods, expected[:, 0], rtol=1e-9)
    assert_allclose(found.entropies, expected[:, 1], rtol=1e-8, atol=1e-8)
    assert found.entropies.max() > 0.1 * weights.sum()


@pytest.mark.parametrize("structure", STRUCTURES)
def test_alone_as_among_others(mixtures, structure):
    found = measured(mixtures)
    for index, each in enumerate(mixtures):
        if each.structure == structure:
            alone = measured([each])
            assert alone.log_likelihoods[0] == pytest.approx(found.log_likelihoods[index], 1e-13)
            assert alone.entropies[0] == pytest.approx(found.entropies[index], 1e-9, 1e-9)


def test_a_component_without_weight_adds_nothing():
    one = mixture("full", 2, 3)
    spare = Parameters(
        "full",
        np.append(one.weights, 0.0),
        np.concatenate([one.means, X[:1]]),
        np.concatenate([one.covariances, one.covariances[:1]]),
        np.concatenate([one.precisions_cholesky, one.precisions_cholesky[:1]]),
    )
    with np.errstate(divide="ignore"):
        found = measured([one, spare])
    assert_allclose(found.log_likelihoods[0], found.log_likelihoods[1], rtol=1e-14)
    assert_allclose(found.entropies[0], found.entropies[1], rtol=1e-12)


def test_sums_of_both():
    one = Measured(np.array([1.0, 2.0]), np.array([0.5, 0.25]), 3.0, 4)
    both = merge_measured(one, one)
    assert both.log_likelihoods.tolist() == [2.0, 4.0]
    assert (both.entropies.tolist(), both.weight, both.rows) == ([1.0, 0.5], 6.0, 8)
