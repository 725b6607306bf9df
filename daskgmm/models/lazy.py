"""Predictions that wait: one Dask block for each row block that comes in."""

from __future__ import annotations

from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import zarr

from daskgmm.models.prediction import Kind, Predictor, result_type
from daskgmm.rows.obstore_backend import portable
from daskgmm.rows.opening import as_rows, open_data


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
        return da.from_array(portable(x), chunks=(lengths, (x.shape[1],)), name=False)
    if isinstance(x, np.ndarray):
        return None
    return as_dask(open_data(x))


def predict_lazily(predictor: Predictor, kind: Kind, x: Any) -> Any:
    """Return predictions as a lazy array whose row chunks are those of x.

    Column chunks are joined a row block at a time.
    """
    if x.numblocks[1] > 1:
        x = x.rechunk({1: -1}, method="tasks")
    block = partial(_block, predictor, kind)
    if kind == "responsibilities":
        dtype, k = result_type(x.dtype), predictor.parameters.n_components
        meta = np.empty((0, 0), dtype)
        return da.map_blocks(block, x, dtype=dtype, chunks=(x.chunks[0], (k,)), meta=meta)
    dtype = np.dtype(np.int64) if kind == "labels" else result_type(x.dtype)
    return da.map_blocks(block, x, dtype=dtype, drop_axis=1, meta=np.empty(0, dtype))


def _block(predictor: Predictor, kind: Kind, x: Any, block_info: Any = None) -> Any:
    def place(row: int) -> str:
        if not block_info:
            return f"row {row} of a block"
        first = block_info[0]["array-location"][0][0]
        if first != first:
            return f"row {row} of block {block_info[0]['chunk-location'][0]}"
        return f"row {first + row}"

    return predictor(kind, x, place)
