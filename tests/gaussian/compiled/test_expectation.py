"""Sums of the compiled kernel against those of NumPy, SciPy and its own other instructions."""

from functools import partial
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import logsumexp

from daskgmm.companions import Companions
from daskgmm.gaussian import STRUCTURES
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.kernels.compiled.expectation import _sizes, expectation_nbytes
from daskgmm.gaussian.kernels.compiled.layout import STRIP_TILES
from daskgmm.gaussian.kernels.compiled.whitened import _sizes as sizes_apart
from daskgmm.gaussian.kernels.natural import NaturalKernel
from daskgmm.testing.mixtures import log_joint, random_mixture
from tests.gaussian.compiled.comparing import check, compiled, same_bits, step_of

STRUCTURES_OF_PRODUCTS = ["full", "diag", "spherical", "tied"]


def problem(structure, k, d, n, seed=0):
    """Return the kernel of an overlapping mixture, with rows and weights, some of them 0."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, d)) * 2
    parameters = random_mixture(STRUCTURES[structure], k, d)
    weights = random.uniform(0.1, 3.0, size=n) * (random.uniform(size=n) > 0.2)
    return NaturalKernel.of(parameters, x.mean(0)), x, weights


@pytest.mark.parametrize("structure", STRUCTURES_OF_PRODUCTS)
@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 14, 15, 16, 17])
def test_sums_are_those_of_numpy(loaded, structure, k):
    d = 1 + k % 7
    kernel, x, weights = problem(structure, k, d, 500)
    for library, w in product(loaded, (None, weights)):
        check(compiled(library, kernel, x, w), kernel, x, w)


@pytest.mark.parametrize(
    ("structure", "k", "d", "n"),
    [
        ("full", 1, 300, 400),
        ("full", 300, 1, 900),
        ("full", 3, 47, 385),
        ("diag", 23, 300, 384),
        ("spherical", 300, 30, 50),
        ("tied", 29, 121, 400),
    ],
)
def test_large_shapes(loaded, structure, k, d, n):
    kernel, x, weights = problem(structure, k, d, n)
    for library in loaded:
        check(compiled(library, kernel, x, weights), kernel, x, weights)


@pytest.mark.parametrize("structure", ["full", "diag", "spherical"])
def test_sums_are_those_of_scipy_s_densities(loaded, structure):
    parameters = random_mixture(STRUCTURES[structure], 5, 3)
    x = np.random.default_rng(1).normal(size=(700, 3)) * 2
    kernel = NaturalKernel.of(parameters, np.zeros(3))
    joint = log_joint(parameters, x)
    logs = logsumexp(joint, axis=0)
    gamma = np.exp(joint - logs)
    for library in loaded:
        found = compiled(library, kernel, x)
        assert_allclose(found.log_likelihood, logs.sum(), rtol=1e-13)
        assert_allclose(found.counts, gamma.sum(1), rtol=1e-12)
        assert_allclose(found.first, gamma @ x, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("structure", STRUCTURES_OF_PRODUCTS)
def test_instructions_change_no_bit(loaded, structure):
    if len(loaded) < 2:
        pytest.skip("this processor runs one library only")
    for k, d, n in ((1, 1, 1), (5, 3, 383), (7, 12, 1000), (10, 2, 769), (40, 9, 500)):
        kernel, x, weights = problem(structure, k, d, n, seed=k)
        for w in (None, weights):
            first, *others = (compiled(library, kernel, x, w) for library in loaded)
            for other in others:
                same_bits(first, other)


def test_blocks_change_no_bit(loaded):
    kernel, x, weights = problem("full", 6, 5, 1000)
    cuts = [(1,), (384,), (383, 385), range(1, 1000), (0, 7, 7, 768, 1000)]
    for library, w in product(loaded, (None, weights)):
        whole = compiled(library, kernel, x, w)
        for ends in cuts:
            same_bits(compiled(library, kernel, x, w, ends), whole)


@pytest.mark.parametrize("n", [0, 1, 2, 7, 8, 9, 383, 384, 385])
def test_any_number_of_rows(loaded, n):
    kernel, x, weights = problem("full", 4, 3, 400)
    for library, w in product(loaded, (None, weights[:n])):
        check(compiled(library, kernel, x[:n], w), kernel, x[:n], w)


def test_rows_of_any_kind(loaded):
    kernel, x, weights = problem("full", 4, 3, 500)
    x = np.rint(4 * x) / 4
    unaligned = np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(x.dtype).reshape(x.shape)
    assert not unaligned.flags.aligned
    fixed = x.copy()
    fixed.flags.writeable = False
    kinds = [np.asfortranarray(x), np.repeat(x, 2, axis=0)[::2], x[::-1][::-1], unaligned, fixed]
    kinds += [x.astype(np.float32), x.astype(">f8"), np.pad(x, ((0, 0), (2, 1)))[:, 2:5]]
    heavy = [weights, np.repeat(weights, 3)[::3], weights.astype(">f8")]
    for library in loaded:
        expected = compiled(library, kernel, x, weights)
        for rows, w in product(kinds, heavy):
            same_bits(compiled(library, kernel, rows, w), expected)
        whole = np.rint(x)
        numbers = compiled(library, kernel, whole.astype(np.int16), (weights > 1).astype(np.int8))
        same_bits(numbers, compiled(library, kernel, whole, (weights > 1) * 1.0))


def test_rows_of_weight_0_may_be_anything(loaded):
    kernel, x, weights = problem("full", 4, 3, 500)
    wild = x.copy()
    wild[weights == 0] = [np.nan, np.inf, 1e300]
    for library in loaded:
        same_bits(compiled(library, kernel, wild, weights), compiled(library, kernel, x, weights))


def test_a_value_that_is_not_finite_is_seen(loaded):
    kernel, x, weights = problem("diag", 4, 3, 500)
    for library, value, w in product(loaded, (np.nan, np.inf), (None, weights + 1.0)):
        x[137, 1] = value
        assert not np.isfinite(compiled(library, kernel, x, w).log_likelihood)


def test_rows_far_from_all_components_and_from_the_origin(loaded):
    kernel, x, weights = problem("full", 4, 3, 500)
    x[::5] *= 1e4  # exponents end at -650
    far = NaturalKernel.of(random_mixture(STRUCTURES["full"], 4, 3), np.full(3, 1e6))
    for library in loaded:
        check(compiled(library, kernel, x, weights), kernel, x, weights)
        check(compiled(library, far, x[1::5] + 1e6), far, x[1::5] + 1e6)


@pytest.mark.parametrize(
    ("structure", "k", "d"),
    [("full", 9, 12), ("diag", 64, 33), ("spherical", 64, 62), ("tied", 64, 70)],
)
def test_pairs_without_weight_are_left_out(loaded, structure, k, d):
    """Far rows belong to one component each; those of the middle tile to all."""
    kernel, x, weights = problem(structure, k, d, 1000)
    x[384:768] *= 0.01
    x[:384] *= 300.0
    x[768:] *= 300.0
    kernel.theta[:, 1:] *= 0.1
    kernel.theta[:, 0] = 0.0
    for w in (None, weights):
        found = []
        for library in loaded:
            step = step_of(library, kernel)
            step.add(Block(x, Companions(w)))
            found.append(step.moments())
            assert step.n_sparse_tiles == 2
            check(found[-1], kernel, x, w)
        for other in found[1:]:
            same_bits(found[0], other)


def test_components_of_no_weight_get_nothing(loaded):
    kernel, x, _ = problem("full", 3, 2, 500)
    kernel.theta[1, 0] = -1e300
    for library in loaded:
        found = compiled(library, kernel, x)
        assert found.counts[1] < 1e-270
        check(found, kernel, x)


@pytest.mark.parametrize("sizes", [[1] * 20, [2, 9, 17], [8, 16]])
@pytest.mark.parametrize(("p", "d"), [(35, 17), (201, 100)])
@pytest.mark.usefixtures("installed")
def test_planned_bytes_are_enough_for_all_mixtures_of_a_pass(loaded, sizes, p, d):
    kinds = [_sizes, partial(sizes_apart, uniform=False, labelled=False)]
    own = sum(max(sum(kind(loaded[0], p, k, d).values()) for kind in kinds) for k in sizes)
    planned = expectation_nbytes(p, sum(sizes), d, len(sizes))
    copied = 8 * STRIP_TILES * loaded[0].tile * (d + 1)
    assert 8 * own + copied <= planned < 1.5 * (8 * own + copied)


@pytest.mark.parametrize("weigh", [False, True])
def test_rows_without_a_number_never_pass_for_numbers(loaded, weigh):
    """A value out of range in one row, or densities that are all 0, as by NumPy."""
    kernel, x, weights = problem("full", 5, 3, 500)
    weights = np.where(weights == 0.0, -0.0, weights) if weigh else None
    row = int(np.argmax(weights)) if weigh else 137
    for value in (np.nan, np.inf, -np.inf, 1e200):
        wild = x.copy()
        wild[row, 1] = value
        for library in loaded:
            assert not np.isfinite(compiled(library, kernel, wild, weights).log_likelihood)
    kernel.theta[:, 0] = -np.inf
    for library in loaded:
        assert not np.isfinite(compiled(library, kernel, x, weights).log_likelihood)
