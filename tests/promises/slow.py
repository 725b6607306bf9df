"""Rows that take their time, so that something can happen in the middle of a pass."""

import time

import dask.array as da

K = 4
SETTINGS = {"n_components": K, "max_iter": 20, "tol": 0.0, "random_state": 0}


def slowed(path, seconds=0.01):
    """Return a Zarr array whose every chunk takes so long to come."""
    return da.from_zarr(path).map_blocks(_wait, seconds)


def _wait(block, seconds):
    time.sleep(seconds)
    return block


def bits(mixture):
    """Return all that a fit found, as bytes."""
    names = ("weights_", "means_", "covariances_", "precisions_cholesky_", "lower_bounds_")
    return {name: bytes(memoryview(_array(getattr(mixture, name)))) for name in names}


def _array(value):
    import numpy as np

    return np.ascontiguousarray(value, dtype=np.float64)
