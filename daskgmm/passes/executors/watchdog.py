"""When a cluster is given up that computes nothing."""

from __future__ import annotations

import time
from typing import Any

from daskgmm.errors import ClusterError

LOOKS = 30
"""Times that a cluster which says nothing is asked for its workers before it is given up."""

SECONDS = 1.0, 30.0
"""The shortest and the longest time from one such question to the next, and of an answer."""


class Guard:
    """Gives up a cluster that for too long has had no worker that runs.

    Long tasks are silent too: only what is seen while nothing ends counts.

    Parameters
    ----------
    client : distributed.Client
    timeout : float
        Seconds.
    """

    def __init__(self, client: Any, timeout: float) -> None:
        self._client = client
        self._timeout = timeout
        shortest, self._longest = (min(each, timeout) for each in SECONDS)
        self.step = min(max(shortest, timeout / LOOKS), self._longest)
        """Seconds of silence after which to look."""
        self.well()

    def well(self) -> None:
        """Note that something was computed."""
        self._seen_well = time.monotonic()

    def look(self) -> None:
        """Look at the cluster in a silence.

        Raises
        ------
        ClusterError
            If the connection is lost, or the cluster has not been well for too long.
        """
        self.check_connection()
        fault = self._fault()
        if fault is None:
            self.well()
        elif time.monotonic() - self._seen_well >= self._timeout:
            raise ClusterError(
                f"Nothing was computed for {self._timeout:.0f} s, and {fault} "
                "A longer wait is set with --stall-timeout, or the configuration "
                "daskgmm.stall-timeout; a fit with a checkpoint goes on where it was."
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
        except AttributeError:  # None: the connection is being closed
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
    """Return what ends a pass without its scheduler."""
    return ClusterError(
        f"The connection to the Dask scheduler is lost ({why}). Start a cluster and run again; a "
        "fit with a checkpoint goes on where it was."
    )
