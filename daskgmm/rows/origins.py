"""Paths and URLs that data are read from, which outputs must not replace."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

from dask.base import is_dask_collection

from daskgmm.rows.kinds.memory import Memory
from daskgmm.rows.lazy.graph import held_by_collection, leaves
from daskgmm.rows.sources import source_of

HOLDING = ("value", "array", "_array", "_data", "source", "mapping", "datastore", "_filename")
"""Attributes of wrappers of Dask, xarray and this package that lead to the wrapped values."""


def origins(x: Any) -> Iterator[str]:
    """Yield the paths and URLs that data of any kind may be read from.

    The graphs of lazy arrays and frames are searched for stored arrays, memory maps and texts;
    texts that are no paths are yielded too. The parts of lists are searched one by one.
    """
    visited: dict[int, Any] = {}  # it keeps objects alive, so that no id is used twice
    stack, dull = [x], {float, int, type(None)}
    while stack:
        for value in leaves(stack.pop()):
            if isinstance(value, (str, os.PathLike)):
                yield os.fspath(value)
            elif type(value) not in dull and id(value) not in visited:
                visited[id(value)] = value
                inside = _inside(value)
                if inside is None:
                    dull.add(type(value))
                else:
                    stack.append(list(inside))


def _inside(value: Any) -> Iterable[Any] | None:
    """Return paths of a value, or objects that may lead to them; None if its type has none."""
    source = source_of(value)
    if type(source) is not Memory:
        return source.leads_to()
    if is_dask_collection(value):
        return held_by_collection(value)
    if type(value).__module__.partition(".")[0] in ("dask", "xarray", "daskgmm"):
        return [getattr(value, name, None) for name in HOLDING]
    return source.leads_to() or None
