"""Predictions that wait: one Dask block for each row block that comes in."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import zarr
from dask._task_spec import Task
from dask.highlevelgraph import HighLevelGraph
from numpy.typing import NDArray

from daskgmm.models.in_memory import output_of, predict_values
from daskgmm.models.prediction import Predictor
from daskgmm.passes.executor import check_lazy
from daskgmm.passes.running import Running
from daskgmm.rows.frames import frame_array, is_dask_frame
from daskgmm.rows.grid_rows import point
from daskgmm.rows.hdf5 import is_hdf5
from daskgmm.rows.nodata import declared_by_zarr
from daskgmm.rows.obstore_backend import portable
from daskgmm.rows.opening import as_rows, open_rows
from daskgmm.rows.plain import unmasked
from daskgmm.rows.rows import UNKNOWN, Rows, Segment
from daskgmm.rows.sight import check_landmarks, landmarks
from daskgmm.rows.stored_values import lazy_values
from daskgmm.rows.undecoded import warn_of_undecoded
from daskgmm.rows.unfit import check_block
from daskgmm.rows.zarr_store import location, storage_options


def as_dask(x: Any, columns: Sequence[str] | None = None) -> Any:
    """Return a source as a lazy array with its own row chunks; None if x is in memory.

    Parameters
    ----------
    columns : sequence of str, optional
        The columns to take, by name, from what has names.
    """
    if isinstance(x, da.Array):
        unmasked(x._meta, "X")
        warn_of_undecoded(x)
        return x
    if isinstance(x, (list, tuple)):
        parts = [as_dask(part, columns) for part in x]
        if all(part is None for part in parts):
            return None
        arrays = [
            da.from_array(whole, chunks="auto") if part is None else part
            for whole, part in zip(x, parts, strict=True)
        ]
        return da.concatenate(arrays, axis=0)
    if isinstance(x, zarr.Array):
        chunks = tuple(int(m) for m in as_rows(x).lengths) or (0,), (x.shape[1],)
        decoding = declared_by_zarr(x)
        return lazy_values(portable(x), chunks, location(x), storage_options(x), decoding)
    if isinstance(x, np.ndarray):
        return None
    if isinstance(x, Rows) or is_hdf5(x):
        return rows_as_dask(as_rows(x, columns=columns))
    if is_dask_frame(x):
        return frame_array(x, columns)[0]
    return as_dask(open_rows(x, columns=columns), columns)


def rows_as_dask(rows: Rows) -> Any:
    """Return rows as a lazy array with a block for each chunk, which reads it where it lands."""
    # A name of its own: what a store holds under the same address may change.
    name, retries = f"rows-{uuid.uuid4().hex}", Running.configured().retries
    lengths = tuple(int(m) for m in rows.lengths) or (0,)
    blocks = [rows.segment(i, i + 1) for i in range(len(rows.lengths))] or [rows.segment(0, 0)]
    nothing = np.empty((0, rows.n_features), rows.dtype)
    tasks: dict[Any, Task] = {
        (name, index, 0): Task((name, index, 0), read_chunk, segment, nothing, retries)
        for index, segment in enumerate(blocks)
    }
    chunks = (
        tuple(np.nan if m == UNKNOWN else m for m in lengths),
        (rows.n_features,),
    )
    graph = HighLevelGraph.from_collections(name, tasks)
    return da.Array(graph, name, chunks, dtype=rows.dtype)


def read_chunk(segment: Segment, nothing: NDArray[Any], retries: int) -> NDArray[Any]:
    """Return all rows of a segment as one block."""
    blocks = list(segment.stream(retries=retries))
    return blocks[0] if len(blocks) == 1 else np.concatenate([nothing, *blocks])


def predict_lazily(predictor: Predictor, name: str, x: Any, dims: tuple[str, ...] = ()) -> Any:
    """Return predictions as a lazy array whose row chunks are those of x.

    Column chunks are joined a row block at a time. Rows may lie on a grid: x is then of shape
    (*grid, d), and so are the predictions.

    Parameters
    ----------
    dims : tuple of str
        Names of the axes of the grid, for errors.
    """
    check_lazy(x)
    last = x.ndim - 1
    if x.numblocks[last] > 1:
        x = x.rechunk({last: -1}, method="tasks")
    block = partial(_block, predictor, name, dims, landmarks(x))
    output = output_of(predictor, name, x.dtype)
    if output.shape:
        meta, chunks = np.empty((0,) * x.ndim, output.dtype), (*x.chunks[:-1], output.shape)
        return da.map_blocks(block, x, dtype=output.dtype, chunks=chunks, meta=meta)
    meta = np.empty((0,) * last, output.dtype)
    return da.map_blocks(block, x, dtype=output.dtype, drop_axis=last, meta=meta)


def _block(
    predictor: Predictor,
    name: str,
    dims: tuple[str, ...],
    read: tuple[str, ...],
    x: Any,
    block_info: Any = None,
) -> Any:
    check_landmarks(read)
    check_block(x)
    grid = x.shape[:-1]

    def place(row: int) -> str:
        if not block_info:
            return f"row {row} of a block"
        starts = [start for start, _ in block_info[0]["array-location"][:-1]]
        if dims or not starts:
            return point(dims, starts, grid, row)
        if starts[0] != starts[0]:
            return f"row {row} of block {block_info[0]['chunk-location'][0]}"
        return f"row {starts[0] + row}"

    found = predict_values(predictor, name, x.reshape(-1, x.shape[-1]), place)
    return found.reshape((*grid, *found.shape[1:]))
