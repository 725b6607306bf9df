"""How passes run: settings that change speed and patience, never a result."""

from __future__ import annotations

from dataclasses import dataclass

import dask
from dask.utils import parse_timedelta

from daskgmm.rows.retrying import configured_retries

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
        return cls(configured_retries(), parse_timedelta(timeout))
