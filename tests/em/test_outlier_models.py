"""Mixtures with room for outliers: densities, the M-step, and an objective that never falls."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import logsumexp

from daskgmm.companions import Companions
from daskgmm.em.events import silence
from daskgmm.em.expectation import expect
from daskgmm.em.models.choice import model_of
from daskgmm.em.settings import CONTAMINATED, NOISE, STUDENT, Settings
from daskgmm.em.starts.start import Initial, start
from daskgmm.em.survey.first_pass import survey_rows
from daskgmm.em.survey.sample import SampleRule
from daskgmm.em.survey.survey import TrainingSet
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.kernels.numpy_backend import NumpyBackend
from daskgmm.gaussian.kernels.tailed import natural_kernel, whitened_kernel
from daskgmm.gaussian.m_step import IllDefinedError
from daskgmm.gaussian.outliers import box_sides, joined, log_volume
from daskgmm.gaussian.tails.contaminated import LEAST_INFLATION
from daskgmm.gaussian.tails.tails import TAILS
from daskgmm.passes.dataset import Dataset
from daskgmm.rows.arrays import ArrayRows
from daskgmm.rows.companions.weights import weights_for
from daskgmm.testing.mixtures import log_joint, random_mixture

K, D = 3, 2
WAYS = [NOISE, CONTAMINATED]


def with_outliers(structure_name, way):
    parameters = random_mixture(STRUCTURES[structure_name], K, D)
    if way == NOISE:
        return replace(
            parameters, weights=0.8 * parameters.weights, noise_weight=0.2, log_volume=3.0
        )
    clean, inflation = np.array([0.6, 0.9, 0.99]), np.array([2.0, 30.0, 1.1])
    return replace(parameters, clean=clean, inflation=inflation)


def joint_by_scipy(parameters, rows):
    """Log joint densities: those of components, then that of noise or of the inflated parts."""
    if parameters.has_noise:
        noise = np.full((1, len(rows)), np.log(parameters.noise_weight) - parameters.log_volume)
        return np.concatenate([log_joint(parameters, rows), noise])
    plain = replace(parameters, clean=None, inflation=None)
    eta = parameters.inflation.reshape(-1, *[1] * (parameters.covariances.ndim - 1))
    wide = replace(plain, covariances=eta * plain.covariances)
    logs = np.log(parameters.clean)[:, None], np.log(1 - parameters.clean)[:, None]
    return np.concatenate([log_joint(plain, rows) + logs[0], log_joint(wide, rows) + logs[1]])


def kernels(parameters, rows):
    yield whitened_kernel(parameters)
    yield natural_kernel(parameters, rows.mean(0))


def cases():
    return [(name, way) for name in STRUCTURES for way in WAYS]


@pytest.mark.parametrize(("structure_name", "way"), cases())
def test_likelihood_and_counts_are_those_of_scipy(structure_name, way):
    rows, weights = np.random.default_rng(1).normal(size=(300, D)) * 3, np.linspace(0, 2, 300)
    parameters = with_outliers(structure_name, way)
    joint = joint_by_scipy(parameters, rows)
    gamma = weights * np.exp(joint - logsumexp(joint, axis=0))
    for kernel in kernels(parameters, rows):
        (moments,) = NumpyBackend().moments([kernel], iter([Block(rows, Companions(weights))]))
        assert_allclose(moments.log_likelihood, weights @ logsumexp(joint, axis=0), rtol=1e-10)
        whole = joined(moments, parameters)
        if way == NOISE:
            assert_allclose(whole.noise, gamma[K].sum(), rtol=1e-10)
            assert_allclose(whole.counts, gamma[:K].sum(axis=1), rtol=1e-10)
        else:
            counts = gamma[:K].sum(axis=1) + gamma[K:].sum(axis=1)
            assert_allclose(whole.counts, counts, rtol=1e-10)
            clean = np.maximum(gamma[:K].sum(axis=1) / counts, 0.5)
            eta = parameters.inflation[:, None]
            factors = (gamma[:K] + gamma[K:] / eta).sum(axis=1)
            assert_allclose(whole.mean_counts, factors, rtol=1e-10)
            tail = TAILS[CONTAMINATED]
            for step in (
                tail.alone(whole, parameters)[0],
                tail.beside(whole, parameters, 0.0).parameters,
            ):
                assert_allclose(step.clean, clean, rtol=1e-10)


def test_inflation_is_the_mean_squared_distance_of_outliers_a_column():
    rows = np.random.default_rng(2).normal(size=(400, D)) * 4
    parameters = with_outliers("full", CONTAMINATED)
    joint = joint_by_scipy(parameters, rows)
    gamma = np.exp(joint - logsumexp(joint, axis=0))[K:]
    z = rows[None] - parameters.means[:, None]
    squares = np.einsum("kni,kij,knj->kn", z, np.linalg.inv(parameters.covariances), z)
    expected = (gamma * squares).sum(axis=1) / (D * gamma.sum(axis=1))
    for kernel in kernels(parameters, rows):
        (moments,) = NumpyBackend().moments([kernel], iter([Block(rows)]))
        found = TAILS[CONTAMINATED].alone(moments, parameters)[0].inflation
        assert_allclose(found, np.maximum(expected, LEAST_INFLATION), rtol=1e-8)


def test_the_noise_has_no_part_in_shared_covariances():
    rows, weights = np.random.default_rng(1).normal(size=(300, D)) * 3, np.linspace(0, 2, 300)
    parameters = with_outliers("tied", NOISE)
    joint = joint_by_scipy(parameters, rows)
    gamma = (weights * np.exp(joint - logsumexp(joint, axis=0)))[:K]
    means = gamma @ rows / gamma.sum(axis=1)[:, None]
    z = rows[None] - means[:, None]
    expected = np.einsum("kn,kni,knj->ij", gamma, z, z) / gamma.sum()
    for kernel in kernels(parameters, rows):
        (moments,) = NumpyBackend().moments([kernel], iter([Block(rows, Companions(weights))]))
        (found,) = STRUCTURES["tied"].statistic.within(joined(moments, parameters))
        assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("reg_covar", [0.0, 1e-6])
def test_the_volume_is_that_of_the_box_of_the_rows(reg_covar):
    low, high = np.array([-1.0, 2.0, 5.0]), np.array([1.0, 5.0, 5.0])
    sides = box_sides(low, high, reg_covar)
    assert_allclose(log_volume(sides[:2]), np.log(6.0))
    # The last column is constant: one over the density of the narrowest component at its value.
    assert_allclose(sides[2], max(np.sqrt(2 * np.pi * reg_covar), np.finfo(float).tiny))


def nasty(seed):
    """A few rows of one of several unpleasant kinds, and their weights or None."""
    random = np.random.default_rng(seed)
    n, d = int(random.integers(12, 60)), int(random.integers(1, 4))
    x = random.normal(size=(n, d))
    kind = seed % 6
    if kind == 1:
        x[: n // 3] = x[0]  # ties
    elif kind == 2:
        x[0] = 1e6
    elif kind == 3:
        x[:, 0] = 3.0  # a constant column
    elif kind == 4:
        x = np.round(3 * x)
    elif kind == 5:
        x = x * 10.0 ** random.integers(-3, 4, size=d) + 1e4
    weights = random.exponential(size=n) if seed % 4 == 0 else None
    return x, weights, int(random.integers(1, 5))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("structure_name", "way"), [*cases(), *((name, STUDENT) for name in STRUCTURES)]
)
def test_the_objective_never_falls(structure_name, way):
    prior = "conjugate" if way == NOISE and structure_name == "full" else None
    tried = 0
    for seed in range(6, 14):
        x, weights, k = nasty(seed)
        if prior is not None and np.ptp(x) > 1e5:
            continue  # a prior of such a scale rounds, whatever the model is
        settings = Settings(
            n_components=k, structure=structure_name, tol=0.0, reg_covar=1e-3, max_iter=20,
            n_init=1, init_params="kmeans", accelerated=True, outliers=way, prior=prior,
        )  # fmt: skip
        rows = ArrayRows(x)
        given = None if weights is None else weights_for(rows, weights)
        data = Dataset.of(rows, Companions(given), settings.n_columns, 10)
        survey = survey_rows(data, SampleRule(0, len(x), len(x)), silence)
        training, model = TrainingSet(data, survey, silence), model_of(settings, survey)
        try:
            step = start(survey, settings, Initial(), np.random.RandomState(seed))
            before = -np.inf
            for _ in range(15):
                kernel = model.kernel(step.parameters)
                (moments,), _ = expect(training, [kernel])
                bound = model.objective(moments, step.parameters)
                assert bound >= before - 1e-9 * max(1.0, abs(bound)), (seed, before, bound)
                complete = model.complete(moments)
                step, before = model.step(complete, step.parameters), bound
                if step.ridges or model.loses_digits(step, complete):
                    break
        except IllDefinedError:
            continue
        parameters = step.parameters
        assert_allclose(parameters.weights.sum() + (parameters.noise_weight or 0.0), 1.0)
        if way == CONTAMINATED:
            assert ((parameters.clean >= 0.5) & (parameters.clean <= 1)).all()
            assert (parameters.inflation > 1).all()
        if way == STUDENT:
            assert ((parameters.degrees >= 1) & (parameters.degrees <= 1000)).all()
        tried += 1
    assert tried > 5
