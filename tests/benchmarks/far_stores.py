"""Claim: a pass over a store that answers late takes hardly longer than the fastest fetch of it.

Each read takes 50 ms to begin, and all share a line of 1 GB/s. A loop that only fetches the
chunks, with the best of several numbers at once, is the measure; a fit of the same chunks is run
in turn with it, on one thread and on two, of chunks as they are and compressed.

Two cores decode and sum less than 1 GB/s of compressed rows, and a busy machine less of any. So
all is measured in slow motion too: latency and time a byte times 10, and the bytes under way the
same. What is left is what the engine itself keeps a line waiting.

Parquet files of one row group and of several are read with many requests at once, and with one.

The same of a real S3 server, which also takes its share of the cores, behind a proxy that holds
each answer back for 50 ms, with as many requests at once as now, and with one a task as before.
"""

import asyncio
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import dask
import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zarr
from fsspec.asyn import get_loop, sync

from daskgmm import GaussianMixture, open_parquet
from daskgmm.em.events import Iterated
from daskgmm.rows.ahead import AHEAD_BYTES, READ_AHEAD
from tests.benchmarks.delaying import delayed
from tests.benchmarks.tables import against, print_table, seconds, times
from tests.promises.distant import Distant
from tests.stores.conftest import BUCKET, s3fs_options
from tests.stores.server import find_program, s3_server

TARGET = 0.9

D, K = 16, 2

LATENCY, BYTES_PER_SECOND = 0.05, 1e9

PARQUET = ((1, 6), (6, 1))
"""Files, and row groups of each."""

AT_ONCE = (16, 64, 256)
"""Fetches under way in the loop; the fastest counts."""


def main(smoke: bool = False) -> None:
    """Print a table for each speed."""
    nbytes, sizes = (int(4e5), (1,)) if smoke else (int(6e8), (1, 8, 32))
    latency = LATENCY / 10 if smoke else LATENCY
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(
        prefix="daskgmm-benchmark-", dir=shared if shared.is_dir() else None
    ) as folder:
        paths = {
            (codec, size): _written(f"{folder}/{codec}-{size}.zarr", nbytes, size, codec)
            for codec in ("none", "zstd")
            for size in sizes
        }
        for slower in (1,) if smoke else (1, 10):
            Distant.latency = slower * latency
            Distant.bytes_per_second = BYTES_PER_SECOND / slower
            print_table(
                f"A pass over {nbytes / 1e6:.0f} MB, {Distant.latency * 1e3:.0f} ms latency, "
                f"{Distant.bytes_per_second / 1e6:.0f} MB/s, d={D} k={K} diagonal",
                ["codec", "chunk", "stored", "threads", "fetch", "pass", "CPU", "local pass",
                 "share of the line", "target", "reached"],
                [line for key, path in paths.items() for line in _lines(*key, path)],
            )  # fmt: skip
        Distant.latency, Distant.bytes_per_second = latency, BYTES_PER_SECOND
        _print_parquet(Path(folder), nbytes // 10)
        _print_s3(Path(folder), int(2e5) if smoke else int(2e8), sizes[:2])


def _print_parquet(folder: Path, nbytes: int) -> None:
    """Print a table for Parquet files of so many bytes in all, as far away."""
    lines = []
    for files, groups in PARQUET:
        path = folder / f"{files}-{groups}"
        if not path.exists():
            _write_parquet(path, nbytes, files, groups)
        for threads in (1, 2):
            found = []
            for ahead in (AHEAD_BYTES, 0):
                with dask.config.set({"num_workers": threads, READ_AHEAD: ahead}):
                    found.append(_pass(open_parquet(f"distant://{path}/*.parquet"))[0])
            with dask.config.set(num_workers=threads):
                near = _pass(f"{path}/*.parquet")[0]
            took = [seconds(each) for each in (near, *found)]
            lines.append([f"{files}", f"{groups}", f"{threads}", *took, times(found[1] / found[0])])
    print_table(
        f"A pass over {nbytes / 1e6:.0f} MB of Parquet, {Distant.latency * 1e3:.0f} ms latency, "
        f"{Distant.bytes_per_second / 1e6:.0f} MB/s, {D} columns",
        ["files", "row groups", "threads", "local pass", "pass", "one request a task", "x"],
        lines,
    )


def _write_parquet(folder: Path, nbytes: int, files: int, groups: int) -> None:
    """Write rows of `nbytes` in files of some row groups."""
    folder.mkdir()
    rows = nbytes // (8 * D * files)
    part = np.random.default_rng(0).normal(size=(rows, D)).round(3)
    table = pa.table({f"c{number}": column for number, column in enumerate(part.T)})
    for number in range(files):
        path = folder / f"{number:04}.parquet"
        pq.write_table(table, path, row_group_size=-(-rows // groups), use_dictionary=False)


def _print_s3(folder: Path, nbytes: int, sizes: Sequence[int]) -> None:
    """Print a table for the S3 server, if it is installed."""
    program = find_program()
    if program is None:
        return
    lines = []

    def is_up(endpoint: str) -> Any:
        system = fsspec.filesystem("s3", skip_instance_cache=True, **s3fs_options(endpoint))
        return system.exists(BUCKET) or system.mkdir(BUCKET)

    (folder / "server").mkdir()
    with s3_server(program, folder / "server", is_up) as near, delayed(near, LATENCY) as far:
        for size in sizes:
            path = _written(f"s3://{BUCKET}/{size}.zarr", nbytes, size, "none", s3fs_options(near))
            system = fsspec.filesystem("s3", skip_instance_cache=True, **s3fs_options(far))
            chunks = system.find(f"{path}/c")
            fetch = min(_fetch(system, chunks, at_once) for at_once in AT_ONCE[:2])
            array = zarr.open_array(path, mode="r", storage_options=s3fs_options(far))
            for threads in (1, 2):
                with dask.config.set(num_workers=threads):
                    now = _pass(array)[0]
                    with dask.config.set({READ_AHEAD: 0}):
                        before = _pass(array)[0]
                took = [seconds(each) for each in (fetch, now, before)]
                share = fetch / now
                lines.append(
                    [
                        f"{size} MB",
                        f"{threads}",
                        *took,
                        times(before / now),
                        f"{share:.0%}",
                        f"{TARGET:.0%}",
                        against(share, TARGET),
                    ]
                )
    print_table(
        f"A pass over {nbytes / 1e6:.0f} MB of an S3 server, {LATENCY * 1e3:.0f} ms latency, s3fs",
        ["chunk", "threads", "fetch", "pass", "one request a task", "x", "share of the line",
         "target", "reached"],
        lines,
    )  # fmt: skip


def _written(
    path: str, nbytes: int, size: int, codec: str, options: dict[str, Any] | None = None
) -> str:
    """Write rows of `nbytes` in chunks of `size` MB."""
    rows = size * 1_000_000 // (8 * D)
    n = nbytes // (8 * D)
    part = np.random.default_rng(0).normal(size=(rows, D)).round(3)
    array = zarr.create_array(
        path,
        shape=(n, D),
        chunks=(rows, D),
        dtype="f8",
        compressors=None if codec == "none" else "auto",
        storage_options=options,
    )
    for first in range(0, n, rows):
        array[first : first + rows] = part[: n - first]
    return path


def _lines(codec: str, size: int, path: str) -> list[list[str]]:
    chunks = [str(each) for each in Path(path, "c").rglob("*") if each.is_file()]
    stored = sum(Path(each).stat().st_size for each in chunks)
    system = fsspec.filesystem("distant", asynchronous=True, skip_instance_cache=True)
    lines = []
    for threads in (1, 2):
        with dask.config.set(num_workers=threads):
            near, _ = _pass(path)
            fetches, passes = [], []
            for _ in range(2):
                fetches += [_fetch(system, chunks, at_once) for at_once in AT_ONCE]
                passes.append(_pass(f"distant://{path}"))
        spent = min(wall for wall, _ in passes)
        share = min(fetches) / spent
        lines.append(
            [
                codec,
                f"{size} MB",
                f"{stored / 1e6:.0f} MB",
                f"{threads}",
                seconds(min(fetches)),
                seconds(spent),
                seconds(min(cpu for _, cpu in passes)),
                seconds(near),
                f"{share:.0%}",
                f"{TARGET:.0%}",
                against(share, TARGET),
            ]
        )
    return lines


def _fetch(system: Any, chunks: list[str], at_once: int) -> float:
    """Return the seconds in which a loop fetches all chunks, and drops them."""

    async def fetch_all() -> None:
        free = asyncio.Semaphore(at_once)

        async def fetch(chunk: str) -> None:
            async with free:
                await system._cat_file(chunk)

        await asyncio.gather(*map(fetch, chunks))

    began = time.perf_counter()
    sync(get_loop(), fetch_all)
    return time.perf_counter() - began


def _pass(X: Any) -> tuple[float, float]:
    """Return the seconds of a pass, and of this process's CPUs in it."""
    ended: list[tuple[float, float]] = []

    def listen(event: Any) -> None:
        if isinstance(event, Iterated):
            ended.append((event.seconds, time.process_time()))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        GaussianMixture(
            K,
            covariance_type="diag",
            max_iter=3,
            tol=0.0,
            weights_init=np.full(K, 1 / K),
            means_init=np.random.default_rng(0).normal(size=(K, D)),
            precisions_init=np.ones((K, D)),
        ).fit(X, listen=listen)
    cpu = np.diff([at for _, at in ended])
    return median(wall for wall, _ in ended), float(median(cpu))
