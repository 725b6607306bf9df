"""Frozen records as JSON and back, exact to the bit."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

Plain = Any
"""What JSON holds: dict, list, str, int, float, bool, None."""

Arrays = dict[tuple[str, tuple[int, ...], bytes], tuple[int, Plain]]
"""Places and plain forms of arrays, by type, shape and a digest of their bytes."""

LEVELS = 3
"""Levels of a document above its arrays: state, arrays, and each of them."""

COPIES = 8 / 3
"""Bytes that a byte of an array takes while a checkpoint is written: as base64, and in the file."""

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
    arrays: Arrays = {}
    plain = _pack(value, arrays)
    return {"arrays": [array for _, array in arrays.values()], "value": plain}


def encoded(plain: Plain, *, sort_keys: bool = False, levels: int = LEVELS) -> Iterator[bytes]:
    """Yield a plain value, whose keys are texts, as `json.dumps` writes it: piece by piece.

    As a whole it would be in memory once more. Values so many levels down are pieces.
    """
    of_dict = isinstance(plain, dict)
    if not levels or not (of_dict or isinstance(plain, list)):
        yield json.dumps(plain, sort_keys=sort_keys).encode()
        return
    yield b"{" if of_dict else b"["
    for place, name in enumerate(sorted(plain) if of_dict and sort_keys else plain):
        yield b", " if place else b""
        if of_dict:
            yield json.dumps(name).encode() + b": "
        value = plain[name] if of_dict else name
        yield from encoded(value, sort_keys=sort_keys, levels=levels - 1)
    yield b"}" if of_dict else b"]"


def _pack(value: Any, arrays: Arrays) -> Plain:
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        # JSON has no infinity; Python writes a finite float so that it reads back the same.
        return value if math.isfinite(value) else {"float": repr(value)}
    if isinstance(value, np.ndarray):
        return {"array": _place_of(value, arrays)}
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


def _place_of(array: NDArray[Any], arrays: Arrays) -> int:
    """Return the place of an array among those that stand once, where it is put if it is new."""
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    content, dtype = little.tobytes(), little.dtype.str
    key = dtype, array.shape, hashlib.sha256(content).digest()
    if key not in arrays:
        data = base64.b64encode(content).decode("ascii")
        plain = {"dtype": dtype, "shape": list(array.shape), "base64": data}
        arrays[key] = len(arrays), plain
    return arrays[key][0]


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
