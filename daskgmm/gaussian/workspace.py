"""The buffers that a tile lives in: sized for the cache, kept by each thread."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TILE_BYTES = 1 << 20
"""Size of the statistics and responsibilities of one tile: half of a 2 MiB second-level
cache. Measured on AVX-512 and OpenBLAS: 512 rows at d=16 k=16, 8192 at d=2 k=10."""

TILE_ROWS = (512, 8192)
"""Below 512 rows the cost of a NumPy call shows (up to a tenth, at d=64 k=32, even though a
tile then leaves the second-level cache); above 8192 nothing is gained."""

HUGE_PAGE = 2 << 20
"""NumPy asks for huge pages in allocations of 4 MiB and more: a third off the time to
write the quadratic statistics, which otherwise misses the translation buffer."""


def tile_rows(p: int, k: int) -> int:
    """Return the number of rows of a tile: a power of two that keeps it in the cache.

    A function of the model alone, so that the order of every sum is, too.
    """
    fitting = max(1, TILE_BYTES // (8 * (p + k)))
    low, high = TILE_ROWS
    return int(min(max(1 << (fitting.bit_length() - 1), low), high))


@dataclass(slots=True)
class Workspace:
    """Buffers for tiles of up to b rows.

    Attributes
    ----------
    features : ndarray of shape (p, b)
        T(z), one statistic a row: row 0 is 1, rows 1 to d are the features z.
    joint : ndarray of shape (k, b)
        Log joint densities, then responsibilities.
    maximum, total, weights : ndarray of shape (b,)
    """

    features: Array
    joint: Array
    maximum: Array
    total: Array
    weights: Array


_kept = threading.local()


def workspace(p: int, k: int, b: int) -> Workspace:
    """Return this thread's workspace of the given shape; it keeps the last one it made."""
    kept: tuple[tuple[int, int, int], Workspace] | None = getattr(_kept, "workspace", None)
    if kept is not None and kept[0] == (p, k, b):
        return kept[1]
    made = _allocate(p, k, b)
    _kept.workspace = ((p, k, b), made)
    return made


def _allocate(p: int, k: int, b: int) -> Workspace:
    arena = _arena((p + k + 3) * b)
    features, joint, vectors = np.split(arena, [p * b, (p + k) * b])
    maximum, total, weights = vectors.reshape(3, b)
    features = features.reshape(p, b)
    features[0] = 1.0
    return Workspace(features, joint.reshape(k, b), maximum, total, weights)


def _arena(entries: int) -> Array:
    if 8 * entries < HUGE_PAGE // 8:
        return np.empty(entries)
    raw = np.empty(max(8 * entries, 2 * HUGE_PAGE) + HUGE_PAGE, np.uint8)
    start = -raw.ctypes.data % HUGE_PAGE
    arena: Array = raw[start : start + 8 * entries].view(np.float64)
    return arena
