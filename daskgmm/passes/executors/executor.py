"""Where tasks run: the protocol, and the choice."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeVar

import dask

from daskgmm.passes.executors.threads import Threads
from daskgmm.passes.persisted import asynchronous, check_persisted, check_there
from daskgmm.passes.place import Place
from daskgmm.passes.running import Running
from daskgmm.passes.task import Merge, Outcome, Progress, Task, Work
from daskgmm.rows.lazy.graph import persisted_in

Result = TypeVar("Result")


class Executor(Protocol):
    """Runs the tasks of passes over the same rows."""

    @property
    def client(self) -> Any:
        """The client of the cluster that runs them; None for this process."""

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
        """Return the merged outcome, in a fixed tree; `large` results travel little."""

    def hold(self, tasks: Sequence[Task[Any]]) -> list[Task[Any]]:
        """Return the same tasks, with decoded rows that stay in memory."""

    def get(self, graph: dict[Any, Any], keys: list[Any]) -> Sequence[Any]:
        """Compute keys of a Dask graph where tasks run."""

    def place(self) -> Place:
        """Return the processes that run tasks, as they are now."""

    def close(self) -> None:
        """Let go of what is kept between passes."""


def ambient_client() -> Any:
    """Return the Dask client that is current here, or None; never start one.

    Raises
    ------
    ClusterError
        If whoever waits for it would hold up the event loop that it runs in.
    """
    client = current_client()
    if client is not None and client.asynchronous:
        raise asynchronous()
    return client


def current_client() -> Any:
    """Return the Dask client that is current here, or None, even one that cannot be waited for."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return None
    try:
        distributed.get_worker()
    except ValueError:
        pass
    else:
        return None  # In a task itself: waiting for others on the same worker may take for ever.
    try:
        client = distributed.Client.current()
    except ValueError:
        return None
    # A client that never connected, or lost its scheduler, would wait for ever.
    return client if client.status == "running" else None


def choose_executor(in_process: bool, short_calls: bool = False) -> Executor:
    """Return the ambient cluster, if there is one and the rows can go there, else threads.

    Parameters
    ----------
    in_process : bool
        Whether the rows live in this process: sending them over at every pass would cost
        more than it gains.
    short_calls : bool
        Whether the arithmetic on rows in memory is in calls so short that threads would
        spend their time handing over Python's lock: then one is used.
    """
    client = None if in_process else ambient_client()
    if client is None:
        return Threads(most=1) if in_process and short_calls else Threads()
    # Only who has a client pays for the import.
    from daskgmm.passes.executors.cluster import Cluster

    return Cluster(client, Running.configured())


def check_lazy(x: Any) -> None:
    """Refuse what a lazy array or frame could not be computed of, or the current workers not do.

    Raises
    ------
    SourceError
        If X was persisted on a cluster that is gone, or on another than the current one.
    ClusterError
        If workers lack daskgmm: they would end with all that runs there.
    """
    persisted = list(persisted_in(x))
    check_there("X", persisted)
    client = current_client()
    elsewhere = dask.config.get("scheduler", None) not in (None, "dask.distributed", "distributed")
    if client is None or client.asynchronous or elsewhere:
        return
    check_persisted("X", persisted, client)
    from daskgmm.passes.executors.asking import check_workers

    check_workers(client)
