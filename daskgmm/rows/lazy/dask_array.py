"""Rows of a Dask array."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.rows.checks.layout import check_rows, check_weights
from daskgmm.rows.checks.naming import places
from daskgmm.rows.grid import check_chunks
from daskgmm.rows.lazy.graph import Graph, Key, nbytes_in, optimised
from daskgmm.rows.lazy.graph_segment import GraphSegment, RowBlock
from daskgmm.rows.lazy.shared_nodes import with_shared_computed
from daskgmm.rows.rows import UNKNOWN, Get, Rows

IN_PROCESS_BYTES = 16 << 20
IN_PROCESS_SHARE = 0.25
"""A graph that holds so many bytes, and such a share of those of its array, counts as an array in
memory: a cluster would have to receive and keep it."""


class DaskRows(Rows):
    """Rows of a dask array, chunked as it is.

    The graph is optimised once, here. Results that many chunks share (see `shared_nodes`), such as
    the mean in ``a - a.mean(0)``, are computed once, by `prepare`. Column chunks are concatenated
    block by block; the array is never rechunked.

    Parameters
    ----------
    x : dask.array.Array of shape (n, d), or (n,) for weights
        n and the lengths of chunks may be unknown.
    lengths : sequence of int, optional
        Number of rows of each chunk, or `UNKNOWN`; by default that of `x`. Passes compare it
        with the chunks that they read.
    columns : tuple of str, optional
        Names of the columns.
    """

    _array: Any = None

    def __init__(
        self,
        x: Any,
        lengths: Sequence[int] | NDArray[np.int64] | None = None,
        columns: tuple[str, ...] | None = None,
    ) -> None:
        (check_weights if x.ndim == 1 else check_rows)(x.shape, x.dtype)
        keys = [tuple(k) if isinstance(k, list) else (k,) for k in x.__dask_keys__()]
        known = chunk_lengths(x) if lengths is None else np.array(lengths, dtype=np.int64)
        self._begin(x, keys, known, 1)
        self.columns = columns
        self._array = None if columns is None else x

    def _begin(
        self, x: Any, chunks: list[tuple[Key, ...]], lengths: NDArray[np.int64], axes: int
    ) -> None:
        """Set the attributes for an array whose first `axes` axes are those of rows."""
        self.dtype = np.dtype(x.dtype)
        self.n_features = 1 if x.ndim == axes else int(x.shape[axes])
        self.lengths, self._chunks, self._axes = lengths, chunks, axes
        self._row_shape = tuple(int(n) for n in x.shape[axes:])
        self._nbytes = float(x.nbytes)
        self._graph: Graph = optimised(x)
        nbytes = nbytes_in(self._graph)
        self.in_process = nbytes >= IN_PROCESS_BYTES and nbytes >= IN_PROCESS_SHARE * self._nbytes
        self._prepared = False
        self._lock = Lock()

    def prepare(self, get: Get | None = None, retries: int = 0) -> None:
        """Compute the results that many chunks share, once; `segment` does so too."""
        with self._lock:
            if not self._prepared:
                self._graph = with_shared_computed(
                    self._graph, self._chunks, self._nbytes, get, retries
                )
                self._prepared = True

    @property
    def futures(self) -> tuple[Any, ...]:
        """Futures that the graph depends on."""
        return tuple(self._graph.futures.values())

    def select(self, names: Sequence[str]) -> DaskRows:
        """Return the rows with these columns only, cut as these are."""
        if tuple(names) == self.columns:
            return self
        chosen = places(names, self.columns)
        rows = DaskRows(self._named()[:, chosen], self.lengths, tuple(names))
        rows.long_integers = tuple(self.has_long_integers[place] for place in chosen)
        return rows

    def column(self, name: str) -> DaskRows:
        """Return one column as weights; its chunks are computed from all columns of these."""
        return DaskRows(self._named()[:, places([name], self.columns)[0]], self.lengths)

    def _named(self) -> Any:
        assert self._array is not None
        return self._array

    def segment(self, first: int, stop: int) -> GraphSegment:
        """Return the chunks `first` to `stop` (exclusive) with their part of the graph."""
        check_chunks(first, stop, len(self.lengths))
        self.prepare()
        blocks = tuple(
            RowBlock(
                index, self._chunks[index], int(self.lengths[index]), self._row_shape, self._axes
            )
            for index in range(first, stop)
        )
        return GraphSegment(self._graph.cull(k for block in blocks for k in block.keys), blocks)


def chunk_lengths(x: Any) -> NDArray[np.int64]:
    """Return the rows of each chunk of a dask array, `UNKNOWN` where dask has nan."""
    return np.array([UNKNOWN if n != n else n for n in x.chunks[0]], dtype=np.int64)
