"""The buffers that a tile lives in: sized for the cache, kept by each thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TILE_BYTES = 1 << 20
"""Size of the statistics and responsibilities of one tile: half of a 2 MiB second-level
cache. Measured on AVX-512 and OpenBLAS: 512 rows at d=16 k=16, 8192 at d=2 k=10."""

TILE_ROWS = (256, 8192)
"""Below 256 rows the cost of a call shows, on two threads above all, which wait for each
other between calls; above 8192 nothing is gained."""

LINE = 8
"""Entries of a cache line: rows that begin on one are multiplied up to half as fast again."""

BUFFER_ENTRIES = 64

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
    rows : ndarray of shape (d + d // 2, b)
        The features z of the tile, one a row, and room to repeat the first half of them.
    features : ndarray of shape (p, b)
        T(z), one statistic a row: row 0 is 1, rows 1 to d are z. Empty where it is not used.
    joint : ndarray of shape (k, b)
        Log joint densities, then responsibilities.
    turned : ndarray of shape (b, k)
        Responsibilities once more, one row a row, for products that are faster so.
    maximum, total, weights : ndarray of shape (b,)
    """

    rows: Array
    features: Array
    joint: Array
    turned: Array
    maximum: Array
    total: Array
    weights: Array


def workspace_nbytes(p: int, k: int, d: int) -> int:
    """Return the bytes of a workspace for full tiles, its alignment included."""
    b = tile_rows(p, k)
    return 8 * b * (d + d // 2 + p + 2 * k + 3) + 2 * HUGE_PAGE


_kept = threading.local()


@contextmanager
def workspace(p: int, k: int, d: int, b: int) -> Iterator[Workspace]:
    """Lend a workspace of the given shape; p is 0 where T(z) is never formed.

    Each thread keeps the last one it gave back. One that is lent is never lent again: the
    rows of a fit may come from the lazy predictions of another mixture, in the same thread.
    """
    shape = (p, k, d, b)
    kept: tuple[tuple[int, ...], Workspace] | None = _kept.__dict__.pop("workspace", None)
    work = kept[1] if kept is not None and kept[0] == shape else _allocate(*shape)
    yield work
    _kept.workspace = (shape, work)


def _allocate(p: int, k: int, d: int, b: int) -> Workspace:
    heights = (d + d // 2, p, k, 3)
    stride = -(-b // LINE) * LINE
    tiles = sum(heights) * stride
    arena = _arena(tiles + b * k)
    edges = np.cumsum(heights)[:-1] * stride
    rows, features, joint, vectors = (
        part.reshape(-1, stride)[:, :b] for part in np.split(arena[:tiles], edges)
    )
    features[:1] = 1.0
    maximum, total, weights = vectors
    turned = arena[tiles:].reshape(b, k)
    return Workspace(rows, features, joint, turned, maximum, total, weights)


def _arena(entries: int) -> Array:
    alignment = HUGE_PAGE if 8 * entries >= HUGE_PAGE // 8 else 8 * LINE
    nbytes = max(8 * entries, 2 * HUGE_PAGE if alignment == HUGE_PAGE else 0)
    raw = np.empty(nbytes + alignment, np.uint8)
    start = -raw.ctypes.data % alignment
    arena: Array = raw[start : start + 8 * entries].view(np.float64)
    return arena


@contextmanager
def small_buffers() -> Iterator[None]:
    """Keep NumPy from copying broadcast operands through its buffers in this context.

    With the default of 8192 entries it does so for tiles, at a third of the time of a
    subtraction; `errstate` restores the setting, which belongs to the thread.
    """
    with np.errstate():
        np.setbufsize(BUFFER_ENTRIES)
        yield
