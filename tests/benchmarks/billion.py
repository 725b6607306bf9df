"""Claim: a fit on two threads takes minutes for 1e9 rows of 4 features, and memory below 1 GB.

Rows of 8 overlapping components are drawn into an uncompressed Zarr store of float32, which the
command line then fits on two threads. Time is that of the command, Python's start included; passes
and peak memory, also of the whole process, are those that it logs. It takes 1e7 rows, 160 MB of
disk in $TMPDIR, unless more are asked for: 1e9 take 16 GB.

BENCHMARK_ROWS=1000000000 takes so many rows.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import zarr

from tests.benchmarks.children import environment
from tests.benchmarks.mixtures import Mixture
from tests.benchmarks.tables import against, print_table, seconds

D, K, THREADS = 4, 8, 2

CHUNK_ROWS = 1_000_000

MOST_MEMORY = 1e9

HEADERS = (
    "rows", "on disk", "time", "passes", "time of a pass", "peak memory", "target", "reached"
)  # fmt: skip


class Fit(NamedTuple):
    """Seconds, passes over all rows, and bytes at the peak."""

    seconds: float
    passes: int
    peak: int


def main(smoke: bool = False) -> None:
    """Print one line: what a fit of so many rows took."""
    rows = 2_000 if smoke else int(float(os.environ.get("BENCHMARK_ROWS", 1e7)))
    with tempfile.TemporaryDirectory(prefix="daskgmm-benchmark-") as folder:
        _write(Path(folder), rows)
        fit = _fitted(Path(folder))
    line = [
        f"{rows:,}",
        f"{rows * D * 4 / 1e9:.2f} GB",
        seconds(fit.seconds),
        f"{fit.passes}",
        seconds(fit.seconds / fit.passes),
        f"{fit.peak / 1e6:.0f} MB",
        f"{MOST_MEMORY / 1e6:.0f} MB",
        against(fit.peak, MOST_MEMORY, at_most=True),
    ]
    print_table(f"daskgmm fit, d={D} k={K}, {THREADS} threads", HEADERS, [line])


def _write(folder: Path, n: int) -> None:
    """Write n rows chunk by chunk, each from a seed of its own."""
    mixture = Mixture.random(D, K)
    store = zarr.create_array(
        folder / "rows.zarr",
        shape=(n, D),
        chunks=(min(CHUNK_ROWS, n), D),
        dtype="float32",
        compressors=None,
    )
    for number, first in enumerate(range(0, n, CHUNK_ROWS)):
        count = min(CHUNK_ROWS, n - first)
        store[first : first + count] = mixture.draw(count, seed=1 + number)


def _fitted(folder: Path) -> Fit:
    """Fit the store by the command line, to convergence."""
    command = [sys.executable, "-m", "daskgmm", "fit", "rows.zarr", "-q", "--out", "model.json"]
    command += ["--components", str(K), "--threads", str(THREADS), "--log-json", "log.jsonl"]
    paths = os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])
    variables = environment(THREADS) | {"PYTHONPATH": paths}
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, env=variables, check=True)
    taken = time.perf_counter() - began
    events = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    peak = max(event.get("peak_memory", 0) for event in events)
    return Fit(taken, events[-1]["passes"], peak)
