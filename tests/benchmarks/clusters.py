"""Claims: a cluster costs little on top of the arithmetic, and the same for any number of chunks.

Overhead   10,000 chunks of 1,000 rows (d=8, k=8): an iteration on two workers of one thread
           against one on threads, of the same rows; and how that depends on the source.
Chunks     1,000 and 100,000 chunks of 1,000 rows, made where they are needed: time a row.
Memory     what the scheduler knows, and this process, which it lives in, over 200 iterations.
Workers    two workers of one thread against one, d=16 k=16.
Simulated  16, 64 and 256 workers whose tasks sleep, 4 tasks a thread. The scheduler is in this
           process, the workers share two others: what a pass takes beyond the sleep is an
           upper bound; what it costs the scheduler and the driver is what limits a cluster.
"""

import gc
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import dask.array as da
import numpy as np
import zarr
from distributed import Client, LocalCluster, wait

from daskgmm import GaussianMixture
from daskgmm.companions import ALONE
from daskgmm.em.events import Iterated, silence
from daskgmm.em.expectation import expect
from daskgmm.em.survey.first_pass import survey_rows
from daskgmm.em.survey.survey import TrainingSet
from daskgmm.gaussian.kernels.choice import choose_kernel
from daskgmm.gaussian.parameters import Parameters
from daskgmm.passes.batches import Batch
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.executors.executor import choose_executor
from daskgmm.rows.rows import Rows
from tests.benchmarks.tables import against, print_table, seconds, times

CHUNK_ROWS = 1000


def main(smoke: bool = False) -> None:
    """Print a table for each claim."""
    overhead(4 if smoke else 10_000)
    chunk_counts((4, 8) if smoke else (1_000, 100_000))
    scheduler_memory(6 if smoke else 200)
    worker_counts(2_000 if smoke else 16_000_000)
    simulated((4,) if smoke else (16, 64, 256), 0.05 if smoke else 1.0)


@contextmanager
def local(workers: int) -> Iterator[Client]:
    """Start workers of one thread each, in processes of their own."""
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            silence_logs=50,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def iterations(X: Any, k: int, d: int, count: int = 5, **options: Any) -> list[float]:
    """Return the seconds of each iteration of a fit from given parameters."""
    spent: list[float] = []
    random = np.random.default_rng(0)
    mixture = GaussianMixture(
        k,
        max_iter=count,
        tol=0.0,
        weights_init=np.full(k, 1 / k),
        means_init=random.normal(size=(k, d)),
        precisions_init=np.tile(np.eye(d), (k, 1, 1)),
    )

    def listen(event: Any) -> None:
        if isinstance(event, Iterated):
            spent.append(event.seconds)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mixture.fit(X, listen=listen, **options)
    return spent


def overhead(chunks: int) -> None:
    """An iteration on two workers against one on threads."""
    rows = np.random.default_rng(0).normal(size=(chunks * CHUNK_ROWS, 8))
    in_memory = da.from_array(rows, chunks=(CHUNK_ROWS, 8), name=False)
    with tempfile.TemporaryDirectory(prefix="daskgmm-benchmark-") as folder:
        path = str(Path(folder) / "rows.zarr")
        stored = zarr.create_array(
            path, shape=rows.shape, chunks=(CHUNK_ROWS, 8), dtype="f8", compressors=None
        )
        for first in range(0, len(rows), 1_000_000):
            stored[first : first + 1_000_000] = rows[first : first + 1_000_000]
        found = {
            "NumPy array, threads": median(iterations(rows, 8, 8)),
            "Dask array in memory, threads": median(iterations(in_memory, 8, 8)),
            "Zarr store, threads": median(iterations(path, 8, 8)),
        }
        with local(2):
            persisted = da.from_zarr(path).persist()
            wait(persisted)
            found["Dask array persisted, cluster"] = median(iterations(persisted, 8, 8))
            cached = iterations(persisted, 8, 8, cache="2GiB")
            found["Dask array persisted, cluster, cache"] = median(cached)
            del persisted
            found["Zarr store, cluster"] = median(iterations(path, 8, 8))
            found["Zarr store, cluster, cache"] = median(iterations(path, 8, 8, cache="2GiB"))
    base = found["Dask array in memory, threads"]
    print_table(
        f"{chunks:,} chunks of {CHUNK_ROWS:,} rows, d=8 k=8, two workers or two threads",
        ["source and place", "iteration", "x in memory", "target", "reached"],
        [
            [name, seconds(value), times(value / base)]
            + (["2x", against(value / base, 2.0, True)] if "cluster" in name else ["-", "-"])
            for name, value in found.items()
        ],
    )


BASE = np.random.default_rng(0).normal(size=(CHUNK_ROWS, 8))


def _block(block_id: Any = None) -> Any:
    return BASE


def chunk_counts(counts: Sequence[int]) -> None:
    """Time a row with few and with many chunks of the same size."""
    found, submitted = [], []
    with local(2):
        for count in counts:
            X = da.map_blocks(
                _block, chunks=((CHUNK_ROWS,) * count, (8,)), dtype=float, meta=BASE[:0]
            )
            began = time.perf_counter()
            spent = iterations(X, 8, 8, 5)
            submitted.append(time.perf_counter() - began - sum(spent))
            found.append(median(spent) / (count * CHUNK_ROWS) * 1e9)
    print_table(
        "Chunks of 1,000 rows on two workers, d=8 k=8",
        ["chunks", "ns a row", "x fewest", "target", "reached", "graph and survey, once"],
        [
            [
                f"{count:,}",
                f"{value:.0f}",
                times(value / found[0]),
                *(["1.5x", against(value / found[0], 1.5, True)] if count > counts[0] else "--"),
                seconds(once),
            ]
            for count, value, once in zip(counts, found, submitted, strict=True)
        ],
    )


def _resident() -> int:
    gc.collect()
    with open("/proc/self/status") as lines:  # noqa: PTH123
        return next(1024 * int(line.split()[1]) for line in lines if line[:6] == "VmRSS:")


def scheduler_memory(count: int) -> None:
    """What the scheduler keeps, after so many iterations and in between."""
    X = da.map_blocks(_block, chunks=((CHUNK_ROWS,) * 64, (8,)), dtype=float, meta=BASE[:0])
    rows = []
    with local(2) as client:
        scheduler = client.cluster.scheduler
        begun = 0

        def note() -> None:
            known = scheduler.tasks, scheduler.task_groups, scheduler.task_prefixes
            rows.append(
                [f"{begun}", *(f"{len(each)}" for each in known), f"{_resident() / 1e6:.0f} MB"]
            )

        for part in (count // 10, count // 2 - count // 10, count - count // 2):
            iterations(X, 8, 8, part)
            begun += part
            time.sleep(0.5)
            note()
    print_table(
        "Left on the scheduler, which lives in this process",
        ["iterations", "tasks", "groups", "names", "resident memory"],
        rows,
    )


def worker_counts(n: int) -> None:
    """Rows a second on two workers against one."""
    with tempfile.TemporaryDirectory(prefix="daskgmm-benchmark-") as folder:
        path = str(Path(folder) / "rows.zarr")
        X = np.random.default_rng(0).normal(size=(n, 16)).astype(np.float32)
        zarr.create_array(path, data=X, chunks=(1 << 16, 16), compressors=None)
        found = dict.fromkeys((1, 2), 0.0)
        for _ in range(2):
            for workers in found:
                with local(workers):
                    speed = n / min(iterations(path, 16, 16, 4))
                found[workers] = max(found[workers], speed)
    ratio = found[2] / found[1]
    print_table(
        "Workers of one thread each, float32 rows in Zarr, d=16 k=16",
        ["workers", "rows per second", "x one", "target", "reached"],
        [
            ["1", f"{found[1]:.2e}", "1.00x", "-", "-"],
            ["2", f"{found[2]:.2e}", times(ratio), "1.7x", against(ratio, 1.7)],
        ],
    )


class Sleeping(Rows):
    """Rows that take a while to come, and are few."""

    def __init__(self, chunks: int, pause: float) -> None:
        self.lengths = np.full(chunks, 2, np.int64)
        self.dtype, self.n_features = np.dtype(np.float64), 8
        self.pause = pause

    def segment(self, first: int, stop: int) -> Any:
        return SleepingSegment(self.pause)


class SleepingSegment:
    """Sleeps, and has two rows."""

    dependencies = ()

    def __init__(self, pause: float) -> None:
        self.pause = pause

    def stream(self, dependencies: Any = (), retries: int = 0) -> Iterator[Any]:
        time.sleep(self.pause)
        yield BASE[:2]


def simulated(counts: Sequence[int], pause: float) -> None:
    """What a pass costs the driver and the scheduler, with workers that only sleep."""
    rows = []
    for workers in counts:
        with asleep(workers):
            wall, cpu = _sleeping_passes(4 * workers, pause)
        beyond, tasks = wall - 4 * pause, 4 * workers
        took = [seconds(value) for value in (wall, beyond, cpu, cpu / tasks)]
        rows.append([f"{workers}", f"{tasks}", *took, f"{cpu / (4 * pause):.0%}"])
    print_table(
        f"Simulated workers of one thread, 4 tasks of {pause} s each",
        ["workers", "tasks", "pass", "beyond the tasks", "scheduler and driver, CPU", "a task",
         "of the pass"],
        rows,
    )  # fmt: skip


@contextmanager
def asleep(workers: int, threads: int = 1) -> Iterator[None]:
    """Start a scheduler here, and workers of so many threads in two other processes."""
    with (
        LocalCluster(
            n_workers=0, processes=False, host="127.0.0.1", protocol="tcp://",
            dashboard_address="127.0.0.1:0", silence_logs=50,
        ) as cluster,
        Client(cluster) as client,
    ):  # fmt: skip
        command = [sys.executable, "-m", "tests.benchmarks.sleepers", cluster.scheduler_address]
        processes = [
            subprocess.Popen([*command, str(workers // 2), str(threads)]) for _ in range(2)
        ]
        try:
            client.wait_for_workers(workers, timeout=600)
            yield
        finally:
            for process in processes:
                process.terminate()
                process.wait()


def _sleeping_passes(tasks: int, pause: float) -> tuple[float, float]:
    """Return the seconds of a pass, and of this process's CPUs in it; medians of three."""
    source = Sleeping(tasks, pause)
    batches = tuple(Batch(i, i, i + 1, 2 * i, 2) for i in range(tasks))
    data = Dataset(source, ALONE, batches, choose_executor(False))
    survey = survey_rows(data, None, silence)
    eye = np.tile(np.eye(8), (8, 1, 1))
    means = np.random.default_rng(0).normal(size=(8, 8))
    parameters = Parameters("full", np.full(8, 1 / 8), means, eye, eye)
    kernel = choose_kernel(parameters, survey.mean, survey.half_range)
    wall, cpu = [], []
    for number in range(1, 4):
        began, used = time.perf_counter(), time.process_time()
        expect(TrainingSet(data, survey, silence), [kernel], number)
        wall.append(time.perf_counter() - began)
        cpu.append(time.process_time() - used)
    return median(wall), median(cpu)
