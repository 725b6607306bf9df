"""Preloaded by a worker: a lifetime in tasks, so that a slow machine does not shorten it.

It ends as `dask worker --lifetime` does.
"""

import asyncio
import os

from distributed import WorkerPlugin


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


async def dask_setup(worker):
    await worker.plugin_add(Lifetime(int(os.environ["LIFETIME_IN_TASKS"])))
