"""Columns of Arrow that hold texts, as texts or as their places among names."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.companions import LABELS
from daskgmm.errors import DataError
from daskgmm.rows.tables.arrow_columns import require

TEXTS = ("string", "large_string", "string_view")
"""Types of Arrow that hold texts, as they are called."""


def is_text(kind: str) -> bool:
    """Return whether a column of the type of this name holds texts, or categories of texts."""
    values = kind.partition(",")[0].removeprefix("dictionary<values=")
    return values in TEXTS


def entries_of(column: Any, name: str, names: tuple[str, ...] | None) -> NDArray[Any]:
    """Return the texts of a column, None where one is missing, or their places among sorted ones.

    Raises
    ------
    DataError
        If a text is none of the names.
    """
    arrow = require("pyarrow")
    if arrow.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if names is None:
        return np.asarray(column.to_numpy(zero_copy_only=False), object)
    known = arrow.array(names, column.type)
    places = require("pyarrow.compute").index_in(column, value_set=known)
    if places.null_count > column.null_count:
        raise DataError(
            f"{LABELS} have changed while they were read: column {name!r} holds a text that was "
            "not there. Write them elsewhere, or wait."
        )
    return np.asarray(places.fill_null(-1).to_numpy(zero_copy_only=False), np.int32)
