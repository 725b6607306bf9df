"""Columns of Arrow that hold texts, as texts or as their places among names."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.companions import LABELS
from daskgmm.errors import DataError
from daskgmm.rows.arrays import ArrayRows, ArraySegment
from daskgmm.rows.grid import check_chunks, regular_lengths
from daskgmm.rows.tables.requiring import require
from daskgmm.rows.texts import Texts

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
        column = column.cast(column.type.value_type)
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


class TableTexts(Texts):
    """The texts of a column of a table in memory, or their places, in one chunk.

    Parameters
    ----------
    table : pyarrow.Table or pyarrow.RecordBatch
    name : str
        The column.
    """

    in_process, reads = True, False
    dtype = np.dtype(np.int32)

    def __init__(self, table: Any, name: str) -> None:
        self._column, self._name = table.column(name), name
        self.lengths = regular_lengths(len(table), max(1, len(table)))

    def among(self, names: tuple[str, ...]) -> ArrayRows:
        """Return the places of the texts among sorted ones."""
        return ArrayRows(entries_of(self._column, self._name, names))

    def segment(self, first: int, stop: int) -> ArraySegment:
        """Return the texts, if the only chunk is asked for."""
        check_chunks(first, stop, len(self.lengths))
        bounds = (0, *self.lengths[first:stop].tolist())
        return ArraySegment(entries_of(self._column, self._name, None)[: bounds[-1]], bounds)


def holds_texts(table: Any, name: str) -> bool:
    """Return whether a table has a column of that name, and it holds texts."""
    return name in table.schema.names and is_text(str(table.schema.field(name).type))
