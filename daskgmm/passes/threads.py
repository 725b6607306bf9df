"""Tasks on threads of this process."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import dask
from dask.system import CPU_COUNT

from daskgmm.passes.task import Task, Work, run_task

Result = TypeVar("Result")

AHEAD = 4
"""Tasks a thread that are begun or done before their turn: results that wait take memory."""


def thread_count(default: int = CPU_COUNT) -> int:
    """Return how many threads to use: Dask's `num_workers` setting, else all CPUs allowed."""
    return int(dask.config.get("num_workers", None) or default)


class Threads:
    """Runs tasks on threads, in this one if there is a single task.

    Parameters
    ----------
    default : int
        How many, where Dask's `num_workers` setting does not say.
    """

    def __init__(self, default: int = CPU_COUNT) -> None:
        self._default = default

    def run(self, tasks: Sequence[Task[Result]], work: Work[Result]) -> Iterator[Result]:
        """Yield the results in order; on an error, leave out the tasks not yet begun."""
        workers = min(len(tasks), thread_count(self._default))
        if workers <= 1:
            for task in tasks:
                yield run_task(task, work, _results(task))
            return
        with ThreadPoolExecutor(workers, thread_name_prefix="daskgmm") as pool:
            waiting: deque[Future[Result]] = deque()
            try:
                for task in tasks:
                    if len(waiting) == AHEAD * workers:
                        yield waiting.popleft().result()
                    waiting.append(pool.submit(run_task, task, work, _results(task)))
                while waiting:
                    yield waiting.popleft().result()
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise


def _results(task: Task[Result]) -> list[object]:
    return [future.result() for future in task.dependencies]
