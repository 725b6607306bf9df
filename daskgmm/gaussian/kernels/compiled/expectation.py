"""The E-step of one mixture by the compiled library."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.gaussian.block import Block
from daskgmm.gaussian.kernels.compiled.blocks import BLOCK, n_blocked, of_blocks
from daskgmm.gaussian.kernels.compiled.layout import (
    STRIP_TILES,
    dtype_in_place,
    fill_theta,
    given,
    integers,
    is_ready,
    n_panels,
    panels_of,
    point,
    ready,
    split,
    state_of,
)
from daskgmm.gaussian.kernels.compiled.library import Library, library
from daskgmm.gaussian.kernels.compiled.model import LibraryModel
from daskgmm.gaussian.kernels.kernel import Sums
from daskgmm.gaussian.kernels.workspace import LINE
from daskgmm.gaussian.moments import Moments

PANEL = 8
"""Components whose sums are beside each other, as in the source."""

TAIL_SUMS = 4
"""Sums of a component with tails, as in the source."""

SUMS = ("sums", "few", "tail_sums", "pooled")
"""Buffers that begin with 0 in each batch."""


def _sizes(
    compiled: Library,
    p: int,
    k: int,
    d: int,
    *,
    uniform: bool = False,
    tailed: bool = False,
    pooled: bool = False,
    labelled: bool = False,
) -> dict[str, int]:
    """Return the entries of each buffer."""
    b = compiled.tile
    sizes = {"z": (2 + d) * b, "a": (k + uniform) * b, "weights": b}
    sizes |= {"theta": p * k, "sums": n_panels(compiled, k) * p * PANEL, "factors": b}
    if p >= compiled.least_statistics:
        sizes |= {"few": k * _padded(p), "gathered": (3 + d) * b, "pairs": k * b // 2, "counts": k}
    if tailed:
        even = TAIL_SUMS * (k + k % 2)  # trees add the sums of two components at once
        sizes |= {"strip": 2 * k * compiled.strip, "tail_lanes": LINE * even, "tail_sums": even}
    if labelled:
        sizes |= {"labels": b}
    if pooled:
        sizes |= {"shares": b, "weighed": BLOCK * b, "pooled": n_blocked(d)}
    return sizes


def _padded(p: int) -> int:
    """Return a number of statistics that fills all lanes."""
    return -(-p // LINE) * LINE


def expectation_nbytes(p: int, k: int, d: int, mixtures: int = 1) -> int:
    """Return the bytes of the buffers, at most; 0 without a library.

    k is the number of components of all mixtures in the pass, each of which has its own buffers.
    """
    found = library()
    if found is None:
        return 0
    pooled = p == 1 + d  # beside noise or with tails; then the shared distance is one more
    p += pooled

    def entries(k: int) -> int:
        sizes = _sizes(found, p, k, d, uniform=True, tailed=True, pooled=pooled, labelled=True)
        rows = 2 * (p + LINE) + n_panels(found, k) + 1 + k + 1  # of pairs, edges, and classes
        return sum(sizes.values()) + pooled * n_blocked(d) + rows

    # A cut of k into two adds one panel at most, and the buffers that do not depend on k.
    copied = STRIP_TILES * found.tile * (d + 2)  # with weights and labels
    return 8 * (entries(k) + (mixtures - 1) * entries(1) + copied)


class CompiledExpectation:
    """The sums of blocks of rows under one kernel: `add` blocks, then take `moments`."""

    def __init__(self, compiled: Library, model: LibraryModel) -> None:
        (k, p), d = model.theta.shape, len(model.kernel.center)
        self._library, self._model = compiled, model
        arrays = split(
            _sizes(
                compiled,
                *(p, k, d),
                uniform=model.uniform is not None,
                tailed=model.tail is not None,
                pooled=model.factor is not None,
                labelled=model.classes is not None,
            )
        )
        arrays["z"][: compiled.tile] = 1.0
        self._integers = integers(compiled, model)
        self._edges = self._integers["edges"]
        fill_theta(model, self._edges, arrays["theta"])
        self._arrays = arrays | given(model)  # the state has their addresses alone
        self._state = state_of(compiled, model)
        point(self._state, self._arrays)
        point(self._state, self._integers)
        self.restart()

    def restart(self) -> None:
        """Forget all rows: `add` begins anew."""
        for name in self._arrays.keys() & SUMS:
            self._arrays[name][:] = 0.0
        self._n_rows = 0
        self._state.log_likelihood = self._state.weight = self._state.outliers = 0.0
        self._state.sparse = 0

    def add(self, block: Block) -> None:
        """Add the rows of a block: in place where they lie as C has them, or else copied by strips.

        Copies of whole blocks would not be within the plan: those of integers are larger.
        """
        x, w, labels = block.x, block.weights, None
        if self._model.classes is not None:
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
        kernel, state, arrays = self._model.kernel, self._state, self._arrays
        (k, p), d = self._model.theta.shape, len(kernel.center)
        sums = Sums.zeros(kernel.structure, *kernel.shape[1:])
        height = len(sums.sums)  # without that of the shared distance
        panels = arrays["sums"].reshape(-1, p, PANEL)
        for panel, (start, stop) in zip(panels, panels_of(self._edges), strict=True):
            sums.sums[:, start:stop] = panel[:height, : stop - start]
        if "few" in arrays:
            sums.sums[:, :k] += arrays["few"].reshape(k, -1)[:, :height].T
        if self._model.uniform is not None:
            sums.sums[0, k] = state.outliers
        pooled, tail = sums.pooled, None
        if self._model.factor is not None:
            pooled = of_blocks(arrays["pooled"], d)
        if self._model.tail is not None:
            tail = self._model.tail.sums(arrays["tail_sums"].reshape(-1, TAIL_SUMS)[:k].T)
        of_rows = state.log_likelihood, state.weight, self._n_rows
        return Moments(sums.sums, kernel.reference, pooled, *of_rows, tail=tail)
