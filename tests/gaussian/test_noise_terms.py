"""Terms of noise in log densities, and precisions beyond the largest number."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose

from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.kernels.choice import natural_error
from daskgmm.gaussian.noise_terms import noise_terms
from tests.gaussian.mixtures import parameters_of

STRUCTURE_NAMES = ["full", "tied", "diag", "spherical"]


def mixture(name, width):
    matrices = [np.diag([1.0, 1.0]) * width**2] * 2
    return parameters_of(name, [0.5, 0.5], width * np.array([[0.0, 0.0], [1.0, 2.0]]), matrices)


@pytest.mark.parametrize("name", STRUCTURE_NAMES)
def test_they_are_half_the_trace_of_precisions(name):
    precision, factors = STRUCTURES[name].precision, mixture(name, 0.5).precisions_cholesky
    assert_allclose(noise_terms(precision, factors, 2, 0.1), 0.05 * 8.0)


@pytest.mark.parametrize("name", STRUCTURE_NAMES)
def test_there_are_none_without_noise(name):
    """The squares of the factors overflow."""
    precision, factors = STRUCTURES[name].precision, mixture(name, 1e-156).precisions_cholesky
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (noise_terms(precision, factors, 2, 0.0) == 0.0).all()


@pytest.mark.parametrize("name", STRUCTURE_NAMES)
@pytest.mark.parametrize(("width", "exact"), [(1.0, True), (1e-140, True), (1e-156, False)])
def test_products_are_exact_while_precisions_are_numbers(name, width, exact):
    """In units of the width all is alike, but for what overflows."""
    error = natural_error(mixture(name, width), np.zeros(2), np.full(2, 3.0 * width))
    assert (error < 1e-12) is exact
