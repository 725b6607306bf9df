"""Small data, and where they go."""

import errno
import os
import sys
from pathlib import Path

import numpy as np
import zarr

import daskgmm


def filled_up_at(name):
    """Return an `os.fsync` for a disk that fills up when a file for that name is written."""
    whole = os.fsync

    def fsync(descriptor):
        written = Path(f"/proc/self/fd/{descriptor}").readlink()
        if written.name.startswith(f".{name}."):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        whole(descriptor)

    return fsync


COMMAND = [sys.executable, "-m", "daskgmm.cli"]

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(daskgmm.__file__).parents[1])}
"""The same package, installed or not, wherever a process starts."""


def clusters(n, d=3, seed=0):
    random = np.random.default_rng(seed)
    centres = random.normal(scale=6, size=(3, d))
    return centres[random.integers(0, 3, n)] + random.normal(size=(n, d))


def write_zarr(path, array, chunks, **options):
    stored = zarr.create_array(path, shape=array.shape, chunks=chunks, dtype=array.dtype, **options)
    stored[...] = array
    return path
