"""Peak memory of this process."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak_memory() -> int:
    """Return the peak resident memory of this process in bytes; 0 if unknown."""
    peak = _peak_usage()
    return peak if peak > _inherited() else _peak_status() or peak


@cache
def _inherited() -> int:
    """Return the peak of the process before `exec`, if `getrusage` tells that one; else 0.

    /proc tells that of the process itself, and takes fifty times as long.
    """
    peak = _peak_usage()
    return peak if peak > _peak_status() > 0 else 0


def _peak_usage() -> int:
    """Return what `getrusage` tells, in bytes; 0 on systems without it."""
    try:
        import resource
    except ImportError:
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _peak_status() -> int:
    """Return what /proc tells, in bytes; 0 on systems without it."""
    try:
        with _STATUS.open() as lines:
            return next(1024 * int(line.split()[1]) for line in lines if line[:6] == "VmHWM:")
    except (OSError, StopIteration):
        return 0
