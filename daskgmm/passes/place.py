"""Where passes run, as far as their memory is concerned."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

GROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """The processes that passes run in.

    Attributes
    ----------
    name : str
        In words.
    workers : int
        Processes; 0 for a cluster that has none yet.
    threads : int
        Of the worker that has most.
    memory_limit : int or None
        Bytes that a worker may take, of the one that may take least; None if nobody says.
    here : bool
        Whether it is this process.
    tasks : int
        That are alive at once in a worker: one a thread, and those that read early.
    """

    name: str
    workers: int
    threads: int
    memory_limit: int | None
    here: bool
    tasks: int


def this_process(threads: int, early: int) -> Place:
    """Return this process, with all memory of the machine."""
    name = f"{threads} thread{'s' if threads != 1 else ''} of this process"
    limits = [limit for limit in (_physical_memory(), *_group_limits()) if limit is not None]
    return Place(name, 1, threads, min(limits, default=None), True, threads + early)


def _physical_memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _group_limits() -> Iterator[int]:
    """Yield what the control group of a container or a job allows, where there is one."""
    for path in GROUP_LIMITS:
        try:
            yield int(path.read_text())
        except (OSError, ValueError):  # no such group, or no limit: "max"
            continue
