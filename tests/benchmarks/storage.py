"""Claim: a pass takes hardly longer than the slower of reading and arithmetic.

A store that lets through so many bytes a second, all reads together, is fitted on one thread
and on two; the model is chosen so that arithmetic takes about as long as reading, twice and
half as long. That both overlap within a task is what read-ahead is for.
"""

import tempfile
import warnings
from pathlib import Path
from statistics import median
from typing import Any

import dask
import numpy as np
import zarr

from daskgmm import GaussianMixture
from daskgmm.em.events import Iterated
from tests.benchmarks.tables import against, print_table, seconds, times
from tests.promises.stores import Throttled

TARGET = 1.15

D = 16


def main(smoke: bool = False) -> None:
    """Print one table."""
    n, rate = (6_000, 200e6) if smoke else (3_000_000, 100e6)
    X = np.random.default_rng(0).normal(size=(n, D))
    lines = []
    with tempfile.TemporaryDirectory(prefix="daskgmm-benchmark-") as folder:
        path = Path(folder) / "rows.zarr"
        zarr.create_array(path, data=X, chunks=(1 << 14, D), compressors=None)
        Throttled.bytes_per_second = rate
        for threads in (1, 2):
            with dask.config.set(num_workers=threads):
                for k in (8, 16, 32):
                    lines.append(_line(X, path, k, threads, X.nbytes / rate))
    print_table(
        f"A pass over {X.nbytes / 1e6:.0f} MB at {rate / 1e6:.0f} MB/s, d={D}",
        ["threads", "k", "read", "compute", "pass", "x slower of both", "target", "reached"],
        lines,
    )


def _line(X: Any, path: Path, k: int, threads: int, read: float) -> list[str]:
    # A Dask array of one block a chunk of 1 MiB: rows in memory that use all threads.
    compute = _pass(zarr.create_array({}, data=X, chunks=(1 << 17, D), compressors=None), k)
    store = zarr.open_array(Throttled(path), mode="r")
    spent = _pass(store, k)
    ratio = spent / max(read, compute)
    return [
        f"{threads}",
        f"{k}",
        seconds(read),
        seconds(compute),
        seconds(spent),
        times(ratio),
        f"{TARGET}x",
        against(ratio, TARGET, True),
    ]


def _pass(X: Any, k: int) -> float:
    """Return the seconds of an iteration."""
    spent: list[float] = []
    random = np.random.default_rng(0)

    def listen(event: Any) -> None:
        if isinstance(event, Iterated):
            spent.append(event.seconds)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        GaussianMixture(
            k,
            max_iter=3,
            tol=0.0,
            weights_init=np.full(k, 1 / k),
            means_init=random.normal(size=(k, D)),
            precisions_init=np.tile(np.eye(D), (k, 1, 1)),
        ).fit(X, listen=listen)
    return median(spent)
