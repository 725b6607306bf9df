"""Predictions that wait: one Dask block for each row block that comes in."""

from __future__ import annotations

from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import zarr

from daskgmm.models.prediction import Kind, Predictor, result_type
from daskgmm.rows.grid_rows import point
from daskgmm.rows.nodata import declared_by_zarr
from daskgmm.rows.opening import as_rows, open_path


def as_dask(x: Any) -> Any:
    """Return a source as a lazy array with its own row chunks; None if x is in memory."""
    if isinstance(x, da.Array):
        return x
    if isinstance(x, (list, tuple)):
        parts = [as_dask(part) for part in x]
        if all(part is None for part in parts):
            return None
        arrays = [
            da.from_array(whole, chunks="auto") if part is None else part
            for whole, part in zip(x, parts, strict=True)
        ]
        return da.concatenate(arrays, axis=0)
    if isinstance(x, zarr.Array):
        lengths = tuple(int(m) for m in as_rows(x).lengths) or (0,)
        # A name of its own: what a store holds under the same address may change.
        stored = da.from_array(x, chunks=(lengths, (x.shape[1],)), name=False)
        decoding = declared_by_zarr(x)
        return (
            stored if decoding.plain else stored.map_blocks(decoding, dtype=decoding.dtype(x.dtype))
        )
    if isinstance(x, np.ndarray):
        return None
    return as_dask(open_path(x))


def predict_lazily(predictor: Predictor, kind: Kind, x: Any, dims: tuple[str, ...] = ()) -> Any:
    """Return predictions as a lazy array whose row chunks are those of x.

    Column chunks are joined a row block at a time. Rows may lie on a grid: x is then of shape
    (*grid, d), and so are the predictions.

    Parameters
    ----------
    dims : tuple of str
        Names of the axes of the grid, for errors.
    """
    last = x.ndim - 1
    if x.numblocks[last] > 1:
        x = x.rechunk({last: -1}, method="tasks")
    block = partial(_block, predictor, kind, dims)
    if kind == "responsibilities":
        dtype, k = result_type(x.dtype), predictor.parameters.n_components
        meta, chunks = np.empty((0,) * x.ndim, dtype), (*x.chunks[:-1], (k,))
        return da.map_blocks(block, x, dtype=dtype, chunks=chunks, meta=meta)
    dtype = np.dtype(np.int64) if kind == "labels" else result_type(x.dtype)
    meta = np.empty((0,) * last, dtype)
    return da.map_blocks(block, x, dtype=dtype, drop_axis=last, meta=meta)


def _block(
    predictor: Predictor, kind: Kind, dims: tuple[str, ...], x: Any, block_info: Any = None
) -> Any:
    grid = x.shape[:-1]

    def place(row: int) -> str:
        if not block_info:
            return f"row {row} of a block"
        starts = [start for start, _ in block_info[0]["array-location"][:-1]]
        if dims:
            return point(dims, starts, grid, row)
        if starts[0] != starts[0]:
            return f"row {row} of block {block_info[0]['chunk-location'][0]}"
        return f"row {starts[0] + row}"

    found = predictor(kind, x.reshape(-1, x.shape[-1]), place)
    return found.reshape(*grid, *found.shape[1:])
