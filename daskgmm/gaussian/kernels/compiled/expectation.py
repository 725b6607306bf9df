"""The E-step of one mixture by the compiled library."""

from __future__ import annotations

import ctypes
import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.covariance.algebra.statistic import Statistic
from daskgmm.gaussian.kernels.compiled.library import Library, State, library
from daskgmm.gaussian.kernels.kernel import Sums
from daskgmm.gaussian.kernels.natural import NaturalKernel
from daskgmm.gaussian.kernels.workspace import LINE, aligned
from daskgmm.gaussian.moments import Moments

PANEL = 8
"""Components whose sums are beside each other, as in the source."""

LOG2_E = math.log2(math.e)

STRIP_TILES = 8
"""Tiles of rows that are copied at once; a call takes 5 us, and a tile 5 us or more."""


def _is_ready(array: NDArray[Any], dtype: type[np.floating[Any]]) -> bool:
    """Return whether an array is read in place."""
    return array.dtype == dtype and array.flags.c_contiguous and array.flags.aligned


def _ready(array: NDArray[Any], dtype: type[np.floating[Any]]) -> NDArray[Any]:
    """Return an array, or a copy of it, that is read in place."""
    return np.require(array, dtype, ["C_CONTIGUOUS", "ALIGNED"])


def _panels_of(compiled: Library, k: int) -> int:
    """Return the number of panels of k components."""
    return -(-k // compiled.components)


def _sizes(compiled: Library, p: int, k: int, d: int) -> dict[str, int]:
    """Return the entries of each buffer."""
    b = compiled.tile
    tile = {"z": (2 + d) * b, "a": k * b, "weights": b}
    sizes = tile | {"theta": p * k, "sums": _panels_of(compiled, k) * p * PANEL, "factors": b}
    if p < compiled.least_statistics:
        return sizes
    return sizes | {
        "few": k * _padded(p),
        "gathered": (3 + d) * b,
        "pairs": k * b // 2,
        "counts": k,
    }


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
    # A cut of k into two adds one panel at most, and the buffers that do not depend on k.
    cuts = (mixtures - 1) * sum(_sizes(found, p, 1, d).values())
    copied = STRIP_TILES * found.tile * (d + 1)
    return 8 * (sum(_sizes(found, p, k, d).values()) + cuts + copied)


class CompiledExpectation:
    """The sums of blocks of rows under one natural kernel: `add` blocks, then take `moments`."""

    def __init__(self, compiled: Library, kernel: NaturalKernel) -> None:
        p, k, d = kernel.shape
        self._library, self._kernel = compiled, kernel
        left, right = _factors(kernel.structure.statistic, d)
        has_norm, b = int(max(left.max(), right.max())) > d, compiled.tile
        panels = _panels_of(compiled, k)
        self._edges = np.arange(panels + 1) * k // panels
        arrays = _split(_sizes(compiled, p, k, d))
        arrays["z"][:b] = 1.0
        self._few = arrays.get("few", np.empty(0)).reshape(-1, _padded(p))
        self._sums = arrays["sums"].reshape(panels, p, PANEL)
        for start, stop in self._panels():
            panel = kernel.theta[start:stop].T
            np.multiply(panel, LOG2_E, arrays["theta"][start * p : stop * p].reshape(panel.shape))
        arrays["center"] = np.ascontiguousarray(kernel.center, np.float64)
        integers = {"left": left * b, "right": right * b, "edges": self._edges}
        self._kept = [*arrays.values(), *integers.values()]  # the state has their addresses alone
        self._state = State(d=d, k=k, p=p, panels=panels, has_norm=has_norm)
        for name, array in (arrays | integers).items():
            setattr(self._state, name, array.ctypes.data)
        self.restart()

    def restart(self) -> None:
        """Forget all rows: `add` begins anew."""
        self._sums[:] = 0.0
        self._few[:] = 0.0
        self._n_rows = 0
        self._state.log_likelihood = self._state.weight = 0.0
        self._state.sparse = 0

    def add(self, block: Block) -> None:
        """Add the rows of a block: in place where they lie as C has them, or else copied by strips.

        Copies of whole blocks would not be within the plan: those of integers are larger.
        """
        x, w = block.x, block.weights
        dtype = np.float32 if x.dtype == np.float32 else np.float64
        length = len(x)
        if not _is_ready(x, dtype) or (w is not None and not _is_ready(w, np.float64)):
            length = STRIP_TILES * self._library.tile
        for start in range(0, len(x), length or 1):
            rows = slice(start, start + length)
            self._add(_ready(x[rows], dtype), None if w is None else _ready(w[rows], np.float64))
        self._n_rows += len(x)

    def _add(self, x: NDArray[Any], weights: Array | None) -> None:
        at = None if weights is None else weights.ctypes.data
        is_float = x.dtype == np.float32
        add_rows = self._library.functions.add_rows
        add_rows(ctypes.byref(self._state), x.ctypes.data, is_float, len(x), at)

    @property
    def n_sparse_tiles(self) -> int:
        """Number of tiles so far in which pairs without weight were left out."""
        return int(self._state.sparse)

    def moments(self) -> Moments:
        """Return the moments of all rows added; no row may follow, unless it restarts."""
        self._library.functions.add_rest(ctypes.byref(self._state))
        kernel, state = self._kernel, self._state
        sums = Sums.zeros(kernel.structure, *kernel.shape[1:])
        for panel, (start, stop) in zip(self._sums, self._panels(), strict=True):
            sums.sums[:, start:stop] = panel[:, : stop - start]
        if len(self._few):
            sums.sums += self._few[:, : len(sums.sums)].T
        of_rows = state.log_likelihood, state.weight, self._n_rows
        return Moments(sums.sums, kernel.reference, sums.pooled, *of_rows)

    def _panels(self) -> list[tuple[int, int]]:
        edges = self._edges.tolist()
        return list(itertools.pairwise(edges))


def _factors(statistic: Statistic, d: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the two rows of z that each entry of T is the product of; p to fill all lanes."""
    quadratic = statistic.pairs(d)
    assert quadratic is not None, "the statistic is one of products"
    left, right = quadratic
    linear = np.arange(1 + d)  # 1 and the features, each times 1
    none = np.zeros(_padded(1 + d + len(left)) - 1 - d - len(left), np.intp)
    return np.concatenate([0 * linear, left, none]), np.concatenate([linear, right, none])


def _split(sizes: Mapping[str, int]) -> dict[str, Array]:
    """Return arrays of these sizes that begin with a cache line each."""
    lines = {name: -(-size // LINE) * LINE for name, size in sizes.items()}
    edges = np.cumsum([0, *lines.values()]).tolist()
    whole = aligned(edges[-1])
    starts = dict(zip(sizes, edges[:-1], strict=True))
    return {name: whole[start : start + sizes[name]] for name, start in starts.items()}
