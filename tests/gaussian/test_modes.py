"""Modes of mixtures against a fine grid, and where they are hard to find."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.density.log_joint import log_joint, squared_distances
from daskgmm.gaussian.density.modes import modes
from daskgmm.testing.mixtures import random_mixture
from tests.gaussian.mixtures import parameters_of

TAILS = {
    "Gaussian": {},
    "t": {"degrees": np.array([1.0, 4.0, 30.0, 3.0])},
    "contaminated": {"clean": np.full(4, 0.8), "inflation": np.array([2.0, 10.0, 50.0, 5.0])},
}


def density(parameters, x):
    joint = log_joint(parameters, squared_distances(parameters, np.atleast_2d(x)))
    return np.logaddexp.reduce(joint)


@pytest.mark.parametrize("tails", TAILS)
@pytest.mark.parametrize("structure", ["full", "tied", "diag", "factor-1"])
@pytest.mark.parametrize("seed", range(3))
def test_modes_are_the_maxima_of_a_search(structure, tails, seed):
    parameters = random_mixture(STRUCTURES[structure], 4, 2, seed)
    parameters = replace(parameters, **TAILS[tails])
    found = modes(parameters)
    assert (np.diff(found.log_densities) <= 0).all()
    assert_allclose(found.log_densities, density(parameters, found.points), rtol=1e-12)
    for start, place in zip(parameters.means, found.of_components, strict=True):
        reached = minimize(
            lambda x: -density(parameters, x)[0], start, method="Nelder-Mead",
            options={"xatol": 1e-9, "fatol": 1e-13, "initial_simplex": start + 0.01 * np.array(
                [[0, 0], [1, 0], [0, 1]]), "maxiter": 5000},
        )  # fmt: skip
        assert_allclose(reached.x, found.points[place], atol=1e-5)


def test_components_that_overlap_have_one_mode():
    for apart, count in ((1.9, 1), (2.2, 2)):  # two modes from 2 deviations on
        two = parameters_of("spherical", [0.5, 0.5], [[0.0], [apart]], [[[1.0]], [[1.0]]])
        found = modes(two)
        assert len(found.points) == count
        if count == 1:
            assert_allclose(found.points, [[apart / 2]], atol=1e-6)


def test_a_mean_on_a_saddle_leaves_it():
    means = [[-3.0, 0.0], [3.0, 0.0], [0.0, 0.0]]
    matrices = [np.eye(2), np.eye(2), 100 * np.eye(2)]
    found = modes(parameters_of("full", [0.49, 0.49, 0.02], means, matrices))
    assert len(found.points) == 2
    assert_allclose(np.sort(found.points[:, 0]), [-3, 3], atol=0.1)


def test_columns_of_other_units():
    parameters = random_mixture(STRUCTURES["full"], 4, 2)
    scales = np.array([1e-6, 1e6])
    scaled = parameters_of(
        "full", parameters.weights, parameters.means * scales,
        parameters.covariances * np.outer(scales, scales),
    )  # fmt: skip
    assert_allclose(modes(scaled).points, modes(parameters).points * scales, rtol=1e-6)
