"""Data frames of Dask and of Polars, tables of Arrow."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

from numpy.typing import NDArray

from daskgmm.companions import LABELS, WEIGHTS
from daskgmm.rows.arrays import ArrayRows
from daskgmm.rows.kinds.dask_array import DaskArray
from daskgmm.rows.kinds.memory import Memory
from daskgmm.rows.lazy.dask_array import DaskRows
from daskgmm.rows.lazy.graph import held_by_collection
from daskgmm.rows.long_integers import long_columns
from daskgmm.rows.rows import Rows
from daskgmm.rows.source import Predictions, Source
from daskgmm.rows.tables.arrow_texts import TableTexts, holds_texts
from daskgmm.rows.tables.frame_tables import (
    MemoryTable,
    PartitionTable,
    taken_from_arrow,
    taken_from_polars,
)
from daskgmm.rows.tables.frames import (
    arrow_array,
    check_collected,
    check_no_texts,
    frame_array,
    is_arrow_table,
    is_dask_frame,
    is_polars_frame,
    polars_array,
    series_array,
)
from daskgmm.rows.tables.keyed import Table
from daskgmm.rows.texts import Texts


class DaskFrame(Source):
    """A data frame of Dask, or a series of weights."""

    @classmethod
    def matches(cls, x: Any) -> bool:
        return is_dask_frame(x)

    def rows(self, columns: Sequence[str] | None = None) -> Rows:
        array, names = frame_array(self.x, columns)
        rows = DaskRows(array, columns=names)
        rows.long_integers = long_columns(
            self.x.columns if columns is None else columns, dict(self.x.dtypes)
        )
        return rows

    def lazy(self, columns: Sequence[str] | None = None) -> Any:
        return frame_array(self.x, columns)[0]

    def predictions(self, of: Predictions) -> tuple[Any, ...]:
        """Return lazy series or frames with the same index."""
        return of.by_partition(self.x)

    def texts(
        self, name: str, features: Sequence[str] | None = None
    ) -> tuple[Source, Texts] | None:
        """Return None; raise `DataError` for a column of texts, which is not read as one."""
        if name in self.names:
            check_no_texts(self.x[name])
        return None

    def table(self, columns: Sequence[str] | None, keys: Any, part_rows: int) -> Table:
        return PartitionTable(self.x, columns, keys)

    def as_weights(self, rows: Rows, name: str = WEIGHTS) -> Rows:
        if name == LABELS and self.x.ndim == 1:
            check_no_texts(self.x)
        return DaskArray(series_array(self.x, name)).as_weights(rows, name)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(map(str, self.x.columns))

    def leads_to(self) -> Iterable[Any]:
        """Return the operands of the expressions of the frame."""
        return held_by_collection(self.x)


class ColumnsInMemory(Memory):
    """A table in memory that is read by the names of its columns, not by scikit-learn."""

    @property
    def validated(self) -> bool:
        return False

    @property
    def is_part(self) -> bool:
        return True

    @abstractmethod
    def array(self, columns: Sequence[str] | None) -> tuple[NDArray[Any], tuple[str, ...]]:
        """Return the columns as an array of shape (n, d), and their names."""

    def rows(self, columns: Sequence[str] | None = None) -> Rows:
        array, names = self.array(columns)
        rows = ArrayRows(array, columns=names)
        schema = self.as_arrow_head().schema
        rows.long_integers = long_columns(names, dict(zip(schema.names, schema.types, strict=True)))
        return rows

    def open(self, columns: Sequence[str] | None = None) -> Any:
        """Return the columns as an array."""
        return self.array(columns)[0]

    def as_arrow(self, name: str) -> Any:
        """Return a column as a table of Arrow."""
        return self.x.select([name])

    def as_arrow_head(self) -> Any:
        """Return something that has the schema of Arrow."""
        return self.x

    def texts(
        self, name: str, features: Sequence[str] | None = None
    ) -> tuple[Source, Texts] | None:
        if name not in self.names:
            return None
        column = self.as_arrow(name)
        if not holds_texts(column, name):
            return None
        # Features are chosen when rows are made; weights may be among the rest.
        left = self.x.select([each for each in self.names if each != name])
        return type(self)(left, self.options), TableTexts(column, name)


class PolarsFrame(ColumnsInMemory):
    """A data frame of Polars."""

    @classmethod
    def matches(cls, x: Any) -> bool:
        return is_polars_frame(x)

    def array(self, columns: Sequence[str] | None) -> tuple[NDArray[Any], tuple[str, ...]]:
        """Return the columns and their names; raise `TypeError` for a lazy frame."""
        return polars_array(self.x, columns)

    def as_arrow(self, name: str) -> Any:
        return self.x.select([name]).to_arrow()

    def as_arrow_head(self) -> Any:
        return self.x.head(0).to_arrow()

    def texts(
        self, name: str, features: Sequence[str] | None = None
    ) -> tuple[Source, Texts] | None:
        check_collected(self.x)
        return super().texts(name, features)

    def table(self, columns: Sequence[str] | None, keys: Any, part_rows: int) -> Table:
        return MemoryTable(taken_from_polars(self.x, columns, keys), part_rows)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(map(str, self.x.columns))


class ArrowTable(ColumnsInMemory):
    """A table or record batch of Arrow."""

    @classmethod
    def matches(cls, x: Any) -> bool:
        return is_arrow_table(x)

    def array(self, columns: Sequence[str] | None) -> tuple[NDArray[Any], tuple[str, ...]]:
        return arrow_array(self.x, columns)

    def table(self, columns: Sequence[str] | None, keys: Any, part_rows: int) -> Table:
        return MemoryTable(taken_from_arrow(self.x, columns, keys), part_rows)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.x.schema.names)
