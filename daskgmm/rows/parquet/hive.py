"""Columns in the names of directories, as in ``year=2024/x.parquet``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from daskgmm.rows.tables.requiring import require

NULL = "__HIVE_DEFAULT_PARTITION__"
"""The value in the name of a directory whose rows have a null."""

WHOLE = re.compile(r"[+-]?\d{1,18}")
"""Whole numbers, as pyarrow parses them too. Fractions stay texts: 1.10 is not always 1.1."""


def hive_columns(paths: Sequence[str]) -> list[dict[str, Any]]:
    """Return for each file the values of the columns that name its directories.

    They are whole numbers in columns that have no other values in any file, else texts.
    """
    texts = [_texts(path) for path in paths]
    if not any(texts):
        return [{} for _ in paths]
    names = {name for columns in texts for name in columns}
    kinds = {name: _kind(columns[name] for columns in texts if name in columns) for name in names}
    return [_typed(columns, kinds) for columns in texts]


def _texts(path: str) -> dict[str, str | None]:
    parts = (part.partition("=") for part in path.split("/")[:-1])
    named = {unquote(name): value for name, equals, value in parts if name and equals}
    return {name: None if value == NULL else unquote(value) for name, value in named.items()}


def _kind(values: Iterable[str | None]) -> Any:
    arrow, known = require("pyarrow"), [value for value in values if value is not None]
    if not known:
        return arrow.null()
    return arrow.int64() if all(map(WHOLE.fullmatch, known)) else arrow.string()


def _typed(texts: Mapping[str, str | None], kinds: Mapping[str, Any]) -> dict[str, Any]:
    arrow = require("pyarrow")
    columns = {}
    for name, text in texts.items():
        number = text is not None and kinds[name] == arrow.int64()
        columns[name] = arrow.scalar(int(text) if number and text else text, kinds[name])
    return columns
