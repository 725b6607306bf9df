"""A column of texts of a small CSV file."""

from __future__ import annotations

from typing import Any

import numpy as np

from daskgmm.rows.arrays import ArrayRows, ArraySegment
from daskgmm.rows.grid import check_chunks, regular_lengths
from daskgmm.rows.tables.arrow_texts import entries_of, is_text
from daskgmm.rows.texts import Texts


class TableTexts(Texts):
    """The texts of a column of a table in memory, in one chunk.

    Parameters
    ----------
    table : pyarrow.Table
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
