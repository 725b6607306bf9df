"""Where rows are read from, as far as what the user gave shows it: nothing there may be removed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import zarr
from dask.base import is_dask_collection
from dask.blockwise import Blockwise
from dask.utils import ensure_dict

from daskgmm.rows.graph import leaves
from daskgmm.rows.hdf5 import Stored, is_hdf5
from daskgmm.rows.parquet import ParquetRows
from daskgmm.rows.variables import is_labelled
from daskgmm.rows.zarr_store import location

HOLDING = (
    "value",
    "array",
    "_array",
    "_data",
    "source",
    "parts",
    "mapping",
    "datastore",
    "_filename",
)
"""Attributes by which what Dask, xarray and this package wrap around values leads to these."""


def origins(x: Any) -> Iterator[str]:
    """Yield the paths and URLs that data of any kind may be read from.

    The graphs of lazy arrays and frames are looked through for stored arrays, memory maps and
    texts; texts that are no paths come along. The parts of lists are looked at one by one.

    Parameters
    ----------
    x : as `GaussianMixture.fit` takes it, or Rows
    """
    seen, stack = set[int](), [x]
    kept = []  # what is seen stays alive, so that no number is given twice
    while stack:
        for value in leaves(stack.pop()):
            if isinstance(value, (str, os.PathLike)):
                yield os.fspath(value)
            elif value is None or isinstance(value, (float, int)):
                continue
            elif id(value) not in seen:
                seen.add(id(value))
                kept.append(value)
                stack.append(_inside(value))


def _inside(value: Any) -> list[Any]:
    """Return where a value is, or what is to be looked at for that."""
    if isinstance(value, (zarr.Array, zarr.Group)):
        return [location(value)]
    if is_hdf5(value):
        return [Stored.of(value).path]
    if isinstance(value, np.ndarray):
        return [getattr(value, "filename", None), value.base]
    if isinstance(value, ParquetRows):
        return [footer.path for footer in value.footers]
    if is_labelled(value):
        parts = [value, *value.coords.values(), *getattr(value, "data_vars", {}).values()]
        sources = [each.encoding.get("source") for each in parts]
        return [*sources, *(each.variable._data for each in parts if hasattr(each, "variable"))]
    if hasattr(type(value), "expr"):  # of frames; a Delayed has every attribute
        return [each.operands for each in value.expr.walk()]
    if is_dask_collection(value):
        graph = value.__dask_graph__()
        return [_of_layer(layer) for layer in getattr(graph, "layers", {"": graph}).values()]
    if type(value).__module__.partition(".")[0] in ("dask", "xarray", "daskgmm"):
        return [getattr(value, name, None) for name in HOLDING]
    return []


def _of_layer(layer: Any) -> Any:
    """Return what a layer of a graph holds, without a task for each block where it is so made."""
    if not isinstance(layer, Blockwise):
        return ensure_dict(layer)
    given = [value for value, axes in layer.indices if axes is None]
    return [given, layer.task, layer.io_deps]
