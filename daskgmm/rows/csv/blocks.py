"""CSV files block by block, each column in a type that all its values have.

Arrow infers types from the first block. Where a later value does not fit, the column is read anew
in the next wider type: integers as floats, and all else as text.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from daskgmm.errors import DaskGMMError, DataError, SourceError
from daskgmm.rows.csv.dialect import Dialect, opened
from daskgmm.rows.csv.start import is_utf8
from daskgmm.rows.long_integers import EXACT
from daskgmm.rows.tables.requiring import require
from daskgmm.storage.address import Address
from daskgmm.user_warnings import warn_user

BLOCK_BYTES = 16 << 20
"""Text that is parsed at once; types are inferred from as much."""

UTF8, QUOTE = "utf8", b'"'

WIDE = 1 << 14
"""Columns above which a line may be longer than the part of a block (1 MiB) that Arrow parses on
one thread, and fails; such blocks are parsed as wholes. Of so many columns, threads that take one
each would take longer than one thread for all: 18 s instead of 5 of 131,072 columns."""

WIDER = {"null": "int64", "int64": "float64"}
"""Types that a value did not fit, with those that hold it and the values before; else text."""

WHOLE = re.compile(r"\s*[+-]?\d+\s*")
"""A value that a wider type of whole numbers holds."""

NO_DECIMAL = re.compile(r"CSV column #(\d+): .*(?:Decimal|decimal128)")

MISFIT = re.compile(r"CSV column #(\d+): .*CSV conversion error to ([^:]+): invalid value '(.*)'")

Types = Mapping[str, Any]
"""Types of Arrow by the name of the column, of those that are not left to inference."""

Result = TypeVar("Result")


class MisfitError(DaskGMMError):
    """A value does not fit the type of its column; `name` and `wider` say what does."""

    def __init__(self, name: str, wider: str) -> None:
        super().__init__(name, wider)
        self.name, self.wider = name, wider


def in_fitting_types(read: Callable[[Types], Result]) -> Result:
    """Return what `read` makes of the blocks, once it was called with types that fit all values."""
    types: dict[str, Any] = {}
    while True:
        try:
            return read(types)
        except MisfitError as found:
            types[found.name] = _type_of(found.wider)


def _type_of(name: str) -> Any:
    arrow = require("pyarrow")
    return arrow.decimal128(*LONG) if name == LONG_INTEGERS else arrow.type_for_alias(name)


def blocks(
    address: Address, dialect: Dialect, types: Types, at: Callable[[int], None] = lambda _: None
) -> Iterator[Any]:
    """Yield tables of Arrow; `at` is called with the stored bytes that were read.

    Arrow's own reader of streams reads up to 32 blocks ahead, of Python's files on threads of its
    own; here a block is read when it is asked for.

    Raises
    ------
    MisfitError
        If a value does not fit the type of its column.
    DataError
        If a line has too few or too many fields.
    SourceError
        If the file cannot be read or decoded.
    """
    arrow, csv = require("pyarrow"), require("pyarrow.csv")
    known, skipped, rows = dict(types), dialect.skipped, 0
    rounded: set[str] = set()
    # An empty line of one column is a missing value.
    parse = csv.ParseOptions(
        delimiter=dialect.delimiter,
        newlines_in_values=True,
        ignore_empty_lines=len(dialect.names) > 1,
    )
    nulls, wide = dialect.missing_values, len(dialect.names) > WIDE
    for text in _texts(address, dialect, at):
        convert = csv.ConvertOptions(
            column_types=known, decimal_point=dialect.decimal, strings_can_be_null=True,
            include_columns=dialect.columns, null_values=nulls,
        )  # fmt: skip
        read = csv.ReadOptions(
            column_names=list(dialect.names), skip_rows=skipped,
            block_size=len(text) if wide else None,
            use_threads=not wide,
        )  # fmt: skip
        try:
            block = csv.read_csv(arrow.py_buffer(text), read, parse, convert)
        except arrow.ArrowInvalid as error:
            raise _explained(address, dialect, error, rows) from error
        for name in long_integers(block, text, read, parse, convert):
            if name not in types:
                raise MisfitError(name, LONG_INTEGERS)
            if name not in rounded:
                rounded.add(name)
                warn_user(rounding(address, name))
        known = dict(zip(block.schema.names, block.schema.types, strict=True))
        skipped, rows = 0, rows + len(block)
        if len(block):
            yield block


def _texts(address: Address, dialect: Dialect, at: Callable[[int], None]) -> Iterator[bytes]:
    """Yield the text in blocks of whole lines, in UTF-8."""
    with opened(address) as (file, stored):
        if not is_utf8(dialect.encoding):
            file = codecs.EncodedFile(file, UTF8, dialect.encoding)
        left = b""
        while read := _read(file, address, dialect):
            text = left + read
            end = _end_of_lines(text, dialect.line_end.encode())
            left = text[end:]
            at(stored.tell())
            if end:
                yield text[:end]
        if left:
            yield left


def _read(file: Any, address: Address, dialect: Dialect) -> bytes:
    try:
        return bytes(file.read(BLOCK_BYTES))
    except UnicodeError as error:
        raise dialect.not_decoded(address) from error


def _end_of_lines(text: bytes, line_end: bytes) -> int:
    """Return where the last whole line ends; line ends between quotes end none."""
    end, quotes = len(text), text.count(QUOTE)
    while (newline := text.rfind(line_end, 0, end)) >= 0:
        quotes -= text.count(QUOTE, newline, end)
        if quotes % 2 == 0:
            return newline + 1
        end = newline
    return 0


def _explained(address: Address, dialect: Dialect, error: Exception, rows: int) -> Exception:
    """Return the error of Arrow as one of a value's type, of a line, or of the file."""
    text = " ".join(str(error).split())
    if found := MISFIT.search(text):
        column, kind, value = found.groups()
        if "invalid UTF8" in text:
            return dialect.not_decoded(address)
        name = dialect.names[int(column)]
        if kind == "string":
            return DataError(f"{address}, column {name!r}: {value!r} cannot be read.")
        whole = kind == "int64" and WHOLE.fullmatch(value)
        return MisfitError(name, LONG_INTEGERS if whole else WIDER.get(kind, "string"))
    if found := NO_DECIMAL.search(text):
        return MisfitError(dialect.names[int(found[1])], "float64")
    if "UTF8" in text or "utf" in text.lower():
        return dialect.not_decoded(address)
    if "Expected" in text:
        reason = text.removeprefix("CSV parse error: ")
        return DataError(
            f"{address} has a line with another number of fields than its first one, after row "
            f"{rows:,}. {reason}. Mend the line, or say what is between fields with delimiter "
            "(--delimiter)."
        )
    return SourceError(f"{address} cannot be read as CSV: {text}.")


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
