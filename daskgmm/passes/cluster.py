"""Tasks on the workers of a Dask cluster that the user started."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar
from uuid import uuid4

from daskgmm.passes.task import Task, Work, run_task

Result = TypeVar("Result")


class Cluster:
    """Runs tasks through `distributed` futures.

    Parameters
    ----------
    client : distributed.Client
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def run(self, tasks: Sequence[Task[Result]], work: Work[Result]) -> Iterator[Result]:
        """Yield the results in order; on an error, cancel what has not run.

        `work` holds the parameters. It goes over once, as a future that the scheduler can
        compute again if the worker that holds it is lost; keys are new in every pass, as a
        key used again silently returns the old result.
        """
        run = uuid4().hex
        shared = self._client.submit(_identity, work, key=f"daskgmm-parameters-{run}")
        futures = [
            self._client.submit(
                _run, task, shared, *task.dependencies, key=(f"daskgmm-pass-{run}", index)
            )
            for index, task in enumerate(tasks)
        ]
        try:
            futures.reverse()
            while futures:
                yield futures.pop().result()
        finally:
            self._client.cancel([shared, *futures])


def _identity(work: Any) -> Any:
    return work


def _run(task: Task[Result], work: Work[Result], *dependencies: Any) -> Result:
    return run_task(task, work, dependencies)
