"""Columns of integers of 64 bits, of which no float64 holds all: who computes with them rounds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

LONG = re.compile(r"(^|[ <\[])u?int64\b", re.IGNORECASE)
"""Names of their types in pandas, also of sparse columns and those with gaps, and in Arrow, also of
lists of them."""


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
