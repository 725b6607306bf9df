"""Sums of the compiled kernel, and what they must be."""

import itertools

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from daskgmm.companions import Companions
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.kernels import compiled_backend
from daskgmm.gaussian.kernels.numpy_backend import NumpyBackend

EXACT = 1e-13


def step_of(library, kernel):
    """Return the sums of no rows yet, of a kernel that the library has."""
    found = compiled_backend.step_of(library, kernel)
    assert found is not None
    return found


def compiled(library, kernel, x, weights=None, ends=(), labels=None):
    """Return the moments of rows in blocks that end at `ends`."""
    found, block = step_of(library, kernel), Block(x, Companions(weights, labels))
    for first, stop in itertools.pairwise([0, *ends, len(x)]):
        found.add(block.part(slice(first, stop)))
    return found.moments()


def by_numpy(kernel, x, weights=None, labels=None):
    return NumpyBackend().moments([kernel], iter([Block(x, Companions(weights, labels))]))[0]


def check(found, kernel, x, weights=None, labels=None):
    """Compare sums with those of NumPy, each relative to the sum of its absolute terms."""
    expected = by_numpy(kernel, x, weights, labels)
    z = np.vstack([np.ones(len(x)), (x - kernel.center).T])
    z = np.vstack([z, (z[1:] ** 2).sum(0)])
    left, right = kernel.structure.statistic.pairs(x.shape[1])
    terms = np.abs(np.vstack([z[:-1], z[left] * z[right]]))
    w = np.ones(len(x)) if weights is None else weights
    k = found.sums.shape[1] - (kernel.outliers_of is not None)
    errors = np.abs(found.sums - expected.sums)
    assert (errors[:, :k] <= EXACT * (terms @ w)[:, None]).all()
    assert (errors[0] <= EXACT * w.sum()).all()
    assert_allclose(found.log_likelihood, expected.log_likelihood, rtol=EXACT, atol=1e-11)
    assert_allclose(found.weight, expected.weight, rtol=EXACT)
    assert found.rows == expected.rows
    check_shared(found, expected, np.abs(z[1:-1]), w)


def check_shared(found, expected, z, w):
    """Compare the second moment of all components, and the sums of tails."""
    assert (found.pooled is None, found.tail is None) == (
        expected.pooled is None,
        expected.tail is None,
    )
    if expected.pooled is not None:
        assert (np.abs(found.pooled - expected.pooled) <= EXACT * (z * w) @ z.T).all()
    if expected.tail is not None:
        scale = np.abs(expected.tail).sum(1, keepdims=True) + w.sum()
        assert (np.abs(found.tail - expected.tail) <= EXACT * scale).all()


def same_bits(a, b):
    for name in ("sums", "pooled", "tail"):
        assert_array_equal(getattr(a, name), getattr(b, name))
    assert (a.log_likelihood, a.weight, a.rows) == (b.log_likelihood, b.weight, b.rows)
