"""Matrix products (dgemm) that add to their result, bound to their arrays once.

NumPy's products allocate or overwrite, and keep Python's lock if the result is small; SciPy's
wrappers always keep it. This module calls the same BLAS through the pointer that SciPy exports
(`scipy.linalg.cython_blas`).
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from scipy.linalg import cython_blas

from daskgmm.arrays import Array


def _exported(name: str) -> tuple[Any, bytes]:
    """Return a function of SciPy's BLAS that releases Python's lock, and its signature."""
    capsule = cython_blas.__pyx_capi__[name]
    signature = ctypes.pythonapi.PyCapsule_GetName
    signature.restype, signature.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    text: bytes = signature(capsule)
    arguments = [ctypes.c_void_p] * (text.count(b",") + 1)
    return ctypes.CFUNCTYPE(None, *arguments)(pointer(capsule, text)), text


_dgemm, _signature = _exported("dgemm")
_Integer = ctypes.c_int if b" int *" in _signature else ctypes.c_int64


class Product:
    """result = left @ right, or result += left @ right, for row-major arrays.

    Parameters
    ----------
    left : ndarray of shape (m, i)
    right : ndarray of shape (i, n), or (n, i) if `transposed`
    result : ndarray of shape (m, n)
    add : bool
        Whether to add to the result.
    transposed : bool
        Whether `right` is given as its transpose.
    """

    def __init__(
        self, left: Array, right: Array, result: Array, *, add: bool, transposed: bool = False
    ) -> None:
        (m, inner), n = left.shape, result.shape[1]
        # BLAS is column-major and sees the transposes: result^T = right^T left^T.
        sizes = (_Integer * 6)(n, m, inner, _stride(right), _stride(left), _stride(result))
        factors = (ctypes.c_double * 2)(1.0, 1.0 if add else 0.0)
        letters = ctypes.create_string_buffer(b"TN" if transposed else b"NN")
        size, factor = ctypes.addressof(sizes), ctypes.addressof(factors)
        letter, width = ctypes.addressof(letters), ctypes.sizeof(_Integer)
        # References that keep the memory alive behind the addresses below.
        self._owners = (left, right, result, sizes, factors, letters)
        self._arguments = tuple(
            ctypes.c_void_p(address)
            for address in (
                letter,
                letter + 1,
                size,
                size + width,
                size + 2 * width,
                factor,
                right.ctypes.data,
                size + 3 * width,
                left.ctypes.data,
                size + 4 * width,
                factor + 8,
                result.ctypes.data,
                size + 5 * width,
            )
        )

    def __call__(self) -> None:
        """Compute the product of the arrays' present values."""
        _dgemm(*self._arguments)


def _stride(matrix: Array) -> int:
    """Return the leading dimension: the number of entries from one row to the next."""
    assert matrix.dtype == np.float64
    assert matrix.shape[1] == 1 or matrix.strides[1] == 8
    stride = int(matrix.strides[0]) // 8
    return max(stride, int(matrix.shape[1]), 1)
