"""Triangular systems, on either side of the sizes at which LAPACK takes over."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from daskgmm.gaussian.covariance.algebra.dense import Dense
from daskgmm.gaussian.covariance.algebra.precision import SingularError
from daskgmm.gaussian.covariance.algebra.triangular import (
    LARGE_SIZE,
    LEAST_SIZE,
    inverse_upper,
    solve_lower,
    solve_upper,
    squared,
    whitened,
)

SIZES = [1, LEAST_SIZE - 1, LEAST_SIZE, LARGE_SIZE + 3]


def upper(shape, d, seed=0):
    random = np.random.default_rng(seed)
    return np.triu(random.normal(size=(*shape, d, d))) + 3 * np.sqrt(d) * np.eye(d)


@pytest.mark.parametrize("d", SIZES)
@pytest.mark.parametrize("shape", [(), (1,), (3,)])
def test_systems_inverses_and_products(d, shape):
    u, random = upper(shape, d), np.random.default_rng(1)
    right = random.normal(size=(*shape, d, 2))
    turned = u.swapaxes(-1, -2)
    assert_allclose(u @ solve_upper(u, right), right, atol=1e-12)
    assert_allclose(turned @ solve_lower(turned, right), right, atol=1e-12)
    assert_allclose(u @ inverse_upper(u), np.broadcast_to(np.eye(d), u.shape), atol=1e-12)
    assert_allclose(squared(u), u @ turned, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(squared(u), squared(u).swapaxes(-1, -2))
    moments = right @ right.swapaxes(-1, -2)
    assert_allclose(whitened(u, moments), turned @ moments @ u, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("d", SIZES)
def test_quotients_of_factors_stay_triangular(d):
    one, other = upper((2,), d), upper((2,), d, seed=1)
    for found in (solve_upper(one, other), inverse_upper(one)):
        np.testing.assert_array_equal(found, np.triu(found))


@pytest.mark.parametrize("d", SIZES)
def test_rows_of_another_order_are_solved_as_well(d):
    u = upper((2,), d)
    lower = u.swapaxes(-1, -2)
    right = np.asfortranarray(np.random.default_rng(2).normal(size=(2, d, 3)))
    assert_allclose(lower @ solve_lower(lower, right), right, atol=1e-12)


@pytest.mark.parametrize("d", [3, LEAST_SIZE])
def test_factors_of_precisions(d):
    noise = np.random.default_rng(0).normal(size=(4, d, 2 * d))
    covariances = noise @ noise.swapaxes(1, 2) / d
    factors = Dense().factorise(covariances)
    for factor, covariance in zip(factors, covariances, strict=True):
        assert_allclose(factor @ factor.T @ covariance, np.eye(d), atol=1e-10)
        assert not np.tril(factor, -1).any()
        assert (np.diagonal(factor) > 0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.longdouble, ">f8"])
def test_covariances_of_another_type_are_factorised_in_doubles(dtype):
    covariances = np.array([[[2.0, 1.0], [1.0, 3.0]], [[5.0, -1.0], [-1.0, 0.75]]])
    factors = Dense().factorise(covariances.astype(dtype))
    assert_array_equal(factors, Dense().factorise(covariances))


@pytest.mark.parametrize("d", [3, LEAST_SIZE])
@pytest.mark.parametrize("last", [-1.0, 0.0, 1e-17, np.nan])
def test_a_singular_covariance_is_named(d, last):
    covariances = np.tile(np.eye(d), (4, 1, 1))
    covariances[2, -1, -2] = covariances[2, -2, -1] = 1.0
    covariances[2, -1, -1] = 1.0 + last
    with pytest.raises(SingularError) as found:
        Dense().factorise(covariances)
    assert found.value.index == 2
