"""Components about their own means by the compiled kernel, against NumPy's."""

import tracemalloc
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from daskgmm.gaussian import STRUCTURES
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.kernels.compiled.expectation import expectation_nbytes
from daskgmm.gaussian.kernels.compiled_backend import step_of
from daskgmm.gaussian.kernels.tailed import whitened_kernel
from daskgmm.testing.mixtures import random_mixture
from tests.gaussian.compiled.comparing import EXACT, by_numpy, compiled, same_bits
from tests.gaussian.compiled.test_labels import labelled_rows, parameters_of

KINDS = ("plain", "noise")

SOME = ["full", "diag", "spherical", "tied", "EEI", "EEV"]


def problem(kind, structure, k, d, n, seed=0):
    """Return the kernel, rows some of which are far, weights and labels."""
    random = np.random.default_rng(seed)
    x, weights, classes, labels = labelled_rows(random, k, d, n)
    points = random.normal(size=(k, d))
    kernel = whitened_kernel(parameters_of(kind, structure, k, d), points if seed % 2 else None)
    return kernel, x, weights, (classes, labels)


def sums(library, kernel, x, weights=None, known=None, ends=()):
    """Return the sums of rows, of which classes and labels may be known."""
    if known is None:
        return compiled(library, kernel, x, weights, ends)
    return compiled(library, kernel.with_classes(known[0]), x, weights, ends, known[1])


def numpy_sums(kernel, x, weights=None, known=None):
    if known is None:
        return by_numpy(kernel, x, weights)
    return by_numpy(kernel.with_classes(known[0]), x, weights, known[1])


def check(found, kernel, x, weights=None, known=None):
    """Compare sums with those of NumPy, each relative to the sum of its absolute terms."""
    expected, statistic = numpy_sums(kernel, x, weights, known), kernel.structure.statistic
    w, k = np.ones(len(x)) if weights is None else weights, len(kernel.means)
    assert found.sums.shape == expected.sums.shape
    every = 0.0
    for c, point in enumerate(kernel.reference[:k]):
        z = np.abs(x - point).T
        second = statistic.second_moment(z, w)
        every = every + second
        terms = [[w.sum()], z @ w] if statistic.pools else [[w.sum()], z @ w, second]
        errors = np.abs(found.sums[:, c] - expected.sums[:, c])
        assert (errors <= EXACT * np.concatenate(terms)).all()
    if expected.pooled is None:
        assert found.pooled is None
    else:
        assert (np.abs(found.pooled - expected.pooled) <= EXACT * every).all()
    assert (np.abs(found.counts - expected.counts) <= EXACT * w.sum()).all()
    assert_allclose(found.log_likelihood, expected.log_likelihood, rtol=EXACT, atol=1e-11)
    assert_allclose(found.weight, expected.weight, rtol=EXACT)
    assert found.rows == expected.rows
    assert_array_equal(found.reference, expected.reference)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("structure", SOME)
def test_sums_are_those_of_numpy(loaded, kind, structure):
    for k, d, n in ((1, 1, 9), (2, 5, 384), (5, 3, 500), (8, 2, 385), (9, 12, 400)):
        kernel, x, weights, known = problem(kind, structure, k, d, n, seed=k)
        for library, w, own in product(loaded, (None, weights), (None, known)):
            check(sums(library, kernel, x, w, own), kernel, x, w, own)


@pytest.mark.parametrize(
    ("structure", "k", "d", "n"),
    [("full", 2, 90, 400), ("full", 90, 1, 900), ("diag", 23, 150, 384), ("tied", 5, 41, 400)],
)
def test_large_shapes(loaded, structure, k, d, n):
    kernel, x, weights, known = problem("noise", structure, k, d, n)
    for library in loaded:
        check(sums(library, kernel, x, weights, known), kernel, x, weights, known)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("structure", SOME)
def test_instructions_change_no_bit(loaded, kind, structure):
    if len(loaded) < 2:
        pytest.skip("this processor runs one library only")
    for k, d, n in ((1, 1, 1), (5, 3, 383), (7, 13, 1000), (10, 2, 769), (20, 9, 500)):
        kernel, x, weights, known = problem(kind, structure, k, d, n, seed=k)
        for w in (None, weights):
            first, *others = (sums(library, kernel, x, w, known) for library in loaded)
            for other in others:
                same_bits(first, other)


@pytest.mark.parametrize("structure", ["full", "diag", "spherical", "tied"])
def test_neither_blocks_nor_the_kind_of_rows_change_a_bit(loaded, structure):
    kernel, x, weights, known = problem("noise", structure, 6, 5, 1000)
    x = np.rint(4 * x) / 4
    wild = x.copy()
    wild[weights == 0] = [np.nan, np.inf, 1e300, -np.inf, 0.0]
    for library in loaded:
        whole = sums(library, kernel, x, weights, known)
        for ends in ((1,), (384,), (383, 385), range(1, 1000, 7), (0, 7, 7, 768, 1000)):
            same_bits(sums(library, kernel, x, weights, known, ends), whole)
        for rows in (np.asfortranarray(x), x.astype(np.float32), wild):
            same_bits(sums(library, kernel, rows, weights, known), whole)
    for library, n in product(loaded, (0, 1, 7, 8, 9, 383, 384, 385)):
        own = known[0], known[1][:n]
        check(sums(library, kernel, x[:n], None, own), kernel, x[:n], None, own)


@pytest.mark.parametrize("structure", ["full", "diag", "tied"])
def test_components_far_apart_keep_their_digits(loaded, structure):
    """Each has its own rows alone, and sums about its mean that are exact to rounding."""
    random, k, d = np.random.default_rng(0), 3, 4
    means = np.array([[0.0] * d, [1e9] * d, [-3e9] * d])
    parameters = replace(random_mixture(STRUCTURES[structure], k, d), means=means)
    own = random.integers(0, k, size=700)
    z = np.rint(2**20 * random.normal(size=(700, d))) / 2**20  # so that sums with means are exact
    kernel = whitened_kernel(parameters)
    for library in loaded:
        found = compiled(library, kernel, means[own] + z)
        assert_array_equal(found.counts, np.bincount(own))
        for c in range(k):
            assert_allclose(found.first[c], z[own == c].sum(0), rtol=1e-12, atol=1e-12)
        check(found, kernel, means[own] + z)


@pytest.mark.parametrize("structure", ["full", "diag", "spherical", "tied"])
@pytest.mark.parametrize("kind", KINDS)
def test_rows_whose_distances_overflow_are_of_the_nearest_component(loaded, structure, kind):
    kernel, x, weights, _ = problem(kind, structure, 4, 5, 500)
    labels = np.full(len(x), -1)
    x[3], x[17, 2], x[400] = 1e160, -1e200, 1e307
    x[5], labels[5] = -1e170, 0  # and of a class that is not the nearest for some structure
    x[6], labels[6] = -1e170, 1
    for library, w in product(loaded, (None, weights + 1.0)):
        for own in (None, (np.array([0, 1, 1, 0]), labels)):
            with np.errstate(all="ignore"):
                expected = numpy_sums(kernel, x, w, own)
            found = sums(library, kernel, x, w, own)
            assert_allclose(found.counts, expected.counts, rtol=1e-12)
            assert_allclose(found.log_likelihood, expected.log_likelihood, rtol=1e-12)
            assert_allclose(found.first, expected.first, rtol=1e-12, atol=1e-9)
        same_bits(sums(loaded[0], kernel, x, w, own), found)


@pytest.mark.parametrize("structure", ["full", "diag"])
def test_the_nearest_component_is_found_though_all_scales_overflow(loaded, structure):
    """The wider of two narrow ones; and one whose difference from the row overflows is not it."""
    plain = random_mixture(STRUCTURES[structure], 2, 2)
    wide, narrow = (np.eye(2) if structure == "full" else np.ones(2)) * np.reshape(
        [1e5, 1e6], (2,) + (1,) * (plain.covariances.ndim - 1)
    )
    x = np.array([[1e307, 1e306], [-1e307, 1e307]])
    for factors, own in (((narrow, wide), 1), ((wide, narrow), 0)):
        kernel = whitened_kernel(replace(plain, precisions_cholesky=np.stack(factors)))
        for library in loaded:
            assert_array_equal(compiled(library, kernel, x).counts, 2.0 * np.eye(2)[own])
    ends = np.array([[-1.5e308, 0.0], [1.5e308, 0.0]])
    kernel = whitened_kernel(replace(plain, means=ends))
    for library in loaded:
        found = compiled(library, kernel, ends[:1])
        assert_array_equal(found.counts, [1.0, 0.0])
        assert np.isfinite(found.log_likelihood)


def test_a_component_of_no_weight_takes_no_row_however_far(loaded):
    weights, means = np.array([0.5, 0.0, 0.5]), np.array([[0.0, 0.0], [1e170, 0.0], [-5.0, 0.0]])
    plain = random_mixture(STRUCTURES["full"], 3, 2)
    kernel = whitened_kernel(replace(plain, weights=weights, means=means))
    x = np.random.default_rng(0).normal(size=(50, 2))
    x[7] = 1e170, 1.0
    for library in loaded:
        found = compiled(library, kernel, x)
        assert found.counts[1] == 0.0
        with np.errstate(all="ignore"):
            assert_allclose(found.counts, by_numpy(kernel, x).counts, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("structure", ["full", "diag", "tied"])
def test_a_value_that_is_not_finite_is_seen(loaded, kind, structure):
    kernel, x, weights, _ = problem(kind, structure, 4, 3, 500)
    for library, value, w in product(loaded, (np.nan, np.inf, -np.inf), (None, weights + 1.0)):
        x[137, 1] = value
        found = compiled(library, kernel, x, w)
        assert not np.isfinite(found.sums).all() or not np.isfinite(found.log_likelihood)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("structure", "k", "d"), [("full", 7, 9), ("tied", 3, 41), ("diag", 9, 80)]
)
@pytest.mark.usefixtures("installed")
def test_planned_bytes_are_enough(loaded, kind, structure, k, d):
    kernel, *_ = problem(kind, structure, k, d, 10)
    step = step_of(loaded[0], kernel)
    own = sum(array.nbytes for kept in (step._arrays, step._integers) for array in kept.values())
    assert own <= expectation_nbytes(STRUCTURES[structure].n_statistics(d), k, d)


def test_matrices_of_many_columns_are_made_within_the_plan(loaded):
    k, d = 12, 300
    kernel, x, *_ = problem("plain", "full", k, d, 10)
    p = STRUCTURES["full"].n_statistics(d)
    tracemalloc.start()
    step = step_of(loaded[0], kernel)
    step.add(Block(x))
    found = step.moments()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak <= expectation_nbytes(p, k, d) + 2 * found.sums.nbytes  # as `Needs` has it
    check(found, kernel, x)


def test_what_the_library_has_not_is_left_to_numpy(loaded):
    for parameters in (
        parameters_of("t", "full", 3, 4),
        random_mixture(STRUCTURES["ppca-2"], 3, 4),
        random_mixture(STRUCTURES["factor-2"], 3, 70),
    ):
        assert step_of(loaded[0], whitened_kernel(parameters)) is None
