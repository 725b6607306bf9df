"""Buffers of a tile: they fit into the processor's cache, and each thread keeps its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided

from daskgmm.arrays import Array

TILE_BYTES = 1 << 20
"""Bytes of the statistics and responsibilities of a tile: half of a 2 MiB second-level cache.
Measured on AVX-512 and OpenBLAS: 512 rows at d=16 k=16, 8192 at d=2 k=10."""

TILE_ROWS = (256, 8192)
"""Least and largest number of rows of a tile: fewer show the cost of calls, above all on threads,
which wait for each other between calls; more gain nothing."""

LINE = 8
"""Entries of a cache line: products of rows that start on one are up to 1.5 times as fast."""

BUFFER_ENTRIES = 64

HUGE_PAGE = 2 << 20
"""Bytes of a huge page. NumPy asks for them in allocations of 4 MiB and more: they take a third off
the time to write the quadratic statistics, which otherwise miss the translation buffer."""


def tile_rows(p: int, k: int, least: int = 0) -> int:
    """Return the number of rows of a tile: a power of two that fits into the cache, or `least`.

    It depends on the model alone, and so does the order of every sum.
    """
    fitting = max(1, TILE_BYTES // (8 * (p + k)))
    low, high = TILE_ROWS
    return int(min(max(1 << (fitting.bit_length() - 1), low, least), high))


@dataclass(slots=True)
class Workspace:
    """Buffers for tiles of up to b rows.

    Attributes
    ----------
    rows : ndarray of shape (d + d // 2, b)
        Features z of the tile, and room for a copy of the first half of them.
    features : ndarray of shape (p, b)
        T(z): entry 0 is 1, entries 1 to d are z. Empty if T(z) is never formed.
    joint : ndarray of shape (k, b)
        Log joint densities, then responsibilities.
    turned : ndarray of shape (b, k)
        Transposed responsibilities, for products that are faster so.
    maximum, total, weights : ndarray of shape (b,)
    """

    rows: Array
    features: Array
    joint: Array
    turned: Array
    maximum: Array
    total: Array
    weights: Array


def workspace_nbytes(b: int, k: int, d: int, height: int) -> int:
    """Return the bytes of a workspace for tiles of b rows, with its alignment.

    `height` is the number of rows of its buffer for features.
    """
    return 8 * b * (d + d // 2 + height + 2 * k + 3) + 2 * HUGE_PAGE


def rows_nbytes(b: int, d: int) -> int:
    """Return the bytes of what a workspace has that is of no component, with a page it begins."""
    return 8 * b * (d + d // 2 + 4) + HUGE_PAGE


def by_rows(buffer: Array, b: int, d: int) -> Array:
    """Return the memory of a workspace's buffer as b rows of d features, (b, d).

    It holds them: its rows are b entries or more apart, and a multiple of `LINE`.
    """
    assert len(buffer) * (buffer.strides[0] // 8) >= b * d, "the buffer holds the rows"
    return as_strided(buffer, (b, d), (8 * d, 8))


_local = threading.local()


@contextmanager
def workspace(p: int, k: int, d: int, b: int) -> Iterator[Workspace]:
    """Yield a workspace of the given shape; p is 0 if T(z) is never formed.

    Each thread reuses the last one, but never one in use: the rows of a fit may come from the lazy
    predictions of another mixture, in the same thread.
    """
    shape = (p, k, d, b)
    last: tuple[tuple[int, ...], Workspace] | None = _local.__dict__.pop("workspace", None)
    work = last[1] if last is not None and last[0] == shape else _allocate(*shape)
    yield work
    _local.workspace = (shape, work)


def _allocate(p: int, k: int, d: int, b: int) -> Workspace:
    heights = (d + d // 2, p, k, 3)
    stride = -(-b // LINE) * LINE  # entries from one row of a buffer to the next
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
    """Allocate one aligned array for all buffers, so that NumPy asks for huge pages."""
    alignment = HUGE_PAGE if 8 * entries >= HUGE_PAGE // 8 else 8 * LINE
    return aligned(entries, alignment, 2 * HUGE_PAGE if alignment == HUGE_PAGE else 0)


def aligned(entries: int, alignment: int = 8 * LINE, least: int = 0) -> Array:
    """Return an array that begins at a multiple of `alignment` bytes, of at least `least` bytes."""
    nbytes = max(8 * entries, least)
    raw = np.empty(nbytes + alignment, np.uint8)
    start = -raw.ctypes.data % alignment
    array: Array = raw[start : start + 8 * entries].view(np.float64)
    return array


@contextmanager
def small_buffers() -> Iterator[None]:
    """Keep NumPy from copying broadcast operands through its buffers in this context.

    With buffers of 8192 entries, the default, it copies those of tiles, which takes a third of the
    time of a subtraction. The setting is that of the thread; `errstate` restores it.
    """
    with np.errstate():
        np.setbufsize(BUFFER_ENTRIES)
        yield
