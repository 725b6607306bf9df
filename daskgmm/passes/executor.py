"""Where tasks run: the protocol, and the choice."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeVar

from daskgmm.passes.cluster import Cluster
from daskgmm.passes.task import Task, Work
from daskgmm.passes.threads import Threads

Result = TypeVar("Result")


class Executor(Protocol):
    """Runs the tasks of a pass."""

    def run(self, tasks: Sequence[Task[Result]], work: Work[Result]) -> Iterator[Result]:
        """Yield the results in the order of the tasks; raise the first error of any."""


def ambient_client() -> Any:
    """Return the Dask client that is current here, or None; never start one."""
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
        spend their time handing over Python's lock: then one is used, unless Dask's
        `num_workers` says otherwise.
    """
    client = None if in_process else ambient_client()
    if client is None:
        return Threads(1) if in_process and short_calls else Threads()
    return Cluster(client)
