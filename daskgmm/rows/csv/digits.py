"""Integers of CSV that no float64 holds, as identifiers of rows have them."""

from __future__ import annotations

from typing import Any

from daskgmm.rows.tables.requiring import require
from daskgmm.storage.address import Address

EXACT = 2.0**53
"""Beyond it a float64 does not hold every integer."""

LONG_INTEGERS = "long integers"
"""Name of the type of integers that int64 does not hold."""

LONG = (38, 0)
"""Digits of that type of Arrow, before and after the point."""


def long_integers(block: Any, text: bytes, read: Any, parse: Any, convert: Any) -> list[str]:
    """Return the columns of a block, read as floats, whose text has integers that these round.

    Only columns with such large numbers are read again, as texts, with the options of the block.
    """
    arrow, compute = require("pyarrow"), require("pyarrow.compute")
    double = arrow.float64()
    large = [
        field.name
        for field, column in zip(block.schema, block.columns, strict=True)
        if field.type == double and _largest(compute.min_max(column)) >= EXACT
    ]
    if not large:
        return []
    convert.include_columns, convert.column_types = large, dict.fromkeys(large, arrow.string())
    texts = require("pyarrow.csv").read_csv(arrow.py_buffer(text), read, parse, convert)
    return [name for name in large if any(map(_is_rounded, texts[name].to_pylist()))]


def rounding(address: Address, name: str) -> str:
    """Return the warning for a column of such integers and other numbers."""
    return (
        f"{address}, column {name!r}: integers beyond 2^53 stand among fractions or longer "
        "numbers, and are rounded to the 16 digits of float64. If they identify rows, write the "
        "column without the others, or as text."
    )


def _largest(ends: Any) -> float:
    low, high = ends["min"].as_py(), ends["max"].as_py()
    return 0.0 if low is None else max(-low, high)


def _is_rounded(text: str | None) -> bool:
    digits = (text or "").strip().lstrip("+-")
    if not digits.isdecimal():
        return False
    return len(digits) > LONG[0] or int(float(digits)) != int(digits)
