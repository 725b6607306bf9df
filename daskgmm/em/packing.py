"""Frozen records as JSON and back, exact to the bit."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Plain = Any
"""What JSON holds: dict, list, str, int, float, bool, None."""


def pack(value: Any) -> Plain:
    """Return a value as plain JSON: records, arrays, tuples, mappings and numbers.

    Arrays stand once, however often they occur: what EM keeps shares most of them.
    """
    arrays: dict[str, tuple[int, Plain]] = {}
    plain = _pack(value, arrays)
    return {"arrays": [array for _, array in arrays.values()], "value": plain}


def _pack(value: Any, arrays: dict[str, tuple[int, Plain]]) -> Plain:
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        # JSON has no infinity; Python writes a finite float so that it reads back the same.
        return value if math.isfinite(value) else {"float": repr(value)}
    if isinstance(value, np.ndarray):
        plain = _pack_array(value)
        return {"array": arrays.setdefault(str(plain), (len(arrays), plain))[0]}
    if isinstance(value, np.generic):
        return _pack(value.item(), arrays)
    if isinstance(value, tuple):
        return {"tuple": [_pack(item, arrays) for item in value]}
    if isinstance(value, Mapping):
        pairs = [[_pack(key, arrays), _pack(item, arrays)] for key, item in value.items()]
        return {"mapping": pairs}
    if is_dataclass(value):
        content = {field.name: _pack(getattr(value, field.name), arrays) for field in fields(value)}
        return {"record": type(value).__name__, "fields": content}
    raise TypeError(f"{type(value).__name__} is not packed")


def _pack_array(array: NDArray[Any]) -> Plain:
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    data = base64.b64encode(np.ascontiguousarray(little).tobytes()).decode("ascii")
    return {"dtype": little.dtype.str, "shape": list(array.shape), "base64": data}


def unpack(plain: Plain, records: Mapping[str, type]) -> Any:
    """Return what `pack` was given; only dataclasses among `records` are ever made.

    Raises `KeyError`, `TypeError` or `ValueError` if it is not of that form.
    """
    arrays = [_unpack_array(array) for array in plain["arrays"]]
    return _unpack(plain["value"], records, arrays)


def _unpack_array(plain: Plain) -> NDArray[Any]:
    data = base64.b64decode(plain["base64"], validate=True)
    array = np.frombuffer(data, np.dtype(plain["dtype"])).reshape(plain["shape"])
    return array.astype(array.dtype.newbyteorder("="))


def _unpack(plain: Plain, records: Mapping[str, type], arrays: list[NDArray[Any]]) -> Any:
    if not isinstance(plain, dict):
        return plain
    if "float" in plain:
        return float(plain["float"])
    if "array" in plain:
        return arrays[plain["array"]]
    if "tuple" in plain:
        return tuple(_unpack(item, records, arrays) for item in plain["tuple"])
    if "mapping" in plain:
        return {
            _unpack(key, records, arrays): _unpack(item, records, arrays)
            for key, item in plain["mapping"]
        }
    content = {key: _unpack(item, records, arrays) for key, item in plain["fields"].items()}
    return records[plain["record"]](**content)
