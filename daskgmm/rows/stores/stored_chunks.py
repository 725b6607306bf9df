"""Dask arrays that do nothing but read a Zarr array: read as the store is, in small blocks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import zarr
from dask._task_spec import DataNode, Task, TaskRef, convert_legacy_graph
from dask.array.core import getter, getter_inline, getter_nofancy
from dask.utils import ensure_dict

from daskgmm.rows.decoding.nodata import PLAIN
from daskgmm.rows.grid import check_chunks
from daskgmm.rows.lazy.dask_array import chunk_lengths
from daskgmm.rows.rows import UNKNOWN
from daskgmm.rows.stores.stored_rows import StoredSegment, rows_per_block
from daskgmm.rows.stores.zarr_array import ZarrRows
from daskgmm.rows.zarr_nodes.node import in_memory

LAYERS = 2
"""Layers of the graph of such an array: the Zarr array, unless each task has it, and the reads."""

READS = (getter, getter_nofancy, getter_inline)
"""Functions by which `dask.array.from_array` and `from_zarr` read a part of an array."""


class StoredChunks(ZarrRows):
    """Rows of a Zarr array in the chunks of a Dask array, read in blocks of the store's chunks.

    Chunks are those of the Dask array, so that what goes beside the rows is cut as it is; a chunk
    of Dask may be as large as memory allows, and a block is small. Fill values stay numbers, as
    in the Dask array.

    Parameters
    ----------
    array : zarr.Array of shape (n, d)
    lengths : sequence of int
    """

    def __init__(self, array: Any, lengths: Any) -> None:
        super().__init__(array, lengths, PLAIN)
        self._step = rows_per_block(array, self.row_nbytes)
        self.block_rows = self._step

    def segment(self, first: int, stop: int) -> StoredSegment:
        """Return the chunks `first` to `stop` (exclusive), unread."""
        check_chunks(first, stop, len(self.lengths))
        ends = self._offsets[first : stop + 1].tolist()
        step = self._step
        inner = range(ends[0] - ends[0] % step + step, ends[-1], step)
        # An empty chunk has a bound twice, and no block: there is none to read.
        return self._between(tuple(sorted({*ends, *inner})))


def stored_chunks(x: Any) -> StoredChunks | None:
    """Return the rows of a Dask array of two axes if it is a Zarr array, read; else None.

    The graph is looked at task by task: each must read the rows of its chunk, all columns of them,
    from the same Zarr array, which has no other rows. Stores in memory are left to Dask.
    """
    layers = getattr(x.dask, "layers", {})
    lengths = chunk_lengths(x)
    if len(layers) > LAYERS or x.ndim != 2 or x.numblocks[1] != 1 or UNKNOWN in lengths:
        return None
    graph = ensure_dict(x.dask)
    array = _array_read_by(x, convert_legacy_graph(graph, all_keys=set(graph)))
    if array is None or in_memory(array.store):
        return None
    return StoredChunks(array, lengths)


def _array_read_by(x: Any, nodes: Mapping[Any, Any]) -> Any:
    """Return the Zarr array that the tasks of a Dask array read as a whole, or None."""
    bounds = list(itertools.accumulate(x.chunks[0], initial=0))
    arrays = {}
    for index, (start, stop) in enumerate(itertools.pairwise(bounds)):
        array, *part = _read_by(nodes.get((x.name, index, 0)), nodes) or (None,)
        if not isinstance(array, zarr.Array) or not _is_part(part, (start, stop), x.shape[1]):
            return None
        arrays[id(array)] = array
    (array, *others) = arrays.values() or (None,)
    same = array is not None and (array.shape, array.dtype) == (x.shape, x.dtype)
    return array if same and not others else None


def _read_by(node: Any, nodes: Mapping[Any, Any]) -> Iterator[Any] | None:
    """Return what a task reads from, and the index of its part; None if it does anything else."""
    if not isinstance(node, Task) or node.func not in READS or node.kwargs or len(node.args) != 2:
        return None
    return (_value(argument, nodes) for argument in node.args)


def _value(argument: Any, nodes: Mapping[Any, Any]) -> Any:
    """Return a value that is in a task, or in a node of its own."""
    if isinstance(argument, TaskRef):
        argument = nodes.get(argument.key)
    return argument.value if isinstance(argument, DataNode) else argument


def _is_part(part: Any, rows: tuple[int, int], d: int) -> bool:
    """Return whether an index is that of whole rows, from a first to a last one (exclusive)."""
    if len(part) != 1 or not isinstance(part[0], tuple) or len(part[0]) != 2:
        return False
    slices = part[0]
    return all(
        isinstance(at, slice) and (at.start, at.stop) == ends and at.step in (None, 1)
        for at, ends in zip(slices, (rows, (0, d)), strict=True)
    )
