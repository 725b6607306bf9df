"""How many workers, of which memory: the table of deploy/slurm/README.md.

Memory is the plan's for a worker of one thread, for float32 rows in chunks of 16 MB. The time of
a pass is the CPU time of a row times the rows, over the workers: one thread fits a small store,
reading and decompressing included, and a busy machine does not change CPU time much. Nothing is
added for what a cluster costs (see `clusters`) nor for storage that is slower than that.
"""

import tempfile
import time
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import dask
import numpy as np
import zarr
from distributed import Client

from daskgmm import GaussianMixture, plan
from daskgmm.em.events import PassEnded
from tests.benchmarks.children import answer, ask, request
from tests.benchmarks.mixtures import Mixture
from tests.benchmarks.tables import print_table

CHUNK_BYTES = 16_000_000
STORE_BYTES = 64_000_000

PASS_SECONDS = 60
"""Longest pass: workers are doubled until it is shorter."""

MOST_WORKERS = 256
"""Beyond, one scheduler is what limits a pass."""

TASKS_A_WORKER = 4

MODELS = ((4, 10), (16, 16), (64, 32))
COUNTS = (10**8, 10**9, 10**10)


class Size(NamedTuple):
    """What a fit takes."""

    nbytes: int
    batches: int
    worker_nbytes: int


def main(smoke: bool = False) -> None:
    """Print the table."""
    lines, models = [], MODELS[:1] if smoke else MODELS
    with Client(
        processes=False, n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0"
    ):
        sizes = {(n, *model): planned(n, *model) for n in COUNTS for model in models}
    for d, k in models:
        store_bytes = STORE_BYTES // 1000 if smoke else STORE_BYTES
        (measured,) = ask("sizes", {"d": d, "k": k, "nbytes": store_bytes}, threads=1)
        for n in COUNTS:
            lines.append(line(n, d, k, sizes[n, d, k], measured["row_seconds"]))
    print_table(
        "Workers of one thread, float32 rows, full covariance",
        ["rows", "d", "k", "a pass reads", "workers", "memory of each", "a pass", "storage gives"],
        lines,
    )


def planned(n: int, d: int, k: int) -> Size:
    """Return what the plan says about a store of that shape, which is empty."""
    with tempfile.TemporaryDirectory(prefix="daskgmm-benchmark-") as folder:
        path = Path(folder) / "rows.zarr"
        zarr.create_array(path, shape=(n, d), chunks=(CHUNK_BYTES // (4 * d), d), dtype="f4")
        found = plan(str(path), k)
    assert found.pass_nbytes is not None
    return Size(found.pass_nbytes, found.batches, found.worker_nbytes)


def line(n: int, d: int, k: int, size: Size, row_seconds: float) -> list[str]:
    """Return a line of the table: the fewest workers that are fast enough."""
    workers, most = 1, min(MOST_WORKERS, size.batches // TASKS_A_WORKER)
    while n * row_seconds / workers > PASS_SECONDS and 2 * workers <= most:
        workers *= 2
    seconds = n * row_seconds / workers
    return [
        f"{n:.0e}".replace("e+", "e"),
        f"{d}",
        f"{k}",
        f"{size.nbytes / 1e9:,.3g} GB" if size.nbytes < 1e12 else f"{size.nbytes / 1e12:.3g} TB",
        f"{workers}",
        f"{size.worker_nbytes / 1e6:.0f} MB",
        f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min",
        f"{size.nbytes / seconds / 1e9:.2g} GB/s",
    ]


def child() -> None:
    """Measure the CPU time of a row in a pass on one thread."""
    asked = request()
    mixture = Mixture.random(asked["d"], asked["k"])
    rows = mixture.draw(asked["nbytes"] // (4 * asked["d"])).astype(np.float32)
    with tempfile.TemporaryDirectory(prefix="daskgmm-benchmark-") as folder:
        path = Path(folder) / "rows.zarr"
        chunk = min(len(rows), CHUNK_BYTES // (4 * asked["d"]))
        zarr.create_array(path, data=rows, chunks=(chunk, asked["d"]))
        answer({"row_seconds": _row_seconds(str(path), mixture, len(rows))})


def _row_seconds(path: str, mixture: Mixture, n: int) -> float:
    used: list[float] = []

    def note(event: Any) -> None:
        if isinstance(event, PassEnded):
            used.append(time.process_time())

    start = mixture.start("full").keywords()
    with dask.config.set(num_workers=1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = GaussianMixture(len(mixture.weights), max_iter=6, tol=0.0, **start)
        fit.fit(path, listen=note)
    # The survey comes first.
    return float(np.median(np.diff(used))) / n


if __name__ == "__main__":
    child()
