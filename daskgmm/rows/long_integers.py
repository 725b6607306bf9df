"""Columns of integers of 64 bits and more, of which no float64 holds all: who computes rounds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

EXACT = 2.0**53
"""Beyond it a float64 does not hold every integer."""

LONG = re.compile(r"(^|[ <\[])(u?int(64|128)|decimal\d*)\b", re.IGNORECASE)
"""Names of their types in pandas, also of sparse columns and those with gaps, and in Arrow, also of
lists of them. Decimals are what integers beyond 64 bits are read as."""


def is_long(dtype: Any) -> bool:
    """Return whether a type, of whichever library or its name, is of such integers."""
    if isinstance(dtype, np.dtype):
        return dtype.kind in "iu" and dtype.itemsize == 8
    return bool(LONG.search(str(dtype)))


def long_columns(features: Iterable[Any], types: Mapping[Any, Any]) -> tuple[bool, ...]:
    """Return for each feature whether its column is of such integers, or of lists of them.

    Elements of lists are named as ``emb[0]``.
    """
    return tuple(
        is_long(types[name] if name in types else types.get(str(name).rpartition("[")[0]))
        for name in features
    )


def long_objects(values: Any, x: NDArray[Any]) -> tuple[bool, ...] | None:
    """Return for each column whether Python's integers in it became floats; None where none can.

    `values` are what a user gave, and x (n, d) is the array that was made of them. Only columns
    that reach `EXACT` are looked at value by value.
    """
    columns = _objects(values)
    if columns is None or x.dtype.kind != "f":
        return None
    with np.errstate(invalid="ignore"):
        reach = np.fmax.reduce(np.abs(x), axis=0, initial=0.0)
    return tuple(
        bool(reach[j] >= EXACT) and any(map(_is_whole, columns(j))) for j in range(x.shape[1])
    )


def _objects(values: Any) -> Any:
    """Return what gives the values of a column, where these may be objects of Python."""
    if isinstance(values, list | tuple):
        return lambda j: (np.asarray(row, object)[j] for row in values)
    if hasattr(values, "iloc"):
        return lambda j: values.iloc[:, j] if values.dtypes.iloc[j].kind == "O" else ()
    if isinstance(values, np.ndarray) and values.dtype == object:
        return lambda j: values[:, j]
    return None


def _is_whole(value: Any) -> bool:
    if isinstance(value, Decimal):
        return value.is_finite() and value == value.to_integral_value()
    return isinstance(value, Integral) and not isinstance(value, bool)
