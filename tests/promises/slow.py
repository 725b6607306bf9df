"""Rows that take their time, so that something can happen in the middle of a pass."""

import time

import dask.array as da
import numpy as np

K, ITERATIONS = 4, 12
SETTINGS = {"n_components": K, "max_iter": ITERATIONS, "tol": 0.0, "random_state": 0}


def slowed(path, seconds=0.01):
    """Return a Zarr array whose every chunk takes so long to come."""
    return da.from_zarr(path).map_blocks(_wait, seconds)


def _wait(block, seconds):
    time.sleep(seconds)
    return block


def bits(mixture):
    """Return all numbers that a fit found, as bytes; its history has seconds, and is left out."""
    found = {name: value for name, value in vars(mixture).items() if name.endswith("_")}
    return {name: value for name, value in map(_bytes_of, found.items()) if value is not None}


def _bytes_of(item):
    name, value = item
    if isinstance(value, dict) or value is None:
        return name, None
    array = np.asarray(value)
    return name, np.ascontiguousarray(array).tobytes() if array.dtype.kind in "bif" else None
