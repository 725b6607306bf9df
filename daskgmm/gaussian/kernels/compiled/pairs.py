"""Fourth moments of pairs of components by the compiled library."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.gaussian.kernels.compiled.layout import ready, split
from daskgmm.gaussian.kernels.compiled.library import Library
from daskgmm.gaussian.kernels.pairs import PairLayout

LEAST = 1e-14
"""Product of two responsibilities of a row below which it adds nothing: the products that it is
multiplied by are a few thousand where a component has so little of a row."""

COLUMNS = 4
"""Products of a row that are summed together, as in the source; t has as many rows more."""

INTEGERS = ("numbers", "left", "right", "stops")
"""Of a layout as they are."""

_INTEGER, _POINTER = ctypes.c_int64, ctypes.c_void_p


class State(ctypes.Structure):
    """A layout and its sums, with the fields of `Pairs` in the source."""

    _fields_ = (
        *((name, _INTEGER) for name in ("d", "columns", "n_pairs", "p", "size", "width")),
        ("has_norm", _INTEGER),
        ("least", ctypes.c_double),
        *((name, _POINTER) for name in ("numbers", "points", "factors")),
        *(
            (name, _POINTER)
            for name in ("left", "right", "stops", "starts", "order", "counts", "listed")
        ),
        *((name, _POINTER) for name in ("waiting", "x", "u", "t", "w", "sums")),
    )


class CompiledPairs:
    """The sums of a layout, of which rows may come in any blocks."""

    def __init__(self, compiled: Library, layout: PairLayout) -> None:
        (m, d), p, columns = layout.points.shape, len(layout.stops), len(layout.numbers)
        group = compiled.group
        self._library, self._shape = compiled, (m, layout.size)
        sizes = {
            "waiting": m * (1 + d) * group,
            "x": (1 + d) * group,
            "u": (2 + d) * group,
            "t": p * group,
            "w": p * group,
        }
        self._arrays = split({**sizes, "sums": m * layout.size})
        self._integers = {
            "counts": np.zeros(m, np.int64),
            "listed": np.zeros(columns + 1, np.int64),
            "starts": _whole(np.cumsum(layout.stops) - layout.stops),
            "order": _whole(np.argsort(layout.stops, kind="stable")),
            **{name: _whole(getattr(layout, name)) for name in INTEGERS},
        }
        self._given = {
            name: ready(getattr(layout, name), np.float64) for name in ("points", "factors")
        }
        width = 1 if layout.diagonal else d
        has_norm = int(max(layout.left.max(), layout.right.max())) > d
        self._state = State(d, columns, m, p, layout.size, width, has_norm, LEAST)
        for name, array in {**self._arrays, **self._integers, **self._given}.items():
            setattr(self._state, name, array.ctypes.data)
        for name in ("t", "sums"):
            self._arrays[name][:] = 0.0
        self._arrays["u"][:group] = 1.0

    def add(self, x: Array, gamma: Array, weights: Array | None) -> None:
        """Add rows."""
        x, gamma = ready(x, np.float64), ready(gamma, np.float64)
        given = None if weights is None else ready(weights, np.float64)
        at = None if given is None else given.ctypes.data
        state = ctypes.byref(self._state)
        self._library.functions.add_pairs(state, x.ctypes.data, gamma.ctypes.data, at, len(x))

    def total(self) -> Array:
        """Return the sums over all rows."""
        self._library.functions.rest_of_pairs(ctypes.byref(self._state))
        return self._arrays["sums"].reshape(self._shape).copy()


def _whole(array: NDArray[Any]) -> NDArray[np.int64]:
    return np.ascontiguousarray(array, np.int64)
