"""Table of back ends by name."""

from __future__ import annotations

from daskgmm.gaussian.kernels.backend import Backend
from daskgmm.gaussian.kernels.numpy_backend import NumpyBackend

BACKENDS: dict[str, Backend] = {"numpy": NumpyBackend()}
"""Back ends by name; `daskgmm.backend` of Dask's configuration chooses one."""


def backend_of(name: str) -> Backend:
    """Return the back end called `name`; raise `ValueError` if there is none."""
    if name not in BACKENDS:
        raise ValueError(
            f"daskgmm.backend is {name!r}, which is none of {', '.join(BACKENDS)}. Import the "
            "module that adds it to daskgmm.gaussian.BACKENDS first, or take one of these."
        )
    return BACKENDS[name]
