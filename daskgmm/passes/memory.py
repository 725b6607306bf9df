"""Peak memory of this process."""

from __future__ import annotations

import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak_memory() -> int:
    """Return the peak resident memory of this process in bytes; 0 if unknown.

    /proc comes first: `getrusage` includes the peak of the parent process.
    """
    try:
        with _STATUS.open() as lines:
            return next(1024 * int(line.split()[1]) for line in lines if line[:6] == "VmHWM:")
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
