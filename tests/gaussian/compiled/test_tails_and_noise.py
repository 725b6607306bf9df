"""Tails, uniform components and shared covariances by the compiled kernel."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, multivariate_t

from daskgmm.gaussian import STRUCTURES
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.components.merging import covariance_matrices
from daskgmm.gaussian.kernels.backends import BACKENDS
from daskgmm.gaussian.kernels.compiled.blocks import in_blocks, n_blocked, of_blocks
from daskgmm.gaussian.kernels.compiled.expectation import expectation_nbytes
from daskgmm.gaussian.kernels.compiled.model import library_model
from daskgmm.gaussian.kernels.tailed import natural_kernel, whitened_kernel
from daskgmm.gaussian.tails.student import StudentDensities
from daskgmm.testing.mixtures import random_mixture
from tests.gaussian.compiled.comparing import check, compiled, same_bits, step_of

KINDS = ("t", "contaminated", "noise")

STRUCTURES_OF_PRODUCTS = ["full", "diag", "spherical", "tied", "EEI"]


def mixture(kind, structure, k, d):
    plain = random_mixture(STRUCTURES[structure], k, d)
    if kind == "t":
        return replace(plain, degrees=np.linspace(1.0, 40.0, k))
    if kind == "contaminated":
        clean, inflation = np.linspace(0.5, 1.0, k), np.linspace(2.0, 50.0, k)
        return replace(plain, clean=clean, inflation=inflation)
    weights, log_volume = 0.9 * plain.weights, d * np.log(10.0)
    return replace(plain, weights=weights, noise_weight=0.1, log_volume=log_volume)


def problem(kind, structure, k, d, n, seed=0):
    """Return the kernel, rows some of which are far, and weights some of which are 0."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, d)) * 2
    x[::13] *= 10.0
    weights = random.uniform(0.1, 3.0, size=n) * (random.uniform(size=n) > 0.2)
    return natural_kernel(mixture(kind, structure, k, d), x.mean(0)), x, weights


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("structure", STRUCTURES_OF_PRODUCTS)
@pytest.mark.parametrize("k", [1, 2, 3, 5, 7, 8, 9, 16, 17])
def test_sums_are_those_of_numpy(loaded, kind, structure, k):
    kernel, x, weights = problem(kind, structure, k, 2 + k % 8, 500)
    for library, w in product(loaded, (None, weights)):
        check(compiled(library, kernel, x, w), kernel, x, w)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("structure", "k", "d", "n"),
    [
        ("full", 2, 40, 385),
        ("full", 90, 1, 900),
        ("diag", 23, 150, 384),
        ("tied", 29, 121, 400),
        ("tied", 1, 1, 400),
    ],
)
def test_large_shapes(loaded, kind, structure, k, d, n):
    kernel, x, weights = problem(kind, structure, k, d, n)
    for library in loaded:
        check(compiled(library, kernel, x, weights), kernel, x, weights)


def joint_by_scipy(parameters, x):
    """Log joint densities of the columns by SciPy, (columns, n)."""
    k, matrices = parameters.n_components, covariance_matrices(parameters)
    matrices = np.broadcast_to(matrices, (k, *matrices.shape[1:]))
    parts = list(zip(np.log(parameters.weights), parameters.means, matrices, strict=True))
    if parameters.degrees is not None:
        tails = zip(parts, parameters.degrees, strict=True)
        return np.array([w + multivariate_t(m, s, df=nu).logpdf(x) for (w, m, s), nu in tails])
    if parameters.inflation is not None:
        tails = list(zip(parts, parameters.clean, parameters.inflation, strict=True))
        good = [w + np.log(a) + multivariate_normal(m, s).logpdf(x) for (w, m, s), a, _ in tails]
        bad = [
            w + np.log1p(-a) + multivariate_normal(m, eta * s).logpdf(x)
            for (w, m, s), a, eta in tails
        ]
        return np.array([*good, *bad])
    noise = np.log(parameters.noise_weight) - parameters.log_volume
    plain = [w + multivariate_normal(m, s).logpdf(x) for w, m, s in parts]
    return np.array([*plain, np.full(len(x), noise)])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("structure", ["full", "tied"])
def test_sums_are_those_of_scipy_s_densities(loaded, kind, structure):
    k, d = 4, 3
    parameters = mixture(kind, structure, k, d)
    if kind == "contaminated":
        parameters = replace(parameters, clean=np.linspace(0.5, 0.95, k))
    x = np.random.default_rng(1).normal(size=(700, d)) * 3
    kernel = natural_kernel(parameters, np.zeros(d))
    joint = joint_by_scipy(parameters, x)
    logs = logsumexp(joint, axis=0)
    gamma = np.exp(joint - logs)
    factors = gamma[:k]
    z = x[None] - parameters.means[:, None]
    inverses = np.broadcast_to(np.linalg.inv(covariance_matrices(parameters)), (k, d, d))
    distances = np.einsum("kni,kij,knj->kn", z, inverses, z)
    if kind == "t":
        nu = parameters.degrees[:, None]
        u = (nu + d) / (nu + distances)
        factors = gamma * u
        tail = np.stack([gamma, gamma * np.log(u), factors * u]).sum(2)
    elif kind == "contaminated":
        bad = gamma[k:]
        factors = gamma[:k] + bad / parameters.inflation[:, None]
        tail = np.stack([gamma[:k] + bad, bad, bad * distances, factors * distances]).sum(2)
    for library in loaded:
        found = compiled(library, kernel, x)
        assert_allclose(found.log_likelihood, logs.sum(), rtol=1e-12)
        assert_allclose(found.sums[0, :k], factors.sum(1), rtol=1e-11)
        assert_allclose(found.first[:k], factors @ x, rtol=1e-10, atol=1e-10)
        if kind == "noise":
            assert_allclose(found.sums[0, k], gamma[k].sum(), rtol=1e-11)
        else:
            assert_allclose(found.tail, tail, rtol=1e-9)
        if structure == "tied":
            pooled = np.einsum("kn,ni,nj->ij", factors, x, x)
            assert_allclose(found.pooled, pooled, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("structure", STRUCTURES_OF_PRODUCTS)
def test_instructions_change_no_bit(loaded, kind, structure):
    if len(loaded) < 2:
        pytest.skip("this processor runs one library only")
    for k, d, n in ((1, 1, 1), (5, 3, 383), (7, 13, 1000), (10, 2, 769), (40, 9, 500)):
        kernel, x, weights = problem(kind, structure, k, d, n, seed=k)
        for w in (None, weights):
            first, *others = (compiled(library, kernel, x, w) for library in loaded)
            for other in others:
                same_bits(first, other)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("structure", ["full", "tied"])
def test_blocks_change_no_bit(loaded, kind, structure):
    kernel, x, weights = problem(kind, structure, 6, 5, 1000)
    for library, w in product(loaded, (None, weights)):
        whole = compiled(library, kernel, x, w)
        for ends in ((1,), (384,), (383, 385), range(1, 1000, 7), (0, 7, 7, 768, 1000)):
            same_bits(compiled(library, kernel, x, w, ends), whole)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("structure", ["full", "tied"])
@pytest.mark.usefixtures("installed")
def test_parts_of_a_block_have_the_bits_that_they_have_alone(kind, structure):
    kernel, x, _ = problem(kind, structure, 6, 12, 1000)
    starts, backend = [0, 100, 485], BACKENDS["compiled"]
    found = backend.moments_of_parts(kernel, Block(x), starts)
    for part, rows in zip(found, np.split(x, starts[1:]), strict=True):
        (alone,) = backend.moments([kernel], iter([Block(rows)]))
        same_bits(part, alone)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("structure", ["full", "tied"])
@pytest.mark.parametrize("n", [0, 1, 2, 7, 8, 9, 383, 384, 385])
def test_any_number_of_rows(loaded, kind, structure, n):
    kernel, x, weights = problem(kind, structure, 4, 3, 400)
    for library, w in product(loaded, (None, weights[:n])):
        check(compiled(library, kernel, x[:n], w), kernel, x[:n], w)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("structure", ["full", "tied"])
def test_rows_of_any_kind(loaded, kind, structure):
    kernel, x, weights = problem(kind, structure, 4, 3, 500)
    x = np.rint(4 * x) / 4
    fixed = x.copy()
    fixed.flags.writeable = False
    wild = x.copy()
    wild[weights == 0] = [np.nan, np.inf, 1e300]
    for library in loaded:
        expected = compiled(library, kernel, x, weights)
        for rows in (np.asfortranarray(x), x[::-1][::-1], fixed, x.astype(np.float32), wild):
            same_bits(compiled(library, kernel, rows, weights), expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("structure", ["full", "diag", "tied"])
def test_a_value_that_is_not_finite_is_seen(loaded, kind, structure):
    kernel, x, weights = problem(kind, structure, 4, 3, 500)
    for library, value, w in product(
        loaded, (np.nan, np.inf, -np.inf, 1e200), (None, weights + 1.0)
    ):
        x[137, 1] = value
        assert not np.isfinite(compiled(library, kernel, x, w).log_likelihood)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("structure", "k", "d"), [("full", 9, 12), ("tied", 64, 70)])
def test_pairs_without_weight_are_left_out(loaded, kind, structure, k, d):
    """Components along an axis, far apart: each row belongs to one of them."""
    _, x, weights = problem(kind, structure, k, d, 1000)
    parameters = mixture(kind, structure, k, d)
    if kind == "t":
        parameters = replace(parameters, degrees=np.full(k, 300.0))
    means = 60.0 * np.eye(k, d) * (1.0 + np.arange(k))[:, None]
    parameters = replace(parameters, means=means)
    x = 0.1 * x + means[np.arange(len(x)) % k]
    kernel = natural_kernel(parameters, x.mean(0))
    for w in (None, weights):
        found = []
        for library in loaded:
            step = step_of(library, kernel)
            step.add(Block(x) if w is None else Block(x, replace(Block(x).beside, weights=w)))
            found.append(step.moments())
            assert step.n_sparse_tiles == 3
            check_far(found[-1], kernel, x, w)
        for other in found[1:]:
            same_bits(found[0], other)


def check_far(found, kernel, x, w):
    """As `check`; densities of far components have rounding errors of their distances."""
    (expected,) = BACKENDS["numpy"].moments(
        [kernel], iter([Block(x, replace(Block(x).beside, weights=w))])
    )
    assert_allclose(found.log_likelihood, expected.log_likelihood, rtol=1e-9)
    assert_allclose(found.counts, expected.counts, rtol=1e-9, atol=1e-9)
    if expected.pooled is not None:
        assert_allclose(found.pooled, expected.pooled, rtol=1e-7, atol=1e-7 * expected.pooled.max())


def test_triangles_in_blocks():
    for d in (1, 3, 4, 5, 8, 11):
        upper = np.triu(1.0 + np.arange(d * d).reshape(d, d))
        wide = np.zeros((d + 4, d + 4))
        wide[:d, :d] = upper
        blocks = [wide[: j + 4, j : j + 4].ravel() for j in range(0, d, 4)]
        whole = np.concatenate(blocks)
        assert len(whole) == n_blocked(d)
        assert_array_equal(of_blocks(whole, d), upper + np.triu(upper, 1).T)
        stacked = of_blocks(np.stack([whole, 2 * whole]), d)
        assert_array_equal(stacked, [of_blocks(whole, d), 2 * of_blocks(whole, d)])
        assert_array_equal(
            in_blocks(np.stack([upper, -upper])), [in_blocks(upper), -in_blocks(upper)]
        )
        # The factor has the rows below d alone.
        assert_array_equal(
            in_blocks(upper), np.concatenate([block_of(upper, j) for j in range(0, d, 4)])
        )


def block_of(upper, j):
    wide = np.zeros((len(upper), len(upper) + 4))
    wide[:, : len(upper)] = upper
    return wide[: j + 4, j : j + 4].ravel()


class OtherDensities(StudentDensities):
    """Tails that a user added."""


def test_what_the_library_has_not_is_left_to_numpy(loaded):
    parameters = mixture("t", "full", 3, 2)
    kernel = natural_kernel(parameters, np.zeros(2))
    assert library_model(kernel) is not None
    assert library_model(whitened_kernel(parameters)) is None
    other = OtherDensities(
        *(getattr(kernel.densities, n) for n in ("shift", "top", "half", "constant"))
    )
    assert library_model(replace(kernel, densities=other)) is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("structure", "k", "d"), [("full", 7, 9), ("tied", 3, 41), ("diag", 30, 80)]
)
@pytest.mark.usefixtures("installed")
def test_planned_bytes_are_enough(loaded, kind, structure, k, d):
    kernel, _, _ = problem(kind, structure, k, d, 10)
    step = step_of(loaded[0], kernel)
    own = sum(array.nbytes for kept in (step._arrays, step._integers) for array in kept.values())
    assert own <= expectation_nbytes(STRUCTURES[structure].n_statistics(d), k, d)
