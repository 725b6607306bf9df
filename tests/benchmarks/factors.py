"""Claim: a pass of factor analysers takes at most 1.5 times its 4 n k d q operations.

Rows are float32 in chunks of a Zarr store, read anew in each pass. All times are CPU seconds of
the whole process, and so is the rate, that of a square product (as in `products`): others on the
machine then count little. Fits begin at the parameters that rows are drawn from; `MANY` passes less
`FEW` are passes alone, with all that they read, decode and merge, and the M-steps. Of several runs
the fastest counts. Memory is that of a child process, less what it has before the fit, beside what
the plan says of a process.

Rows are those of components that are apart, so that nearly each row belongs to one, and of some
that overlap, so that each row belongs to all: then all 4 n k d q operations are made, and 8 n k d
more for squares and what is linear, so that 1.2 is the least at q=10.

BENCHMARK_ROWS=1000000 takes so many rows, and one run of each fit from 250,000 on.
"""

import os
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import zarr
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from daskgmm import GaussianMixture, plan
from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.low_rank.precision import joined
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.passes.memory import peak_memory
from tests.benchmarks.children import answer, ask, request
from tests.benchmarks.products import SQUARE
from tests.benchmarks.tables import print_table, seconds, times

FEW, MANY = 1, 4
"""Iterations of the two fits whose difference is the time of passes."""

ALLOWED = 1.5

CHUNK_ROWS = 2_000

RUNS, RUN_ROWS = 5, 250_000
"""Runs of a fit, and rows that all runs take together, at most, but for the first."""

SCALES = {"apart": (2.0, 1.0), "overlapping": (0.02, 0.01)}
"""Scales of means and of loadings, in units of the noise."""

HEADERS = (
    "rows", "n d k q", "threads", "CPU of a pass", "wall", "GFLOP a CPU second",
    "4nkdq at that rate", "ratio", "allowed", "reached", "peak", "planned", "k d^2",
)  # fmt: skip


def main(smoke: bool = False) -> None:
    """Print one table: a line for each kind of rows and number of threads."""
    rows = int(os.environ.get("BENCHMARK_ROWS", 50_000))
    shape = (300, 20, 3, 2) if smoke else (rows, 1000, 20, 10)
    runs = 1 if smoke else max(1, min(RUNS, RUN_ROWS // rows))
    lines = []
    for kind in SCALES:
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "x.zarr")
            _write(path, kind, *shape)
            asked = {"path": path, "kind": kind, "shape": shape, "runs": runs}
            for threads in (os.cpu_count() or 1,) if smoke else (1, os.cpu_count() or 1):
                (found,) = ask("factors", asked, threads)
                lines.append([kind, *_line(shape, threads, found)])
    print_table("A pass of factor analysers, and its memory", HEADERS, lines)


def _write(path: str, kind: str, n: int, d: int, k: int, q: int) -> None:
    """Write rows of k factor analysers, chunk by chunk."""
    random, means, loadings = _drawn_from(kind, d, k, q)
    store = zarr.create_array(path, shape=(n, d), chunks=(CHUNK_ROWS, d), dtype="float32",
                              compressors=None)  # fmt: skip
    for first in range(0, n, CHUNK_ROWS):
        labels = np.sort(random.integers(k, size=min(CHUNK_ROWS, n - first)))
        x = means[labels] + random.normal(size=(len(labels), d))
        for number in range(k):
            own = labels == number
            x[own] += random.normal(size=(int(own.sum()), q)) @ loadings[number]
        store[first : first + len(x)] = random.permutation(x).astype(np.float32)


def _line(shape: tuple[int, ...], threads: int, found: dict[str, Any]) -> list[str]:
    n, d, k, q = shape
    ideal = 4 * n * k * d * q / found["rate"]
    ratio = found["pass"] / ideal
    reached = "yes" if ratio <= ALLOWED else "no"
    return [
        f"{n:g} {d} {k} {q}",
        str(threads),
        seconds(found["pass"]),
        seconds(found["wall"]),
        f"{found['rate'] / 1e9:.0f}",
        seconds(ideal),
        times(ratio),
        f"{ALLOWED}x",
        reached,
        f"{found['peak'] / 1e6:.0f} MB",
        f"{found['planned'] / 1e6:.0f} MB",
        f"{8 * k * d * d / 1e6:.0f} MB",
    ]


def _start(kind: str, d: int, k: int, q: int) -> dict[str, Any]:
    """Return the parameters that rows are drawn from: no component collapses from there."""
    _, means, loadings = _drawn_from(kind, d, k, q)
    precision = STRUCTURES[f"factor-{q}"].precision
    factors = precision.factorise(joined(loadings, np.ones((k, d))))
    weights = np.full(k, 1 / k)
    start = {"weights_init": weights, "means_init": means}
    return {**start, "precisions_init": precision.precisions(factors)}


def _drawn_from(kind: str, d: int, k: int, q: int) -> tuple[np.random.Generator, Array, Array]:
    """Return means (k, d) and loadings (k, q, d), and the generator after them."""
    random = np.random.default_rng(0)
    apart, long = SCALES[kind]
    return random, apart * random.normal(size=(k, d)), long * random.normal(size=(k, q, d))


class Spent(NamedTuple):
    """CPU seconds and seconds of a clock."""

    cpu: float
    wall: float


def _fitted(path: str, k: int, **settings: Any) -> Spent:
    """Return the time of a fit."""
    began = Spent(time.process_time(), time.perf_counter())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        GaussianMixture(k, **settings).fit(path)
    return Spent(time.process_time() - began.cpu, time.perf_counter() - began.wall)


def _rate() -> float:
    """Return the operations of a square product in a CPU second of one thread, the best of some."""
    one, other = np.random.default_rng(0).standard_normal((2, SQUARE, SQUARE))
    found = []
    with threadpool_limits(1, user_api="blas"):
        for _ in range(8):
            began = time.process_time()
            one @ other
            found.append(2 * SQUARE**3 / (time.process_time() - began))
    return max(found)


if __name__ == "__main__":
    asked = request()
    _, d, k, q = asked["shape"]
    store = zarr.open_array(asked["path"], mode="r")
    settings = {"covariance_type": "factor", "n_factors": q, "tol": 0.0}
    settings |= _start(asked["kind"], d, k, q)
    before, rate = peak_memory(), _rate()
    best = {}
    for count in (FEW, MANY):
        fits = [_fitted(asked["path"], k, max_iter=count, **settings) for _ in range(asked["runs"])]
        best[count] = Spent(*map(min, zip(*fits, strict=True)))
    passes = MANY - FEW
    answer(
        {
            "pass": (best[MANY].cpu - best[FEW].cpu) / passes,
            "wall": (best[MANY].wall - best[FEW].wall) / passes,
            "rate": max(rate, _rate()),
            "peak": peak_memory() - before,
            "planned": plan(store, k, **settings).worker_nbytes,
        }
    )
