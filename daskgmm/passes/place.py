"""Processes that run passes: their number, threads and memory limits."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from daskgmm.counting import counted

GROUPS = Path("/sys/fs/cgroup")
MEMBERSHIPS = Path("/proc/self/cgroup")


@dataclass(frozen=True, slots=True)
class Place:
    """The processes that run passes.

    Attributes
    ----------
    name : str
        Description in words.
    workers : int
        Number of processes; 0 for a cluster that has no worker yet.
    threads : int
        Number of threads of a worker, the largest of all workers.
    memory_limit : int or None
        Memory limit of a worker in bytes, the smallest of all workers; None if unknown.
    usable_memory : int or None
        Bytes of the limit that a worker may use before Dask pauses it.
    here : bool
        Whether it is this process.
    tasks : int
        Number of tasks at once in a worker: one a thread, and those that read early.
    """

    name: str
    workers: int
    threads: int
    memory_limit: int | None
    usable_memory: int | None
    here: bool
    tasks: int


def this_process(threads: int, early: int) -> Place:
    """Return this process; its limit is the machine's memory or that of a control group."""
    name = f"{counted(threads, 'thread')} of this process"
    limits = [limit for limit in (_physical_memory(), *_group_limits()) if limit is not None]
    limit = min(limits, default=None)
    return Place(name, 1, threads, limit, limit, True, threads + early)


def _physical_memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _group_limits() -> Iterator[int]:
    """Yield the limits of this process's control groups and of those above them, in bytes."""
    for path in _group_files():
        try:
            yield int(path.read_text())
        except (OSError, ValueError):  # no such group, or no limit: "max"
            continue


def _group_files() -> Iterator[Path]:
    for controllers, group in _memberships():
        if controllers == "":
            root, name = GROUPS, "memory.max"
        elif "memory" in controllers.split(","):
            root, name = GROUPS / "memory", "memory.limit_in_bytes"
        else:
            continue
        # A container may see its own group as the root, while the path is that outside.
        for folder in (Path(group), *Path(group).parents):
            yield root / folder.relative_to("/") / name


def _memberships() -> list[tuple[str, str]]:
    """Return the controllers and the path of each control group of this process."""
    try:
        lines = MEMBERSHIPS.read_text().splitlines()
        fields = (line.split(":", 2) for line in lines)
        return [(controllers, path) for _, controllers, path in fields]
    except (OSError, ValueError):
        return []
