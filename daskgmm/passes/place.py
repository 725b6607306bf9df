"""Where passes run, as far as their memory is concerned."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
MEMBERSHIPS = Path("/proc/self/cgroup")


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
        Bytes of the worker that has least; None if nobody says.
    usable_memory : int or None
        Bytes of it that a worker may take and go on.
    here : bool
        Whether it is this process.
    tasks : int
        That are alive at once in a worker: one a thread, and those that read early.
    """

    name: str
    workers: int
    threads: int
    memory_limit: int | None
    usable_memory: int | None
    here: bool
    tasks: int


def this_process(threads: int, early: int) -> Place:
    """Return this process, with all memory of the machine."""
    name = f"{threads} thread{'s' if threads != 1 else ''} of this process"
    limits = [limit for limit in (_physical_memory(), *_group_limits()) if limit is not None]
    limit = min(limits, default=None)
    return Place(name, 1, threads, limit, limit, True, threads + early)


def _physical_memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _group_limits() -> Iterator[int]:
    """Yield what control groups of a container or a job allow, this process's and those above."""
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
        # A container may see its own group as the root, and be told its path outside.
        for folder in (Path(group), *Path(group).parents):
            yield root / folder.relative_to("/") / name


def _memberships() -> list[tuple[str, str]]:
    """Return the controllers and the path of each group that this process is in."""
    try:
        lines = MEMBERSHIPS.read_text().splitlines()
        return [(controllers, path) for _, controllers, path in (x.split(":", 2) for x in lines)]
    except (OSError, ValueError):
        return []
