"""Frozen records as JSON and back, exact to the bit."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

Plain = Any
"""What JSON holds: dict, list, str, int, float, bool, None."""

MALFORMED = (
    AttributeError, IndexError, KeyError, OverflowError, RecursionError, TypeError, ValueError,
)  # fmt: skip
"""What readers of plain values raise where these are not of the form that was written."""


def named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON; raise `ValueError` for a name that stands twice.

    Parsers take the last one, so that a file that was joined of two would pass for the second.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice[:60]!r} stands twice in an object")
    return found


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

    Raises one of `MALFORMED` if it is not of that form.
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
    kind = records[plain["record"]]
    for name, hint in _hints(kind).items():
        if name in content and not _is_of(content[name], hint):
            raise TypeError(f"{name!r} of {kind.__name__} is a {type(content[name]).__name__}")
    return kind(**content)


def _hints(kind: type) -> dict[str, Any]:
    """Return the types of fields; none where their names are not known here."""
    try:
        return get_type_hints(kind)
    except NameError:
        return {}


def _is_of(value: Any, hint: Any) -> bool:
    """Return whether a value is of the type of a field, as far as a class tells it."""
    if isinstance(hint, UnionType) or get_origin(hint) is Union:
        return any(_is_of(value, each) for each in get_args(hint))
    kind = get_origin(hint) or hint
    if kind is float:
        return isinstance(value, (int, float))
    if kind is tuple and isinstance(value, tuple):
        within = get_args(hint)[:1] if get_args(hint)[1:] == (...,) else ()
        return all(_is_of(each, inner) for inner in within for each in value)
    return isinstance(value, kind) if isinstance(kind, type) and kind is not Any else True
