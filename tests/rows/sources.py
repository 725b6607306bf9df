"""Arrays to build dask arrays on that count how often each row is read."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np


class Counted:
    """An array that counts the reads of every row; the counts stay in this process."""

    def __init__(self, data: np.ndarray) -> None:
        self.data = data
        self.shape, self.dtype, self.ndim = data.shape, data.dtype, data.ndim
        self.reads = np.zeros(len(data), int)

    def __getitem__(self, index: Any) -> np.ndarray:
        self.reads[index[0]] += 1
        return self.data[index]


def counted(rows: int = 40, columns: int = 3) -> Counted:
    """Return random rows that count their reads."""
    return Counted(np.random.default_rng(1).normal(size=(rows, columns)))


def lazy(source: Any, chunks: Any) -> da.Array:
    """Return a dask array that reads `source` chunk by chunk."""
    return da.from_array(source, chunks=chunks, name=False)
