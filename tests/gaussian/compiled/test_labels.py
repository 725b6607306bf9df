"""Rows of known class by the compiled kernel: components of other classes have no part in them."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp

from daskgmm.companions import Companions
from daskgmm.gaussian import STRUCTURES
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.kernels.backends import BACKENDS
from daskgmm.gaussian.kernels.compiled.expectation import expectation_nbytes
from daskgmm.gaussian.kernels.tailed import natural_kernel
from daskgmm.testing.mixtures import log_joint, random_mixture
from tests.gaussian.compiled.comparing import check, compiled, same_bits, step_of
from tests.gaussian.compiled.test_tails_and_noise import joint_by_scipy, mixture

KINDS = ("plain", "t", "contaminated", "noise")

STRUCTURES_OF_PRODUCTS = ["full", "diag", "spherical", "tied"]


def parameters_of(kind, structure, k, d):
    plain = kind == "plain"
    return random_mixture(STRUCTURES[structure], k, d) if plain else mixture(kind, structure, k, d)


def labelled_rows(random, k, d, n):
    """Return rows some of which are far, weights, classes of components, and labels."""
    x = random.normal(size=(n, d)) * 2
    x[::13] *= 10.0
    weights = random.uniform(0.1, 3.0, size=n) * (random.uniform(size=n) > 0.2)
    classes = np.arange(k) % (1 + k // 2)
    labels = random.integers(-1, classes.max() + 1, size=n).astype(np.int32)
    return x, weights, classes, labels


def problem(kind, structure, k, d, n, seed=0):
    """Return the kernel of k components of half as many classes, rows, weights and labels."""
    x, weights, classes, labels = labelled_rows(np.random.default_rng(seed), k, d, n)
    kernel = natural_kernel(parameters_of(kind, structure, k, d), x.mean(0))
    return kernel.with_classes(classes), x, weights, labels


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("structure", STRUCTURES_OF_PRODUCTS)
def test_sums_are_those_of_numpy(loaded, kind, structure):
    for k, d, n in ((1, 1, 9), (2, 5, 384), (5, 3, 500), (8, 2, 385), (9, 12, 700), (17, 4, 400)):
        kernel, x, weights, labels = problem(kind, structure, k, d, n)
        for library, w in product(loaded, (None, weights)):
            found = compiled(library, kernel, x, w, labels=labels)
            check(found, kernel, x, w, labels)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("structure", ["full", "tied"])
def test_sums_are_those_of_scipy_s_densities(loaded, kind, structure):
    k, d, classes = 4, 3, np.array([0, 1, 0, 2])
    parameters = parameters_of(kind, structure, k, d)
    if kind == "contaminated":
        parameters = replace(parameters, clean=np.linspace(0.5, 0.95, k))
    random = np.random.default_rng(1)
    x, labels = random.normal(size=(700, d)) * 3, random.integers(-1, 3, size=700)
    joint = log_joint(parameters, x) if kind == "plain" else joint_by_scipy(parameters, x)
    # A row of known class is of none of the others, and no outlier of all.
    columns = {"contaminated": np.tile(classes, 2), "noise": np.append(classes, -2)}
    joint[(labels >= 0) & (labels != columns.get(kind, classes)[:, None])] = -np.inf
    logs = logsumexp(joint, axis=0)
    gamma = np.exp(joint - logs)
    kernel = natural_kernel(parameters, np.zeros(d)).with_classes(classes)
    for library in loaded:
        found = compiled(library, kernel, x, labels=labels)
        if structure == "full" or kind != "plain":
            assert_allclose(found.log_likelihood, logs.sum(), rtol=1e-12)
        if kind == "noise":
            assert_allclose(found.counts[k], gamma[k].sum(), rtol=1e-11)
        if kind in ("plain", "noise"):
            assert_allclose(found.counts[:k], gamma[:k].sum(1), rtol=1e-11)
            assert_allclose(found.first[:k], gamma[:k] @ x, rtol=1e-10, atol=1e-10)
        else:
            whole = gamma if kind == "t" else gamma[:k] + gamma[k:]
            assert_allclose(found.tail[0], whole.sum(1), rtol=1e-11)
        if kind == "contaminated":
            assert_allclose(found.tail[1], gamma[k:].sum(1), rtol=1e-11)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("structure", STRUCTURES_OF_PRODUCTS)
def test_instructions_change_no_bit(loaded, kind, structure):
    if len(loaded) < 2:
        pytest.skip("this processor runs one library only")
    for k, d, n in ((1, 1, 1), (5, 3, 383), (7, 12, 1000), (10, 2, 769), (40, 9, 500)):
        kernel, x, weights, labels = problem(kind, structure, k, d, n, seed=k)
        for w in (None, weights):
            first, *others = (compiled(library, kernel, x, w, labels=labels) for library in loaded)
            for other in others:
                same_bits(first, other)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("structure", ["full", "tied"])
def test_where_no_label_is_known_the_bits_are_those_without(loaded, kind, structure):
    kernel, x, weights, _ = problem(kind, structure, 6, 5, 1000)
    unknown = np.full(len(x), -1)
    for library, w in product(loaded, (None, weights)):
        plain = compiled(library, replace(kernel, classes=None), x, w)
        same_bits(compiled(library, kernel, x, w, labels=unknown), plain)
        same_bits(compiled(library, kernel, x, w), plain)


@pytest.mark.parametrize("kind", KINDS)
def test_neither_blocks_nor_the_kind_of_labels_change_a_bit(loaded, kind):
    kernel, x, weights, labels = problem(kind, "full", 6, 5, 4000)
    many = (np.int8, np.int16, np.int64, np.float64, ">i4")
    kinds = [labels.astype(one) for one in many] + [np.repeat(labels, 2)[::2]]
    for library, w in product(loaded, (None, weights)):
        whole = compiled(library, kernel, x, w, labels=labels)
        for ends in ((1,), (384,), (383, 385), range(1, 4000, 7), (0, 7, 7, 768, 1000)):
            same_bits(compiled(library, kernel, x, w, ends, labels), whole)
        for other in kinds:
            same_bits(compiled(library, kernel, x, w, labels=other), whole)
        wild = np.where(weights == 0, 12345, labels)
        if w is not None:  # nothing has checked what is beside a row of weight 0
            same_bits(compiled(library, kernel, x, w, labels=wild), whole)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_far_from_its_class_is_of_it_all_the_same(loaded, kind):
    """Rows at the means of the other class, a thousand standard deviations away."""
    parameters = parameters_of(kind, "full", 2, 3)
    parameters = replace(parameters, means=np.array([[0.0] * 3, [1000.0] * 3]))
    x, labels = np.repeat(parameters.means, 250, axis=0), np.repeat([1, 0], 250)
    kernel = natural_kernel(parameters, x.mean(0)).with_classes(np.array([0, 1]))
    for library in loaded:
        found = compiled(library, kernel, x, labels=labels)
        counts = found.counts[:2] if found.tail is None else found.tail[0]
        assert_allclose(counts, [250.0, 250.0], rtol=1e-14)
        if found.tail is None:
            assert_allclose(found.sums[1:4, :2], [[500.0 * 250, -500.0 * 250]] * 3, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("installed")
def test_each_mixture_of_a_pass_has_its_own_classes(kind):
    """Of several mixtures, and of parts of a block, as alone."""
    backend = BACKENDS["compiled"]
    kernels = []
    for k in (2, 5, 9):
        kernel, x, weights, labels = problem(kind, "full", k, 4, 900)
        kernels.append(kernel)
    block = Block(x, Companions(weights, np.minimum(labels, 1)))
    together = backend.moments(kernels, iter([block]))
    for kernel, found in zip(kernels, together, strict=True):
        same_bits(backend.moments([kernel], iter([block]))[0], found)
    starts = [0, 100, 485]
    parts = backend.moments_of_parts(kernels[1], block, starts)
    for found, (first, stop) in zip(parts, ((0, 100), (100, 485), (485, 900)), strict=True):
        alone = backend.moments([kernels[1]], iter([block.part(slice(first, stop))]))[0]
        same_bits(alone, found)


def test_pairs_without_weight_are_left_out(loaded):
    """Of rows of known class most components are barred: sums go over the others."""
    kernel, x, weights, _ = problem("plain", "full", 16, 12, 1200)
    kernel = kernel.with_classes(np.arange(16))
    labels = np.random.default_rng(0).integers(0, 16, size=len(x))
    for w in (None, weights):
        found = []
        for library in loaded:
            step = step_of(library, kernel)
            step.add(Block(x, Companions(w, labels)))
            found.append(step.moments())
            assert step.n_sparse_tiles == 4
            check(found[-1], kernel, x, w, labels)
        for other in found[1:]:
            same_bits(found[0], other)
    counts = np.bincount(labels, minlength=16)
    assert_allclose(compiled(loaded[0], kernel, x, labels=labels).counts, counts, rtol=1e-14)


@pytest.mark.usefixtures("installed")
def test_planned_bytes_are_enough(loaded):
    kernel, *_ = problem("noise", "tied", 7, 9, 10)
    step = step_of(loaded[0], kernel)
    own = sum(array.nbytes for kept in (step._arrays, step._integers) for array in kept.values())
    assert own <= expectation_nbytes(STRUCTURES["tied"].n_statistics(9), 7, 9)
    assert_array_equal(step._integers["classes"], [*(np.arange(7) % 4), -2])
