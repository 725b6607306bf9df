"""Entries of documents: plain values, and their checks as they are read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

INFINITIES = {"inf": math.inf, "-inf": -math.inf}

MOST = 2**31 - 1
"""Of whatever is counted in a document: no fit has more iterations, nor an array more columns."""


def plain(value: Any) -> Any:
    """Return a value as JSON holds it; what JSON has no kind for becomes its text."""
    value = of_python(value)
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return None if math.isnan(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value if value is None or isinstance(value, str | int) else str(value)


def of_python(value: Any) -> Any:
    """Return an array as lists and a number of NumPy's as one of Python's."""
    if isinstance(value, np.floating):
        return float(value)  # what has more digits than a float has no list
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def number(value: Any) -> Any:
    """Return a number from JSON: nan for null; raise ValueError if it is something else."""
    if isinstance(value, str):
        if value not in INFINITIES:
            raise ValueError(f"{value[:60]!r} stands where a number should")
        return INFINITIES[value]
    if value is not None and not isinstance(value, int | float):
        raise ValueError(f"a {type(value).__name__} stands where a number should")
    return math.nan if value is None else value


def weight_from(value: Any, name: str) -> float:
    """Return a weight, finite and not negative; `ValueError` names the entry."""
    found = float(number(value))
    if not 0 <= found < math.inf:
        raise ValueError(f"{name!r} is not a weight of rows")
    return found


def array_of(document: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return an array of finite numbers; raise `ValueError` for anything else."""
    array = np.array(document[name], dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f"'{name}' has the shape {array.shape}, not {shape}")
    if not array.size or not np.isfinite(array).all():
        raise ValueError(f"'{name}' is empty or not finite")
    return array


def count_in(document: Mapping[str, Any], name: str) -> int:
    """Return a whole number of a document, from 0 to `MOST`; `ValueError` names the entry."""
    value = document[name]
    if type(value) is not int or not 0 <= value <= MOST:
        raise ValueError(f"'{name}' is not a count")
    return value


def list_in(document: Mapping[str, Any], name: str, length: int | None) -> list[Any]:
    """Return a list of a document, of this length if one is given; `ValueError` names the entry."""
    value = document[name]
    if not isinstance(value, list) or (length is not None and len(value) != length):
        raise ValueError(f"'{name}' is not a list{f' of {length}' if length is not None else ''}")
    return value


def mapping_in(value: Any, name: str) -> Mapping[str, Any]:
    """Return an object; `ValueError` names the entry."""
    if not isinstance(value, dict):
        raise ValueError(f"'{name}' is not an object")
    return value


def texts_from(values: Any) -> list[str | None] | None:
    """Return texts, None where one is null; None of null."""
    return None if values is None else [None if each is None else str(each) for each in values]
