"""Settings of Dask's configuration that passes read."""

from __future__ import annotations

import os
from dataclasses import dataclass

import dask
from dask.utils import parse_timedelta

from daskgmm.gaussian.kernels.backend import Backend
from daskgmm.gaussian.kernels.backends import backend_of, default_backend
from daskgmm.rows.retries import configured_retries

STALL_TIMEOUT = "5 minutes"
"""Longer than a queue or an autoscaler takes to replace a worker."""


BACKEND = "daskgmm.backend"
"""Name in Dask's configuration of the back end."""

KERNEL = "DASKGMM_KERNEL"
"""Environment variable that names the back end, where Dask's configuration does not."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """Patience with stores and clusters; no result depends on it.

    Attributes
    ----------
    retries : int
        ``daskgmm.retries``: number of times that a failed read is repeated.
    stall_timeout : float
        ``daskgmm.stall-timeout``: seconds that a pass waits for a cluster without a running worker.
    """

    retries: int
    stall_timeout: float

    @classmethod
    def current(cls) -> Configuration:
        """Read the configuration; raise `ValueError` if a value is no number or no time."""
        timeout = dask.config.get("daskgmm.stall-timeout", STALL_TIMEOUT)
        return cls(configured_retries(), parse_timedelta(timeout))


def backend() -> Backend:
    """Return the back end of the setting `BACKEND`, of the variable `KERNEL`, or the default.

    Raise `ValueError` if there is none of that name.
    """
    asked_by = KERNEL if dask.config.get(BACKEND, None) is None else BACKEND
    return backend_of(backend_name(), asked_by)


def backend_name() -> str:
    """Return the name of the back end of passes, known or not."""
    configured: str | None = dask.config.get(BACKEND, None)
    return configured or os.environ.get(KERNEL) or default_backend()
