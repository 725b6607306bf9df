"""Rows that are open, and Parquet files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from daskgmm.names import PARQUET_SUFFIXES
from daskgmm.rows.parquet import files as parquet_files
from daskgmm.rows.parquet.finding import find_files
from daskgmm.rows.parquet.footers import Footer, first_rows, read_footers, shared_features
from daskgmm.rows.parquet.rows import ParquetRows, open_parquet
from daskgmm.rows.parquet.tables import ParquetTable, parquet_table
from daskgmm.rows.parquet.texts import TextColumn, holds_texts
from daskgmm.rows.rows import Rows
from daskgmm.rows.source import Source, path_of
from daskgmm.rows.tables.keyed import Table
from daskgmm.rows.tables.text_columns import LOOKED_AT, Columns, check_words
from daskgmm.rows.texts import Texts

HOLDING = ("source", "parts", "_array")
"""Attributes of rows that lead to the files or arrays that they are read from."""


class OpenRows(Source):
    """Rows that are open."""

    @classmethod
    def matches(cls, x: Any) -> bool:
        return isinstance(x, Rows)

    def rows(self, columns: Sequence[str] | None = None) -> Rows:
        rows: Rows = self.x
        return rows if columns is None or rows.columns is None else rows.select(columns)

    @property
    def names(self) -> tuple[str, ...]:
        names: tuple[str, ...] = self.x.all_columns
        return names

    def leads_to(self) -> Iterable[Any]:
        """Return the path, the parts and the array that the rows have."""
        return [getattr(self.x, name, None) for name in HOLDING]


class OpenParquet(OpenRows):
    """Rows of Parquet files that are open."""

    @classmethod
    def matches(cls, x: Any) -> bool:
        return isinstance(x, ParquetRows)

    def table(self, columns: Sequence[str] | None, keys: Any, part_rows: int) -> Table:
        return ParquetTable(self.x if columns is None else self.x.select(columns), keys)

    def texts(
        self, name: str, features: Sequence[str] | None = None
    ) -> tuple[Source, Texts] | None:
        if not holds_texts(self.x.footers, name):
            return None
        left = self.x if features is None else self.x.select(features)
        return OpenParquet(left, self.options), TextColumn(left, name)

    def leads_to(self) -> Iterable[Any]:
        """Return the paths of the files."""
        return [footer.address.url for footer in self.x.footers]


class ParquetFiles(Source):
    """A path, URL or glob of Parquet files."""

    suffixes = PARQUET_SUFFIXES
    named = keyed = True

    @classmethod
    def matches(cls, x: Any) -> bool:
        name = path_of(x)
        return name is not None and parquet_files.is_parquet(name)

    def rows(self, columns: Sequence[str] | None = None) -> Rows:
        return open_parquet(self.x, columns, self.options)

    def texts(
        self, name: str, features: Sequence[str] | None = None
    ) -> tuple[Source, Texts] | None:
        if not holds_texts(self.footers, name):
            return None
        others = [each for each in shared_features(self.footers) if each != name]
        left = ParquetRows(self.footers, others if features is None else features)
        left.source = self.path
        return OpenParquet(left, self.options), TextColumn(left, name)

    def columns(self) -> Columns:
        footer, names = self.footers[0], shared_features(self.footers)
        kinds = ((name, footer.columns[name]) for name in names)
        found = Columns.of((name, each.kind, each.dtype is not None) for name, each in kinds)
        stored = [name for name in found.texts if name not in footer.constants]
        if stored:
            check_words(first_rows(footer, stored, LOOKED_AT), str(self.path))
        return found

    def table(self, columns: Sequence[str] | None, keys: Any, part_rows: int) -> Table:
        return parquet_table([self.address], columns, keys)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.footers[0].columns)

    @cached_property
    def footers(self) -> tuple[Footer, ...]:
        """Footers of the files, in order."""
        return read_footers(find_files([self.address]))
