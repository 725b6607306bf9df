"""CSV files, and their rows once they are open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from daskgmm.companions import WEIGHTS
from daskgmm.rows.csv.dialect import ALL_SUFFIXES, Dialect, is_csv
from daskgmm.rows.csv.table import TableRows, read_small
from daskgmm.rows.kinds.parquet import OpenRows
from daskgmm.rows.matching import column_of
from daskgmm.rows.rows import Rows
from daskgmm.rows.source import Source, path_of
from daskgmm.rows.tables.arrow_columns import number_type
from daskgmm.rows.tables.arrow_texts import TableTexts, holds_texts
from daskgmm.rows.tables.frame_tables import MemoryTable, taken_from_arrow
from daskgmm.rows.tables.keyed import Table
from daskgmm.rows.tables.text_columns import LOOKED_AT, Columns, check_words
from daskgmm.rows.texts import Texts


def columns_of(schema: Any) -> Columns:
    """Return the columns of a schema of Arrow by what becomes of them."""
    kinds = ((each.name, each.type) for each in schema)
    numbers = ((name, kind, number_type(kind, nulls=True)) for name, kind in kinds)
    return Columns.of((name, str(kind), number is not None) for name, kind, number in numbers)


class CsvFile(Source):
    """The path or URL of a CSV file, which is read into memory if it is small."""

    named = keyed = True
    suffixes = ALL_SUFFIXES
    _table: Any = None

    @classmethod
    def matches(cls, x: Any) -> bool:
        name = path_of(x)
        return name is not None and is_csv(name)

    def rows(self, columns: Sequence[str] | None = None) -> Rows:
        return TableRows(self._read, columns, str(self.path))

    def lazy(self, columns: Sequence[str] | None = None) -> None:
        """Return None: the rows are in memory."""

    def texts(
        self, name: str, features: Sequence[str] | None = None
    ) -> tuple[Source, Texts] | None:
        if not holds_texts(self._read, name):
            return None
        others = [each for each in self._read.schema.names if each != name]
        left = TableRows(self._read, others if features is None else features, str(self.path))
        return OpenCsv(left, self.options), TableTexts(self._read, name)

    def columns(self) -> Columns:
        found = columns_of(self._read.schema)
        check_words(
            self._read.select(list(found.texts)).slice(0, LOOKED_AT), str(self.path), is_csv=True
        )
        return found

    def table(self, columns: Sequence[str] | None, keys: Any, part_rows: int) -> Table:
        return MemoryTable(taken_from_arrow(self._read, columns, keys), part_rows)

    def as_weights(self, rows: Rows, name: str = WEIGHTS) -> Rows:
        return column_of(self.rows(), rows, name)

    @property
    def _read(self) -> Any:
        # Not a cached_property, whose frame a warning would point at.
        if self._table is None:
            self._table = read_small(self.address)
        return self._table

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(Dialect().of_file(self.address).columns)


class OpenCsv(OpenRows):
    """Rows of a CSV file that are open."""

    @classmethod
    def matches(cls, x: Any) -> bool:
        return isinstance(x, TableRows)

    def lazy(self, columns: Sequence[str] | None = None) -> None:
        """Return None: the rows are in memory."""

    def texts(
        self, name: str, features: Sequence[str] | None = None
    ) -> tuple[Source, Texts] | None:
        if not holds_texts(self.x.table, name):
            return None
        left = self.x if features is None else self.x.select(features)
        return OpenCsv(left, self.options), TableTexts(self.x.table, name)

    def table(self, columns: Sequence[str] | None, keys: Any, part_rows: int) -> Table:
        chosen = self.x.columns if columns is None else columns
        return MemoryTable(taken_from_arrow(self.x.table, chosen, keys), part_rows)
