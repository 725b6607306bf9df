"""The compiled library that this processor runs, if there is one."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from daskgmm.gaussian.kernels.compiled.building import SUFFIX, checksum, variants

FOLDER = Path(__file__).parent
"""Where the libraries are; the build hook compiles them beside their source."""

_INTEGER, _NUMBER, _POINTER = ctypes.c_int64, ctypes.c_double, ctypes.c_void_p


OF_EACH = ("powers_of_two", "powers_by_table", "logarithms", "powers_of_two_single")
"""Functions of vectors, for tests."""

SIZES = ("tile", "strip", "components", "least_statistics", "group")


class State(ctypes.Structure):
    """A model and the sums of rows, with the fields of `State` in the source."""

    _fields_ = (
        *((name, _INTEGER) for name in ("d", "k", "p", "panels")),
        *((name, _INTEGER) for name in ("has_norm", "filled", "weighted")),
        *((name, _NUMBER) for name in ("log_likelihood", "weight")),
        *((name, _POINTER) for name in ("center", "left", "right", "edges", "theta")),
        *((name, _POINTER) for name in ("z", "a", "weights", "sums", "factors", "few")),
        *((name, _POINTER) for name in ("gathered", "pairs", "counts")),
        *((name, _INTEGER) for name in ("sparse", "summed", "columns", "tail")),
        *((name, _NUMBER) for name in ("uniform", "outliers")),
        *((name, _POINTER) for name in ("tails", "strip", "tail_lanes", "tail_sums")),
        *((name, _POINTER) for name in ("factor", "shares", "weighed", "pooled")),
        *((name, _POINTER) for name in ("classes", "labels")),
        *((name, _POINTER) for name in ("means", "points", "constants", "own_factors")),
        ("factor_step", _INTEGER),
        *((name, _POINTER) for name in ("scales", "shifted", "far", "seconds")),
        ("second_step", _INTEGER),
        ("units", _POINTER),
    )


class Places(ctypes.Structure):
    """Where predictions go, with the fields of `Places` in the source."""

    _fields_ = (
        *((name, _POINTER) for name in ("labels", "posteriors", "log_densities")),
        *((name, _INTEGER) for name in ("label_stride", "posterior_stride", "density_stride")),
        *((name, _INTEGER) for name in ("label_bytes", "columns")),
        *((name, _INTEGER) for name in ("posterior_kind", "density_kind")),
        ("levels", _NUMBER),
        ("adds_shared", _INTEGER),
        *((name, _POINTER) for name in ("half_range", "exponentials")),
    )


@dataclass(frozen=True)
class Library:
    """A loaded library. Its functions run without Python's lock.

    Attributes
    ----------
    name : str
        Key of `building.VARIANTS`.
    functions : ctypes.CDLL
    tile : int
        Number of rows of a tile.
    strip : int
        Number of rows of a strip of it.
    components : int
        Largest number of components of a panel.
    least_statistics : int
        Number of statistics from which on pairs of a row and a component may be left out.
    group : int
        Rows of a pair of components that are added together.
    """

    name: str
    functions: Any
    tile: int
    strip: int
    components: int
    least_statistics: int
    group: int

    @classmethod
    def load(cls, path: Path) -> Library | None:
        """Load a library; None if it is of another source, or not for this processor."""
        try:
            functions = ctypes.CDLL(str(path))
            for name in ("source", "runs_here", *SIZES):
                getattr(functions, name).restype = _INTEGER
            if functions.source() != checksum() or not functions.runs_here():
                return None
        except (OSError, AttributeError):
            return None
        state = ctypes.POINTER(State)
        functions.add_rows.argtypes = [state, _POINTER, _INTEGER, *(_INTEGER, _POINTER, _POINTER)]
        functions.add_rest.argtypes = [state]
        functions.predict_rows.restype = _INTEGER
        places = ctypes.POINTER(Places)
        functions.predict_rows.argtypes = [state, places, _POINTER, _INTEGER, _INTEGER]
        functions.add_pairs.argtypes = [_POINTER, _POINTER, _POINTER, _POINTER, _INTEGER]
        functions.rest_of_pairs.argtypes = [_POINTER]
        for name in OF_EACH:
            getattr(functions, name).argtypes = [_POINTER, _POINTER, _INTEGER]
        for name in ("add_rows", "add_rest", "add_pairs", "rest_of_pairs", *OF_EACH):
            getattr(functions, name).restype = None
        name = path.name.removesuffix(SUFFIX)
        return cls(name, functions, *(getattr(functions, each)() for each in SIZES))


def libraries(folder: Path) -> list[Library]:
    """Return the libraries of a folder that run on this processor; the fastest one first."""
    paths = [folder / f"{name}{SUFFIX}" for name in variants()]
    loaded = [Library.load(path) for path in paths if path.exists()]
    return [library for library in loaded if library is not None]


@lru_cache(maxsize=1)
def library() -> Library | None:
    """Return the library of this process; None if NumPy does all."""
    found = libraries(FOLDER)
    return found[0] if found else None
