"""Watchdog of a cluster that completes no task."""

from __future__ import annotations

import time
from typing import Any

from daskgmm.errors import ClusterError

LOOKS = 30
"""Number of times that a silent cluster is asked for its workers within the timeout."""

SECONDS = 1.0, 30.0
"""Shortest and longest seconds from one such question to the next; the longest for an answer."""


class Watchdog:
    """Raises an error if for too long no task ends and no worker runs.

    A long task on a running worker is silent, and no error.

    Parameters
    ----------
    client : distributed.Client
    timeout : float
        Seconds without a running worker.
    """

    def __init__(self, client: Any, timeout: float) -> None:
        self._client = client
        self._timeout = timeout
        shortest, self._longest = (min(seconds, timeout) for seconds in SECONDS)
        self.interval = min(max(shortest, timeout / LOOKS), self._longest)
        """Seconds of silence after which to call `check`."""
        self.reset()

    def reset(self) -> None:
        """Restart the timeout, as a task has ended."""
        self._since = time.monotonic()

    def check(self) -> None:
        """Raise `ClusterError` if the connection is lost, or no worker has run for the timeout."""
        self.check_connection()
        fault = self._fault()
        if fault is None:
            self.reset()
        elif time.monotonic() - self._since >= self._timeout:
            raise ClusterError(
                f"Nothing was computed for {self._timeout:.0f} s, and {fault} "
                "A longer wait is set with --stall-timeout, or the configuration "
                "daskgmm.stall-timeout; a fit with a checkpoint resumes where it was."
            )

    def check_connection(self) -> None:
        """Raise ClusterError if there is no connection to the scheduler."""
        if self._client.status != "running":
            raise connection_lost(f"its client is {self._client.status}")

    def _fault(self) -> str | None:
        scheduler = self._client.scheduler
        try:
            known = self._client.sync(
                scheduler.identity, n_workers=-1, callback_timeout=self._longest
            )
        except AttributeError:  # the scheduler is None while the connection is closed
            return "the connection to the scheduler is closed."
        except (TimeoutError, OSError):
            return (
                "the scheduler does not answer. Look whether it still runs, and whether this "
                "machine reaches it."
            )
        states = [worker["status"] for worker in known["workers"].values()]
        if "running" in states:
            return None
        named = ", ".join(sorted(set(states)))
        what = f"all {len(states)} workers are {named}" if states else "there are no workers"
        return (
            f"{what}. Look at their logs: walltime and memory limits end workers, and a worker "
            "short of memory pauses."
        )


def connection_lost(why: object) -> ClusterError:
    """Return the error of a pass that has lost the scheduler."""
    return ClusterError(
        f"The connection to the Dask scheduler is lost ({why}). Start a cluster and run again; a "
        "fit with a checkpoint resumes where it was."
    )
