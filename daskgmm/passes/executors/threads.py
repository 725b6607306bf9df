"""Executor on threads of this process."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Event, Semaphore
from typing import Any, TypeVar, cast

import dask
import dask.threaded
from dask.system import CPU_COUNT

from daskgmm.passes.cache import CachedInProcess
from daskgmm.passes.place import Place, this_process
from daskgmm.passes.reduction import reduce_in_order
from daskgmm.passes.task import Merge, Outcome, Progress, Task, Work, merge_outcomes, run_task

Result = TypeVar("Result")

AHEAD = 4
"""Number of tasks a thread that are submitted before their turn: results that wait take memory."""

EARLY = 1
"""Number of tasks that read their first block while all threads work on others: a thread does not
wait for it at the border of batches."""


def thread_count() -> int:
    """Return Dask's setting `num_workers`, or else the number of CPUs of this process."""
    return int(dask.config.get("num_workers", None) or CPU_COUNT)


class Threads:
    """Runs tasks on threads; a single task runs on the calling one.

    Parameters
    ----------
    limit : int, optional
        Largest number of threads to use.
    """

    client = None

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit

    def stream(
        self, tasks: Sequence[Task[Any]], work: Work[Result], name: str
    ) -> Iterator[Outcome[Result]]:
        """Yield the outcomes in the order of the tasks; an error ends all at their next block."""
        workers = min(len(tasks), self._threads())
        early = EARLY if workers < len(tasks) and tasks[0].ahead else 0
        if workers + early <= 1:
            for task in tasks:
                yield run_task(task, work, _results(task))
            return
        turn, abandoned = Semaphore(workers), Event()
        with ThreadPoolExecutor(workers + early, thread_name_prefix=name) as pool:
            waiting: deque[Future[Outcome[Result]]] = deque()
            try:
                for task in tasks:
                    if len(waiting) == AHEAD * workers:
                        yield waiting.popleft().result()
                    waiting.append(
                        pool.submit(run_task, task, work, _results(task), turn, abandoned)
                    )
                while waiting:
                    yield waiting.popleft().result()
            except BaseException:
                abandoned.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def reduce(
        self,
        tasks: Sequence[Task[Any]],
        work: Work[Result],
        merge: Merge[Result],
        name: str,
        progress: Progress,
        large: bool = False,
    ) -> Outcome[Result]:
        """Return the merged outcome of all tasks."""
        outcomes = reported(self.stream(tasks, work, name), len(tasks), progress)
        return reduce_in_order(outcomes, partial(merge_outcomes, merge))

    def cache(self, tasks: Sequence[Task[Any]]) -> list[Task[Any]]:
        """Return tasks that keep their decoded rows in this process after the first read."""
        return [CachedInProcess.task(task) for task in tasks]

    def get(self, graph: dict[Any, Any], keys: list[Any]) -> Sequence[Any]:
        """Compute keys of a Dask graph on threads, or on the cluster of the futures in it."""
        for value in graph.values():
            if hasattr(value, "client"):
                return cast("Sequence[Any]", value.client.get(graph, keys))
        return cast("Sequence[Any]", dask.threaded.get(graph, keys, num_workers=self._threads()))

    def place(self) -> Place:
        """Return this process."""
        return this_process(self._threads(), EARLY)

    def _threads(self) -> int:
        return thread_count() if self._limit is None else min(self._limit, thread_count())

    def close(self) -> None:
        """Do nothing: threads end with their pass."""


def reported(results: Iterator[Result], total: int, progress: Progress) -> Iterator[Result]:
    """Yield the results and report their number."""
    for done, result in enumerate(results, start=1):
        progress(done, total)
        yield result


def _results(task: Task[Any]) -> list[object]:
    return [future.result() for future in task.dependencies]
