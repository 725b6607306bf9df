"""The protocol of executors, and the choice of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeVar

import dask

from daskgmm.loaded import loaded
from daskgmm.passes.configuration import Configuration
from daskgmm.passes.executors.threads import Threads
from daskgmm.passes.persisted import asynchronous, check_persisted, check_there
from daskgmm.passes.place import Place
from daskgmm.passes.task import Merge, Outcome, Progress, Task, Work
from daskgmm.rows.lazy.graph import persisted_in

Result = TypeVar("Result")


class Executor(Protocol):
    """Runs the tasks of passes over the same rows."""

    @property
    def client(self) -> Any:
        """The client of the cluster that runs the tasks; None for this process."""

    def stream(
        self, tasks: Sequence[Task[Any]], work: Work[Result], name: str
    ) -> Iterator[Outcome[Result]]:
        """Yield the outcomes in the order of the tasks; raise the first error of any."""

    def reduce(
        self,
        tasks: Sequence[Task[Any]],
        work: Work[Result],
        merge: Merge[Result],
        name: str,
        progress: Progress,
        large: bool = False,
    ) -> Outcome[Result]:
        """Return the outcome merged in a fixed tree; `large` results are merged on workers."""

    def cache(self, tasks: Sequence[Task[Any]]) -> list[Task[Any]]:
        """Return the tasks with decoded rows that stay in memory."""

    def get(self, graph: dict[Any, Any], keys: list[Any]) -> Sequence[Any]:
        """Compute keys of a Dask graph in the processes that run tasks."""

    def place(self) -> Place:
        """Return the processes that run tasks now."""

    def close(self) -> None:
        """Release tasks and rows that are kept between passes."""


def ambient_client() -> Any:
    """Return the current Dask client, or None; raise `ClusterError` if it is asynchronous."""
    client = current_client()
    if client is not None and client.asynchronous:
        raise asynchronous()
    return client


def current_client() -> Any:
    """Return the current Dask client, or None; it may be asynchronous."""
    distributed = loaded("distributed")
    if distributed is None:
        return None
    try:
        distributed.get_worker()
    except ValueError:
        pass
    else:
        return None  # In a task: to wait for tasks of the same worker may take for ever.
    try:
        client = distributed.Client.current()
    except ValueError:
        return None
    # A client that never connected, or lost its scheduler, would wait for ever.
    return client if client.status == "running" else None


def choose_executor(in_process: bool, short_calls: bool = False) -> Executor:
    """Return the cluster of the current client, or threads; rows in this process stay here.

    `short_calls` says that threads would mostly wait for Python's lock: rows in memory use one.
    """
    client = None if in_process else ambient_client()
    if client is None:
        return Threads(limit=1) if in_process and short_calls else Threads()
    # The import of distributed takes time, which only calls with a client pay for.
    from daskgmm.passes.executors.cluster import Cluster

    return Cluster(client, Configuration.current())


def check_lazy(x: Any) -> None:
    """Refuse a lazy array or frame that cannot be computed on the current workers.

    Its persisted parts are lost or on another cluster, or workers lack daskgmm, and would end.
    """
    persisted = list(persisted_in(x))
    check_there("X", persisted)
    client = current_client()
    elsewhere = dask.config.get("scheduler", None) not in (None, "dask.distributed", "distributed")
    if client is None or client.asynchronous or elsewhere:
        return
    check_persisted("X", persisted, client)
    from daskgmm.passes.executors.worker_check import check_workers

    check_workers(client)
