"""How the compiled library has a model, and what is written beside it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.gaussian.kernels.compiled.blocks import in_blocks
from daskgmm.gaussian.kernels.compiled.library import Library, State
from daskgmm.gaussian.kernels.compiled.model import LOG2_E, LibraryModel
from daskgmm.gaussian.kernels.workspace import LINE, aligned

STRIP_TILES = 8
"""Tiles of rows that are copied at once; a call takes 5 us, and a tile 5 us or more."""


def is_ready(array: NDArray[Any], dtype: type[np.number[Any]]) -> bool:
    """Return whether an array is read in place."""
    return array.dtype == dtype and array.flags.c_contiguous and array.flags.aligned


def ready(array: NDArray[Any], dtype: type[np.number[Any]]) -> NDArray[Any]:
    """Return an array, or a copy of it, that is read in place."""
    return np.require(array, dtype, ["C_CONTIGUOUS", "ALIGNED"])


def dtype_in_place(array: NDArray[Any]) -> type[np.floating[Any]]:
    """Return the type that the library reads: float32 as it is, all others as float64."""
    return np.float32 if array.dtype == np.float32 else np.float64


def n_panels(compiled: Library, k: int) -> int:
    """Return the number of panels of k components."""
    return -(-k // compiled.components)


def edges_of(compiled: Library, k: int) -> NDArray[np.int64]:
    """Return the first component of each panel, and k."""
    panels = n_panels(compiled, k)
    return np.arange(panels + 1) * k // panels


def panels_of(edges: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return the first component of each panel, and the one behind its last."""
    return list(itertools.pairwise(edges.tolist()))


def fill_theta(
    model: LibraryModel, edges: NDArray[np.int64], theta: NDArray[np.floating[Any]]
) -> None:
    """Fill theta (k p,) with parameters in units of the library, panels (p, components) in turn."""
    p = model.theta.shape[1]
    for start, stop in panels_of(edges):
        panel, scales = model.theta[start:stop].T, model.scales[start:stop]
        np.multiply(panel, scales, theta[start * p : stop * p].reshape(panel.shape))


def given(model: LibraryModel) -> dict[str, Array]:
    """Return the arrays that the library reads as they are."""
    found = {"center": np.ascontiguousarray(model.kernel.center, np.float64)}
    if model.factor is not None:
        found["factor"] = in_blocks(model.factor)
    if model.tail is not None:
        found["tails"] = np.ascontiguousarray(model.tail.parameters)
    return found


def integers(compiled: Library, model: LibraryModel) -> dict[str, NDArray[np.int64]]:
    """Return the rows of z that each statistic is the product of, the edges of panels, and classes.

    Classes are there if rows have labels.
    """
    left, right = (in_lanes(rows) * compiled.tile for rows in model.pairs)
    found = {"left": left, "right": right, "edges": edges_of(compiled, len(model.theta))}
    return found if model.classes is None else found | {"classes": model.classes}


def in_lanes(rows: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return the rows of z, with row 0 behind until all lanes are filled."""
    return np.concatenate([rows, np.zeros(-len(rows) % LINE, np.intp)]).astype(np.int64)


def state_of(compiled: Library, model: LibraryModel) -> State:
    """Return the numbers of a model; `point` adds addresses."""
    (k, p), d = model.theta.shape, len(model.kernel.center)
    state = State(d=d, k=k, p=p, panels=n_panels(compiled, k), has_norm=model.has_norm)
    state.summed = model.kernel.shape[0]
    state.tail = 0 if model.tail is None else model.tail.kind
    state.columns = k + (model.uniform is not None)
    state.uniform = LOG2_E * (model.uniform or 0.0)
    return state


def point(state: State, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Give a state the addresses of arrays, which somebody has to keep."""
    for name, array in arrays.items():
        setattr(state, name, array.ctypes.data)


def split(sizes: Mapping[str, int]) -> dict[str, Array]:
    """Return arrays of these sizes that begin with a cache line each."""
    lines = {name: -(-size // LINE) * LINE for name, size in sizes.items()}
    edges = np.cumsum([0, *lines.values()]).tolist()
    whole = aligned(edges[-1])
    starts = dict(zip(sizes, edges[:-1], strict=True))
    return {name: whole[start : start + sizes[name]] for name, start in starts.items()}
