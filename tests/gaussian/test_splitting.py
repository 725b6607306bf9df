"""A component without rows gets half of the heaviest one."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from daskgmm.gaussian.components.splitting import split_into
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.parameters import Parameters


def mixture(name, weights):
    covariances = STRUCTURES[name].repeat(np.diag([4.0, 1.0]), 3)
    means = np.array([[0.0, 0.0], [50.0, 0.0], [7.0, 7.0]])
    factors = STRUCTURES[name].precision.factorise(covariances)
    return Parameters(name, np.array(weights), means, covariances, factors)


@pytest.mark.parametrize("name", STRUCTURES)
def test_weight_and_mean_stay(name):
    before = mixture(name, [0.3, 0.7, 0.0])
    after = split_into(before, [2])
    assert_allclose(after.weights, [0.3, 0.35, 0.35])
    assert_allclose(after.weights @ after.means, before.weights @ before.means)
    assert abs(after.means[1, 0] - after.means[2, 0]) > 1
    assert_allclose(after.means[0], before.means[0])


@pytest.mark.parametrize("name", ["full", "diag"])
def test_the_covariance_stays_where_it_can(name):
    before = mixture(name, [0.3, 0.7, 0.0])
    after = split_into(before, [2])
    halves = after.covariances[1] if name == "full" else np.diag(after.covariances[1])
    apart = after.means[1] - before.means[1]
    assert_allclose(halves + np.outer(apart, apart), np.diag([4.0, 1.0]))


def test_two_dead_ones():
    after = split_into(mixture("full", [1.0, 0.0, 0.0]), [1, 2])
    assert_allclose(np.sort(after.weights), [0.25, 0.25, 0.5])
