"""The start of a CSV file: its encoding, its first line, and how lines end."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Any

START_BYTES = 1 << 16
"""What is read at once until the first line is whole."""

MARKS = {codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
         codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}  # fmt: skip
"""Bytes that a file in another encoding than UTF-8 begins with; the longer ones first."""

LINE_END = re.compile(r"\r\n|\n|\r")

FIELD_ENDS = ";\t|,\r\n"
"""Characters behind which a quote opens a field, besides a delimiter that was given."""


@dataclass(frozen=True, slots=True)
class Start:
    """What the start of a file tells.

    Attributes
    ----------
    line : str
        The first line that is not empty, without its end. Line ends between quotes end none.
    lines : int
        Line ends in it, and the one behind it.
    empty : int
        Lines before it.
    line_end : str
        Last character of a line end.
    encoding : str
        As it was given, or what the mark at the start of the file says.
    """

    line: str
    lines: int
    empty: int
    line_end: str
    encoding: str


def start_of(file: Any, encoding: str, delimiter: str | None = None) -> Start:
    """Return the start of a file of bytes.

    Raises
    ------
    UnicodeError, LookupError
        If it has another encoding, or there is none of that name.
    """
    read = bytes(file.read(START_BYTES))
    if is_utf8(encoding):
        encoding = next((name for mark, name in MARKS.items() if read.startswith(mark)), encoding)
    ends = re.escape(FIELD_ENDS + (delimiter or ""))
    parts = re.compile(rf'(?:\A|(?<=[{ends}]))"(?:[^"]|"")*"|{LINE_END.pattern}')
    decoder = codecs.getincrementaldecoder("utf-8-sig" if is_utf8(encoding) else encoding)()
    text = decoder.decode(read, final=not read)
    while True:
        found = _first_line(text, encoding, parts, whole=not read)
        if found is not None:
            return found
        # Twice as much each time, as it is looked at from its beginning.
        read = bytes(file.read(max(START_BYTES, len(text))))
        text += decoder.decode(read, final=not read)


def is_utf8(encoding: str) -> bool:
    """Return whether this is a name of UTF-8, which is read as it is, without its mark."""
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")


def _first_line(text: str, encoding: str, parts: re.Pattern[str], *, whole: bool) -> Start | None:
    """Return the first line of values or names; None if the text ends before it does."""
    begin = empty = 0
    for found in parts.finditer(text):
        if '"' in found[0]:
            continue
        if found.end() == len(text) and not whole:
            return None  # a line feed may follow
        line = text[begin : found.start()]
        lines = 1 + len(LINE_END.findall(line))
        if line.strip():
            return Start(line, lines, empty, found[0][-1], encoding)
        begin, empty = found.end(), empty + lines
    return Start(text[begin:], 1, empty, "\n", encoding) if whole else None
