"""Claim: 1e8 rows and 18 components are predicted in one read, in memory that n does not change.

Labels and posteriors in uint8 are written by processes of their own, from Zarr stores of
float32 rows. Peak resident memory is VmHWM of /proc (Linux); reads are counted by chunk. Then
a process is killed when half of the batches are done, and another one goes on: what the first
one finished must stay as it is, and the outputs must be equal.
"""

import hashlib
import json
import signal
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import zarr

from tests.benchmarks.children import answer, command, environment, request
from tests.benchmarks.mixtures import Mixture
from tests.benchmarks.out_of_core import watch
from tests.benchmarks.prediction_kernels import by_each_backend
from tests.benchmarks.tables import against, print_table, seconds, times

D, K, THREADS = 4, 18, 2

CHUNK_ROWS = 1 << 17
"""2 MiB of rows."""

FULL_ROWS, SMOKE_ROWS = (1_000_000, 10_000_000, 100_000_000), (5_000,)

OUTPUTS = ("label", "posterior")

MEMORY_TARGET = 1.1


def main(smoke: bool = False) -> None:
    """Print tables for back ends, one for sizes, and one for the run that was killed."""
    by_each_backend(smoke)
    sizes = SMOKE_ROWS if smoke else FULL_ROWS
    with tempfile.TemporaryDirectory(prefix="daskgmm-benchmark-") as folder:
        lines, peaks = [], []
        for n in sizes:
            store = Path(folder) / f"{n}.zarr"
            _write(store, n)
            watched = watch(command("predictions", _asked(store, Path(folder) / f"{n}.out.zarr")))
            found = json.loads(watched.output)
            peaks.append(watched.peak_bytes)
            lines.append(
                [
                    f"{n:,}",
                    seconds(found["seconds"]),
                    f"{n / found['seconds']:.2e} /s",
                    f"{found['least']} to {found['most']}",
                    f"{watched.peak_bytes / 1e6:.0f} MB",
                ]
            )
        title = f"Labels and {K} posteriors in uint8, {D} float32 features, {THREADS} threads"
        print_table(title, ["rows", "time", "rows", "reads of a chunk", "peak memory"], lines)
        ratio = peaks[-1] / peaks[0]
        print(
            f"memory, largest against smallest: {times(ratio)}, target {times(MEMORY_TARGET)}: "
            f"{against(ratio, MEMORY_TARGET, at_most=True)}"
        )
        _killed(Path(folder), sizes[-1])


def _asked(store: Path, out: Path) -> dict[str, Any]:
    return {"store": str(store), "out": str(out)}


def _write(path: Path, n: int) -> None:
    mixture, rows = Mixture.random(D, K), min(CHUNK_ROWS, n // 4)
    array = zarr.create_array(path, shape=(n, D), chunks=(rows, D), dtype="float32")
    for first in range(0, n, rows):
        m = min(rows, n - first)
        array[first : first + m] = mixture.draw(m, seed=first)


def _killed(folder: Path, n: int) -> None:
    store, whole = folder / f"{n}.zarr", folder / f"{n}.out.zarr"
    out = folder / "killed.zarr"
    batches = _kill_half_way(store, out)
    [aside] = out.with_name(f"{out.name}.partial").iterdir()
    before = {path: path.stat().st_mtime_ns for path in _chunks(aside)}
    found = json.loads(watch(command("predictions", _asked(store, out))).output)
    untouched = sum(
        (out / path.relative_to(aside)).stat().st_mtime_ns == then for path, then in before.items()
    )
    equal = all(_digest(out / name) == _digest(whole / name) for name in OUTPUTS)
    print_table(
        f"Killed at {batches[0]} of {batches[1]} batches and run again, {n:,} rows",
        ["chunks written", "left as they were", "chunks read again", "time", "equal"],
        [
            [
                f"{len(before)}",
                f"{untouched}",
                f"{found['reads']}",
                seconds(found["seconds"]),
                "yes" if equal else "NO",
            ]
        ],
    )


def _kill_half_way(store: Path, out: Path) -> tuple[int, int]:
    """Run a process until half of the batches are done, and kill it; return how many were."""
    line = command("predictions", {**_asked(store, out), "tell": True})
    with subprocess.Popen(
        line, env=environment(THREADS), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for told in process.stdout:
            done = json.loads(told)
            if "done" in done and done["done"] >= done["total"] / 2:
                process.send_signal(signal.SIGKILL)
                break
        process.wait()
    return done["done"], done["total"]


def _chunks(group: Path) -> list[Path]:
    return [path for path in group.glob("*/c/**/*") if path.is_file()]


def _digest(array: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(path for path in array.rglob("*") if path.is_file()):
        found.update(path.read_bytes())
    return found.hexdigest()


def child() -> None:
    """Predict, in a process of its own."""
    from daskgmm import GaussianMixture
    from daskgmm.rows.stores import zarr_array

    asked, reads = request(), Counter[str]()
    read = zarr_array.read

    def counted(array: Any, part: Any) -> Any:
        reads[repr(part)] += 1
        return read(array, part)

    zarr_array.read = counted
    mixture = _fitted(GaussianMixture)
    tell = (lambda done, total: answer({"done": done, "total": total})) if "tell" in asked else None
    began = time.perf_counter()
    mixture.predict_to_zarr(asked["store"], asked["out"], OUTPUTS, dtype="uint8", progress=tell)
    elapsed = time.perf_counter() - began
    counts = reads.values()
    answer({"seconds": elapsed, "reads": sum(counts), "least": min(counts), "most": max(counts)})


def _fitted(estimator: Any) -> Any:
    """Return the mixture that the rows were drawn from, as if it had been fitted."""
    start = Mixture.random(D, K).start("full")
    mixture = estimator(K, **start.keywords(), max_iter=2, tol=1e9, acceleration=None)
    return mixture.fit(Mixture.random(D, K).draw(10_000))


if __name__ == "__main__":
    child()
