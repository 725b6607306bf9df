"""Many Dask workers of one thread in one process: python -m tests.benchmarks.sleepers ADDRESS N."""

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


async def serve(address: str, count: int) -> None:
    """Run the workers until the scheduler goes."""
    workers = [
        Worker(address, nthreads=1, memory_limit=0, dashboard=False, name=f"{os.getpid()}-{i}")
        for i in range(count)
    ]
    for worker in workers:
        await worker
    await asyncio.gather(*(worker.finished() for worker in workers))


if __name__ == "__main__":
    with dask.config.set(QUIET):
        asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
