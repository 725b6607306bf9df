"""How passes run: settings that change speed and patience, never a result."""

from __future__ import annotations

from dataclasses import dataclass

import dask
from dask.utils import parse_timedelta

RETRIES = 3
"""Times that a read is tried again: with waits of 0.2, 0.4 and 0.8 s, what a store that
throttles or fails over needs."""

STALL_TIMEOUT = "5 minutes"
"""Silence of a cluster without workers that is taken for its end: longer than a queue or an
autoscaler takes to replace one."""


@dataclass(frozen=True, slots=True)
class Running:
    """Settings of Dask's configuration that passes heed.

    Attributes
    ----------
    retries : int
        ``daskgmm.retries``: how often a read that fails is tried again.
    stall_timeout : float
        ``daskgmm.stall-timeout``, in seconds: how long a pass waits for a cluster that has
        no worker to run it.
    """

    retries: int
    stall_timeout: float

    @classmethod
    def configured(cls) -> Running:
        """Return the settings in force.

        Raises
        ------
        ValueError
            If one of them is no number or no time.
        """
        timeout = dask.config.get("daskgmm.stall-timeout", STALL_TIMEOUT)
        return cls(int(dask.config.get("daskgmm.retries", RETRIES)), parse_timedelta(timeout))
