"""What the batches of one pass share: nothing of one batch is left in the next."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from daskgmm.gaussian.block import Block
from daskgmm.gaussian.components.projection import projected
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.kernels.choice import fast_kernel
from daskgmm.gaussian.kernels.compiled.library import library
from daskgmm.gaussian.kernels.compiled_backend import CompiledBackend

pytestmark = pytest.mark.skipif(library() is None, reason="no compiled kernel")

K, D = 3, 4

BATCHES = np.array_split(np.random.default_rng(0).normal(size=(5000, D)), [7, 400, 2500, 2500])


def kernel(structure="full"):
    random = np.random.default_rng(1)
    means, weights = random.normal(size=(K, D)), random.dirichlet(np.ones(K))
    rules = STRUCTURES[structure]
    covariances = np.stack([np.eye(D)] * rules.n_covariances(K))
    factors = rules.precision.of_matrices(covariances)
    found = projected(structure, weights, means, factors)
    return fast_kernel(found, np.zeros(D))


def sums(moments):
    return [(part.sums.tobytes(), part.log_likelihood, part.rows) for part in moments]


@pytest.mark.parametrize("structure", ["full", "diag", "tied", "spherical"])
def test_each_batch_has_the_bits_of_a_pass_of_its_own(structure):
    kernels = (kernel(structure), kernel("full"))
    alone = [sums(CompiledBackend().moments(kernels, iter([Block(x)]))) for x in BATCHES]
    of_pass = CompiledBackend().of_pass(kernels)
    assert [sums(of_pass(iter([Block(x)]), None)) for x in BATCHES] == alone
    with ThreadPoolExecutor(4) as pool:
        many = list(pool.map(lambda x: sums(of_pass(iter([Block(x)]), None)), BATCHES * 5))
    assert many == alone * 5
    sent = pickle.loads(pickle.dumps(of_pass))
    assert sums(sent(iter([Block(BATCHES[3])]), None)) == alone[3]


def test_a_batch_that_fails_leaves_nothing_behind():
    def failing():
        yield Block(BATCHES[2])
        raise OSError("the store is gone")

    of_pass = CompiledBackend().of_pass((kernel(),))
    expected = sums(of_pass(iter([Block(BATCHES[3])]), None))
    with pytest.raises(OSError, match="gone"):
        of_pass(failing(), None)
    assert sums(of_pass(iter([Block(BATCHES[3])]), None)) == expected
