"""Labels, posteriors and log densities of rows by the compiled library."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.gaussian.kernels.compiled.blocks import in_blocks
from daskgmm.gaussian.kernels.compiled.layout import (
    STRIP_TILES,
    dtype_in_place,
    fill_theta,
    given,
    integers,
    is_ready,
    point,
    ready,
    split,
    state_of,
)
from daskgmm.gaussian.kernels.compiled.library import Library, Places, State
from daskgmm.gaussian.kernels.compiled.model import LibraryModel, shared_factor
from daskgmm.gaussian.kernels.prediction import Prediction, Targets

STEP = 16
"""Rows that go through all components at once, as in the source."""

KINDS = {"f8": 1, "f4": 2, "u1": 3}
"""Types of results, as `Kind` in the source."""


class CompiledPrediction(Prediction):
    """The predictions of one kernel."""

    def __init__(self, compiled: Library, model: LibraryModel) -> None:
        self._library, self._model = compiled, model
        whole = integers(compiled, model)
        theta = np.empty(model.theta.size)
        fill_theta(model, whole["edges"], theta)
        self._arrays = {"theta": theta, **given(model), **whole}
        factor = shared_factor(model.kernel)
        self._shared = None if factor is None else in_blocks(factor)

    def fill(self, x: NDArray[Any], targets: Targets, half_range: Array) -> int:
        step = _Step(self._library, self._begun(targets), self._model, half_range)
        dtype = dtype_in_place(x)
        length = max(1, len(x)) if is_ready(x, dtype) else STRIP_TILES * self._library.tile
        for first in range(0, len(x), length):
            rows = slice(first, min(first + length, len(x)))
            found = step.fill(ready(x[rows], dtype), targets.part(rows))
            if found < rows.stop - first:
                return first + found
        return len(x)

    def _begun(self, targets: Targets) -> State:
        state = state_of(self._library, self._model)
        point(state, self._arrays)
        if self._shared is not None and targets.log_densities is not None:
            point(state, {"factor": self._shared})
        return state


class _Step:
    """The buffers of one call."""

    def __init__(
        self, compiled: Library, state: State, model: LibraryModel, half_range: Array
    ) -> None:
        b, columns, d = compiled.tile, state.columns, len(model.kernel.center)
        sizes = {"z": (2 + d) * b, "a": columns * b, "exponentials": columns * STEP}
        self._arrays = split(sizes)
        self._arrays["z"][:b] = 1.0
        point(state, {name: self._arrays[name] for name in ("z", "a")})
        self._predict, self._state = compiled.functions.predict_rows, state
        self._half_range = np.ascontiguousarray(half_range, np.float64)
        self._adds_shared = bool(state.factor) and model.factor is None

    def fill(self, x: NDArray[Any], targets: Targets) -> int:
        places = Places(adds_shared=self._adds_shared, levels=targets.levels)
        places.half_range = self._half_range.ctypes.data
        places.exponentials = self._arrays["exponentials"].ctypes.data
        if targets.labels is not None:
            places.labels, places.label_stride = _place(targets.labels)
            places.label_bytes = targets.labels.itemsize
        if targets.responsibilities is not None:
            found = targets.responsibilities
            assert found.strides[1] == found.itemsize, "the entries of a row are neighbours"
            places.posteriors, places.posterior_stride = _place(found)
            assert found.shape[1] <= self._state.columns, "a column has a density"
            places.columns = found.shape[1]
            places.posterior_kind = KINDS[found.dtype.str[1:]]
        if targets.log_densities is not None:
            places.log_densities, places.density_stride = _place(targets.log_densities)
            places.density_kind = KINDS[targets.log_densities.dtype.str[1:]]
        is_float = x.dtype == np.float32
        state, at = ctypes.byref(self._state), ctypes.byref(places)
        return int(self._predict(state, at, x.ctypes.data, is_float, len(x)))


def _place(array: NDArray[Any]) -> tuple[int, int]:
    """Return the address of an array, and the bytes from one row to the next."""
    assert array.dtype.isnative, "values are written in the order of this processor"
    return array.ctypes.data, array.strides[0]
