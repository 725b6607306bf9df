"""A hard cap on the memory of a process and all its children, page cache included."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

MEMORY = Path("/sys/fs/cgroup/memory")


@contextmanager
def memory_cap(nbytes):
    """Make a control group (version 1) with a cap, and remove it when its processes are gone."""
    group = MEMORY / f"daskgmm-{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(nbytes))
    except OSError as error:
        pytest.skip(f"no memory control groups of version 1 that may be written: {error}")
    try:
        yield group
    finally:
        _remove(group)


def _remove(group, seconds=10):
    """End what is left in a group, and remove it: processes take a while to leave."""
    end = time.monotonic() + seconds
    while True:
        for process in (group / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(process), signal.SIGKILL)
        try:
            return group.rmdir()
        except OSError:
            if time.monotonic() > end:
                raise
        time.sleep(0.05)


def run(group, *command, **options):
    """Run a command in a group; return how it ended, and what it wrote."""
    enter = f'echo $$ > "{group}/cgroup.procs"; exec "$@"'
    return subprocess.run(
        ["sh", "-c", enter, "sh", sys.executable, *map(str, command)],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        **options,
    )


def oom_kills(group):
    """Return how many processes of a group were killed for memory."""
    lines = (group / "memory.oom_control").read_text().splitlines()
    return int(dict(line.split() for line in lines)["oom_kill"])
