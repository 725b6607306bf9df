"""Claim: the memory of a worker is what the plan says, whatever the number of rows.

A worker process of one thread and one of two fit stores with small and large chunks, small
and large models; then stores of 1e6, 1e7 and 1e8 rows. Its peak is VmHWM of /proc (Linux).
"""

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from distributed import Client, LocalCluster

from daskgmm import GaussianMixture, plan
from daskgmm.passes.memory import peak_memory
from tests.benchmarks.tables import against, print_table, times

MODELS = ((4, 8), (64, 64))
CHUNK_MB = (1, 32, 256)


def main(smoke: bool = False) -> None:
    """Print a table of predictions, and one for the number of rows."""
    predictions(CHUNK_MB[:1] if smoke else CHUNK_MB, 3e5 if smoke else 200e6)
    row_counts((1_000, 2_000) if smoke else (10**6, 10**7, 10**8))


@contextmanager
def worker(threads: int) -> Iterator[Client]:
    """Start one fresh worker, whose peak is then that of one fit."""
    with (
        LocalCluster(
            n_workers=1,
            threads_per_worker=threads,
            dashboard_address="127.0.0.1:0",
            memory_limit="16GiB",
            silence_logs=50,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def write(path: Path, n: int, d: int, chunk_rows: int) -> None:
    """Write a store of float32 rows, a part at a time."""
    array = zarr.create_array(path, shape=(n, d), chunks=(chunk_rows, d), dtype="f4")
    random = np.random.default_rng(0)
    step = chunk_rows * max(1, 1_000_000 // chunk_rows)
    # Few digits, so that they compress as measured data do.
    part = random.normal(size=(min(step, n), d)).round(2).astype(np.float32)
    for first in range(0, n, step):
        array[first : first + step] = part[: n - first]


def peak(path: Path, k: int, threads: int) -> tuple[int, int]:
    """Return the peak of a worker that took part in a fit, and what the plan said."""
    with worker(threads) as client, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        planned = plan(str(path), k).worker_nbytes
        GaussianMixture(k, max_iter=1, tol=0.0, random_state=0, init_params="random").fit(str(path))
        (found,) = client.run(peak_memory).values()
    return found, planned


def predictions(chunk_mb: Any, nbytes: float) -> None:
    """Compare peaks with plans."""
    lines = []
    for d, k in MODELS:
        for size in chunk_mb:
            with tempfile.TemporaryDirectory(prefix="daskgmm-benchmark-") as folder:
                path = Path(folder) / "rows.zarr"
                chunk_rows = size * 10**6 // (4 * d)
                n = max(int(nbytes) // (4 * d), 3 * chunk_rows)
                write(path, n, d, chunk_rows)
                for threads in (1, 2):
                    found, planned = peak(path, k, threads)
                    sizes = [f"{value / 1e6:.0f} MB" for value in (found, planned)]
                    verdict = [times(found / planned), against(found, planned, True)]
                    lines.append([f"{d}", f"{k}", f"{size} MB", f"{threads}", *sizes, *verdict])
                    print(*lines[-1], flush=True)
    print_table(
        "Peak memory of a worker",
        ["d", "k", "chunks", "threads", "measured", "planned", "share", "within"],
        lines,
    )


def row_counts(counts: Any) -> None:
    """Compare peaks for small and large data, in the same chunks of 1 MB."""
    lines, first = [], 0
    for n in counts:
        folder = Path(tempfile.mkdtemp(prefix="daskgmm-benchmark-"))
        try:
            write(folder / "rows.zarr", n, 4, 62_500)
            found, _ = peak(folder / "rows.zarr", 8, 2)
        finally:
            shutil.rmtree(folder)
        first = first or found
        ratio = found / first
        lines.append(
            [f"{n:,}", f"{found / 1e6:.0f} MB", times(ratio), "1.1x", against(ratio, 1.1, True)]
        )
    print_table(
        "Peak memory of a worker of two threads, d=4 k=8, chunks of 1 MB",
        ["rows", "measured", "x fewest", "target", "reached"],
        lines,
    )
