"""A worker with a lifetime in tasks, so that a slow machine does not shorten it.

It ends as `dask worker --lifetime` does.
"""

import asyncio

from distributed import Worker, WorkerPlugin


class Lifetime(WorkerPlugin):
    """Ends the worker in good order when it has done so many tasks."""

    def __init__(self, tasks):
        self.left = tasks

    def setup(self, worker):
        self.worker = worker

    def transition(self, key, start, finish, **others):
        if start == "executing" and finish == "memory":
            self.left -= 1
            if self.left == 0:
                self.end = asyncio.ensure_future(self.worker.close_gracefully(reason="lifetime"))


def work(address, tasks):
    """Be a worker of one thread until so many tasks are done."""
    asyncio.run(_work(address, tasks))


async def _work(address, tasks):
    options = {"nthreads": 1, "memory_limit": 0, "dashboard": False, "host": "127.0.0.1"}
    async with Worker(address, plugins=[Lifetime(tasks)], **options) as worker:
        await worker.finished()
