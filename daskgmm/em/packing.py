"""Frozen records as JSON and back, exact to the bit."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

Plain = Any
"""What JSON holds: dict, list, str, int, float, bool, None."""


def pack(value: Any) -> Plain:
    """Return a value as plain JSON: records, arrays, tuples, mappings and numbers."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        # JSON has no infinity; Python writes a finite float so that it reads back the same.
        return value if math.isfinite(value) else {"float": repr(value)}
    if isinstance(value, np.ndarray):
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode("ascii")
        dtype = value.dtype.newbyteorder("<").str
        if value.dtype.byteorder == ">":
            data = base64.b64encode(value.astype(dtype).tobytes()).decode("ascii")
        return {"array": dtype, "shape": list(value.shape), "base64": data}
    if isinstance(value, np.generic):
        return pack(value.item())
    if isinstance(value, tuple):
        return {"tuple": [pack(item) for item in value]}
    if isinstance(value, Mapping):
        return {"mapping": [[pack(key), pack(item)] for key, item in value.items()]}
    if is_dataclass(value):
        content = {field.name: pack(getattr(value, field.name)) for field in fields(value)}
        return {"record": type(value).__name__, "fields": content}
    raise TypeError(f"{type(value).__name__} is not packed")


def unpack(plain: Plain, records: Mapping[str, type]) -> Any:
    """Return what `pack` was given.

    Parameters
    ----------
    plain : object
    records : mapping of str to type
        The dataclasses that may occur; nothing else is ever made.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it is not of that form.
    """
    if not isinstance(plain, dict):
        return plain
    if "float" in plain:
        return float(plain["float"])
    if "array" in plain:
        data = base64.b64decode(plain["base64"], validate=True)
        array = np.frombuffer(data, np.dtype(plain["array"])).reshape(plain["shape"])
        return array.astype(array.dtype.newbyteorder("="))
    if "tuple" in plain:
        return tuple(unpack(item, records) for item in plain["tuple"])
    if "mapping" in plain:
        return {unpack(key, records): unpack(item, records) for key, item in plain["mapping"]}
    content = {key: unpack(item, records) for key, item in plain["fields"].items()}
    return records[plain["record"]](**content)
