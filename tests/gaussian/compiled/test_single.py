"""Sums of tiles in float32 against those of NumPy, and the same bits on all processors."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from daskgmm.companions import Companions
from daskgmm.gaussian import STRUCTURES
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.kernels.choice import choose_kernel, in_single, single_error
from daskgmm.gaussian.kernels.single import SingleKernel
from daskgmm.testing.mixtures import random_mixture
from tests.gaussian.compiled.comparing import by_numpy, compiled, same_bits, step_of

STRUCTURES_OF_SINGLE = ["full", "diag", "spherical", "tied"]

EPS = 2.0**-23


def problem(structure, k, d, n, seed=0, spread=2.0):
    """Return a kernel in float32, the typical error of its log densities, rows and weights."""
    random = np.random.default_rng(seed)
    x = spread * random.normal(size=(n, d))
    parameters = random_mixture(STRUCTURES[structure], k, d)
    center = x.mean(0)
    half_range = np.abs(x - center).max(0)
    kernel = choose_kernel(parameters, center, half_range, together=100)
    error = single_error(parameters, center, half_range, kernel.structure)
    weights = random.uniform(0.1, 3.0, size=n) * (random.uniform(size=n) > 0.2)
    return SingleKernel.of_natural(kernel, half_range), error, x, weights


def check(found, kernel, error, x, weights):
    """Compare sums with those of NumPy, relative to the sums of absolute terms."""
    expected = by_numpy(kernel, x, weights)
    w = np.ones(len(x)) if weights is None else weights
    z = np.vstack([np.ones(len(x)), np.abs(x - kernel.center).T])
    z = np.vstack([z, (z[1:] ** 2).sum(0)])
    left, right = kernel.structure.statistic.pairs(x.shape[1])
    terms = np.vstack([z[:-1], z[left] * z[right]]) @ w
    # Responsibilities err as log densities do, and products, and sums of TILE / FLANES terms.
    assert (np.abs(found.sums - expected.sums) <= (error + 24 * EPS) * terms[:, None]).all()
    assert_allclose(found.log_likelihood, expected.log_likelihood, atol=error * w.sum())
    assert_allclose(found.weight, expected.weight, rtol=1e-13)
    assert found.rows == expected.rows


@pytest.mark.parametrize("structure", STRUCTURES_OF_SINGLE)
@pytest.mark.parametrize("k", [1, 2, 5, 6, 7, 8, 11, 16])
def test_sums_are_those_of_numpy_to_the_bound(loaded, structure, k):
    kernel, error, x, weights = problem(structure, k, 1 + k % 7, 900)
    assert error < 1e-3
    for library, w in product(loaded, (None, weights)):
        check(compiled(library, kernel, x, w), kernel, error, x, w)


@pytest.mark.parametrize(
    ("structure", "k", "d", "n"),
    [
        ("full", 3, 47, 385),
        ("diag", 23, 100, 384),
        ("spherical", 60, 30, 50),
        ("tied", 29, 60, 400),
    ],
)
def test_large_shapes(loaded, structure, k, d, n):
    kernel, error, x, weights = problem(structure, k, d, n)
    for library in loaded:
        check(compiled(library, kernel, x, weights), kernel, error, x, weights)


def test_pairs_without_weight_are_left_out(loaded):
    random, parameters = np.random.default_rng(0), random_mixture(STRUCTURES["full"], 16, 14)
    x = random.normal(size=(1000, 14))
    x[:768] += 30 * parameters.means[random.integers(16, size=768)]
    mixture = replace(parameters, means=30 * parameters.means)
    center = x.mean(0)
    half_range = np.abs(x - center).max(0)
    natural = choose_kernel(mixture, center, half_range)
    error = single_error(mixture, center, half_range, natural.structure)
    kernel = SingleKernel.of_natural(natural, half_range)
    for library, w in product(loaded, (None, random.uniform(0.1, 3.0, size=1000))):
        step = step_of(library, kernel)
        step.add(Block(x, Companions(w)))
        check(step.moments(), kernel, error, x, w)
        assert step.n_sparse_tiles >= 2


@pytest.mark.parametrize("structure", STRUCTURES_OF_SINGLE)
def test_neither_instructions_nor_blocks_change_a_bit(loaded, structure):
    for k, d, n in ((1, 1, 1), (5, 3, 383), (7, 12, 1000), (10, 2, 769)):
        kernel, _, x, weights = problem(structure, k, d, n, seed=k)
        for rows, w in product((x, x.astype(np.float32)), (None, weights)):
            first, *others = (compiled(library, kernel, rows, w) for library in loaded)
            others.append(compiled(loaded[0], kernel, rows, w, ends=(n // 3, n // 2)))
            for other in others:
                same_bits(first, other)


def test_units_of_rows_and_weights_change_no_bit(loaded):
    kernel, _, x, weights = problem("full", 4, 3, 700)
    units = np.array([2.0**200, 1.0, 2.0**-150])
    left, right = kernel.structure.statistic.pairs(3)
    z = np.concatenate([[1.0], units])
    of_statistics = np.concatenate([z, z[left] * z[right]])
    scaled = replace(
        kernel,
        center=kernel.center * units,
        theta=kernel.theta / of_statistics,
        units=kernel.units / units,
    )
    for library in loaded:
        plain = compiled(library, kernel, x, weights)
        found = compiled(library, scaled, x * units, weights)
        assert_array_equal(found.sums / of_statistics[:, None], plain.sums)
        assert found.log_likelihood == plain.log_likelihood
        for scale in (2.0**-900, 2.0**900):
            heavy = compiled(library, kernel, x, weights * scale)
            assert_array_equal(heavy.sums / scale, plain.sums)


def test_what_densities_have_in_common_takes_no_digits(loaded):
    """As the units of 100 columns of 1e-30 do, which add 7,000 nats to each log density."""
    kernel, _, x, weights = problem("diag", 4, 100, 400)
    theta = kernel.theta.copy()
    theta[:, 0] += 7000.0
    for library, w in product(loaded, (None, weights)):
        plain = compiled(library, kernel, x, w)
        found = compiled(library, replace(kernel, theta=theta), x, w)
        expected = plain.log_likelihood + 7000.0 * plain.weight
        assert_allclose(found.log_likelihood, expected, atol=1e-6 * plain.weight, rtol=0)
        assert_allclose(found.sums, plain.sums, rtol=1e-5)


def test_one_squared_norm_errs_alike_in_all_rows(loaded):
    kernel, error, x, _ = problem("spherical", 1, 150, 2000, spread=8.0)
    expected = by_numpy(kernel, x, None).log_likelihood
    for library in loaded:
        found = compiled(library, kernel, x).log_likelihood
        assert abs(found - expected) < 0.1 * error * len(x)


def test_rows_of_weight_0_are_not_looked_at(loaded):
    kernel, _, x, weights = problem("diag", 4, 3, 500)
    hidden = np.where(weights[:, None] > 0, x, np.nan)
    for library in loaded:
        same_bits(compiled(library, kernel, hidden, weights), compiled(library, kernel, x, weights))


def test_a_component_of_no_weight_has_no_rows(loaded):
    kernel, error, x, _ = problem("full", 3, 2, 500)
    theta = kernel.theta.copy()
    theta[1, 0] = -1e300
    kernel = replace(kernel, theta=theta)
    for library in loaded:
        found = compiled(library, kernel, x)
        check(found, kernel, error, x, None)
        assert found.sums[0, 1] < 1e-29 * len(x)


def test_only_what_errs_little_is_in_float32():
    random = np.random.default_rng(0)
    x = random.normal(size=(500, 3))
    parameters = random_mixture(STRUCTURES["full"], 4, 3)
    for far, allowed in ((1.0, True), (1e3, False)):
        center, half_range = x.mean(0), far * np.abs(x - x.mean(0)).max(0)
        kernel = choose_kernel(parameters, center, half_range)
        assert isinstance(in_single(kernel, parameters, half_range), SingleKernel) is allowed
        barred = kernel.with_classes(np.arange(4))
        assert in_single(barred, parameters, half_range) is barred


def test_powers_of_two_are_right_to_the_last_place(loaded):
    x = np.sort(np.append(np.linspace(-99.99, 0.0, 4079), [-100.0, -101.0, -1e30, -0.5, -0.25] * 2))
    given, found = (np.zeros(len(x) + 31, np.float32) for _ in range(2))
    given, found = (e[-e.ctypes.data % 64 // 4 :][: len(x) // 16 * 16] for e in (given, found))
    given[:] = x[-len(given) :]
    exact = np.exp2(given.astype(np.float64))
    for library in loaded:
        library.functions.powers_of_two_single(given.ctypes.data, found.ctypes.data, len(given))
        inside = given >= -100
        errors = np.abs(found - exact)[inside] / np.spacing(exact[inside].astype(np.float32))
        assert errors.max() < 1.0
        assert inside.any()
        assert (found[~inside] == 2.0**-100).all()
