"""The back end that Dask's configuration names."""

from __future__ import annotations

import dask

from daskgmm.gaussian.kernels.backend import Backend
from daskgmm.gaussian.kernels.backends import backend_of


def backend() -> Backend:
    """Return the back end in force; raise `ValueError` if the configuration names none."""
    return backend_of(dask.config.get("daskgmm.backend", "numpy"))
