"""Many Dask workers in one process: python -m tests.benchmarks.sleepers ADDRESS N THREADS."""

import asyncio
import os
import sys

import dask
from distributed import Worker

QUIET = {
    "distributed.admin.system-monitor.interval": "1h",
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.terminate": False,
    "distributed.comm.timeouts.connect": "60s",
}
"""Hundreds of workers in one Python would do little but measure themselves."""


AT_ONCE = 50
"""Workers that start at once."""


async def serve(address: str, count: int, threads: int) -> None:
    """Run workers of so many threads until the scheduler goes."""
    workers = [
        Worker(
            address,
            nthreads=threads,
            memory_limit=0,
            dashboard=False,
            name=f"{os.getpid()}-{i}",
        )
        for i in range(count)
    ]
    for first in range(0, count, AT_ONCE):
        await asyncio.gather(*workers[first : first + AT_ONCE])
    await asyncio.gather(*(worker.finished() for worker in workers))


if __name__ == "__main__":
    with dask.config.set(QUIET):
        asyncio.run(serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
