"""Predictions that wait: one Dask block for each row block that comes in."""

from __future__ import annotations

from functools import partial
from typing import Any

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from daskgmm.models.predictions.forms.in_memory import Names, output_of, predict_values
from daskgmm.models.predictions.place import Place, numbers_on_grid
from daskgmm.models.predictions.prediction import Predictor
from daskgmm.passes.batches import UNKNOWN_CHUNK_SPAN
from daskgmm.passes.executors.executor import check_lazy
from daskgmm.rows.checks.refusals import check_block
from daskgmm.rows.labelled.grid_rows import point
from daskgmm.rows.zarr_nodes.presence import check_metadata_files, metadata_files


def predict_lazily(predictor: Predictor, names: Names, x: Any, dims: tuple[str, ...] = ()) -> Any:
    """Return predictions as a lazy array whose row chunks are those of x.

    Column chunks are joined a row block at a time. Rows may lie on a grid: x is then of shape
    (*grid, d), and so are the predictions.
    """
    check_lazy(x)
    last = x.ndim - 1
    if x.numblocks[last] > 1:
        x = x.rechunk({last: -1}, method="tasks")
    block = partial(_block, predictor, names, dims, metadata_files(x))
    output = output_of(predictor, names, x.dtype)
    if output.shape:
        meta, chunks = np.empty((0,) * x.ndim, output.dtype), (*x.chunks[:-1], output.shape)
        return da.map_blocks(block, x, dtype=output.dtype, chunks=chunks, meta=meta)
    meta = np.empty((0,) * last, output.dtype)
    return da.map_blocks(block, x, dtype=output.dtype, drop_axis=last, meta=meta)


def _block(
    predictor: Predictor,
    names: Names,
    dims: tuple[str, ...],
    read: tuple[str, ...],
    x: Any,
    block_info: Any = None,
) -> Any:
    check_metadata_files(read)
    check_block(x)
    grid = x.shape[:-1]

    def say(row: int) -> str:
        if not block_info:
            return f"row {row} of a block"
        starts = [start for start, _ in block_info[0]["array-location"][:-1]]
        if dims or not starts:
            return point(dims, starts, grid, row)
        if starts[0] != starts[0]:
            return f"row {row} of block {block_info[0]['chunk-location'][0]}"
        return f"row {starts[0] + row}"

    place = Place(say, partial(_numbers, block_info[0], grid)) if block_info else Place(say)
    found = predict_values(predictor, names, x.reshape(-1, x.shape[-1]), place)
    return found.reshape((*grid, *found.shape[1:]))


def _numbers(info: Any, grid: tuple[int, ...], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the numbers of rows of a block on its grid, in the array that it is a block of."""
    shape, starts = info["shape"][:-1], [start for start, _ in info["array-location"][:-1]]
    if not grid:
        return rows
    if not all(size == size for size in (*shape, *starts)):
        return rows + int(info["chunk-location"][0]) * UNKNOWN_CHUNK_SPAN
    return numbers_on_grid(starts, grid, shape, rows)
