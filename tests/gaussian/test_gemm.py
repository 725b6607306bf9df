"""Products through SciPy's exported BLAS, against NumPy's."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from daskgmm.gaussian.covariance.algebra import packed
from daskgmm.gaussian.kernels.gemm import Product


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 5, 3), (7, 1, 4), (6, 3, 1), (40, 30, 20)])
@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize("transposed", [False, True])
def test_products_of_matrices_and_of_parts_of_them(shape, add, transposed):
    m, i, n = shape
    random = np.random.default_rng(0)
    left, right = random.normal(size=(m + 2, i + 3)), random.normal(size=(i + n + 5, i + n + 5))
    result = random.normal(size=(m + 1, n + 4))
    parts = left[1 : m + 1, 2 : i + 2], result[:m, 3 : n + 3]
    part = right[1 : n + 1, 1 : i + 1] if transposed else right[2 : i + 2, 1 : n + 1]
    expected = parts[0] @ (part.T if transposed else part) + (parts[1] if add else 0)
    before = result.copy()
    Product(parts[0], part, parts[1], add=add, transposed=transposed)()
    assert_allclose(parts[1], expected, rtol=1e-12, atol=1e-13)
    outside = np.ones_like(result, bool)
    outside[:m, 3 : n + 3] = False
    np.testing.assert_array_equal(result[outside], before[outside])


@pytest.mark.parametrize("d", range(1, 10))
def test_a_symmetric_matrix_is_packed_once_and_back(d):
    rows, columns = packed.indices(d)
    assert len(rows) == packed.size(d)
    assert len({frozenset(pair) for pair in zip(rows, columns, strict=True)}) == packed.size(d)
    random = np.random.default_rng(d)
    matrix = random.normal(size=(2, d, d))
    matrix += matrix.swapaxes(1, 2)
    np.testing.assert_array_equal(packed.unpack(packed.pack(matrix), d), matrix)
