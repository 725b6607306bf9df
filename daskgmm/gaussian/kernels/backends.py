"""Table of back ends by name."""

from __future__ import annotations

from daskgmm.gaussian.kernels.backend import Backend
from daskgmm.gaussian.kernels.compiled.library import library
from daskgmm.gaussian.kernels.compiled_backend import CompiledBackend
from daskgmm.gaussian.kernels.numpy_backend import NumpyBackend

BACKENDS: dict[str, Backend] = {"numpy": NumpyBackend(), "compiled": CompiledBackend()}
"""Back ends by name; `daskgmm.backend` of Dask's configuration chooses one."""


def default_backend() -> str:
    """Return the name of the back end that is taken where none is asked for."""
    return "numpy" if library() is None else "compiled"


def backend_of(name: str, asked_by: str = "daskgmm.backend") -> Backend:
    """Return the back end called `name`; raise `ValueError` if there is none, or no library.

    `asked_by` is the setting that named it, for the error.
    """
    if name not in BACKENDS:
        raise ValueError(
            f"{asked_by} is {name!r}, which is not one of {', '.join(BACKENDS)}. Import the "
            "module that adds it to daskgmm.gaussian.BACKENDS first, or take one of these."
        )
    if isinstance(BACKENDS[name], CompiledBackend) and library() is None:
        raise ValueError(
            f"{asked_by} is {name!r}, and this installation has no compiled kernel for this "
            "processor. Install daskgmm again where a C compiler (cc, or that of CC) is found, or "
            "leave the setting out: NumPy then does all."
        )
    return BACKENDS[name]
