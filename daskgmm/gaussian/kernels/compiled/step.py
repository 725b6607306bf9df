"""One pass of a mixture over blocks of rows by the compiled library."""

from __future__ import annotations

import ctypes
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from daskgmm.gaussian.block import Block
from daskgmm.gaussian.kernels.compiled.layout import (
    STRIP_TILES,
    dtype_in_place,
    is_ready,
    point,
    ready,
)
from daskgmm.gaussian.kernels.compiled.library import Library, State
from daskgmm.gaussian.moments import Moments


class CompiledStep(ABC):
    """The sums of blocks of rows under one kernel: `add` blocks, then take `moments`.

    Attributes
    ----------
    sums : tuple of str
        Buffers that begin with 0 in each batch, of those that there are.
    """

    sums: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        compiled: Library,
        state: State,
        arrays: Mapping[str, NDArray[Any]],
        integers: Mapping[str, NDArray[np.int64]],
    ) -> None:
        self._library, self._state = compiled, state
        self._arrays, self._integers = arrays, integers  # the state has their addresses alone
        arrays["z"][: compiled.tile] = 1.0
        point(state, arrays)
        point(state, integers)
        self.restart()

    def restart(self) -> None:
        """Forget all rows: `add` begins anew."""
        for name in self._arrays.keys() & self.sums:
            self._arrays[name][:] = 0.0
        self._n_rows = 0
        self._state.log_likelihood = self._state.weight = self._state.outliers = 0.0
        self._state.sparse = 0

    def add(self, block: Block) -> None:
        """Add the rows of a block: in place where they lie as C has them, or else copied by strips.

        Copies of whole blocks would not be within the plan: those of integers are larger.
        """
        x, w, labels = block.x, block.weights, None
        if "labels" in self._arrays:
            labels = block.beside.labels
        dtype, length = dtype_in_place(x), len(x)
        beside = (w is None or is_ready(w, np.float64)) and (
            labels is None or is_ready(labels, np.int32)
        )
        if not is_ready(x, dtype) or not beside:
            length = STRIP_TILES * self._library.tile
        for start in range(0, len(x), length or 1):
            rows = slice(start, start + length)
            self._add(
                ready(x[rows], dtype),
                None if w is None else ready(w[rows], np.float64),
                None if labels is None else ready(labels[rows], np.int32),
            )
        self._n_rows += len(x)

    def _add(
        self, x: NDArray[Any], weights: NDArray[Any] | None, labels: NDArray[Any] | None
    ) -> None:
        beside = (None if part is None else part.ctypes.data for part in (weights, labels))
        is_float = x.dtype == np.float32
        add_rows = self._library.functions.add_rows
        add_rows(ctypes.byref(self._state), x.ctypes.data, is_float, len(x), *beside)

    @property
    def n_sparse_tiles(self) -> int:
        """Number of tiles so far in which pairs without weight were left out."""
        return int(self._state.sparse)

    def moments(self) -> Moments:
        """Return the moments of all rows added; no row may follow, unless it restarts."""
        self._library.functions.add_rest(ctypes.byref(self._state))
        state = self._state
        return self._moments((state.log_likelihood, state.weight, self._n_rows))

    @abstractmethod
    def _moments(self, of_rows: tuple[float, float, int]) -> Moments:
        """Return the moments of the sums, given log-likelihood, weight and number of rows."""
