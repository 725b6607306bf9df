"""A small CSV file in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from daskgmm.errors import SourceError
from daskgmm.readers import remedy
from daskgmm.rows.arrays import ArrayRows
from daskgmm.rows.checks.naming import COLUMNS, NotNumbersError, check_among, check_numbers, listed
from daskgmm.rows.csv.blocks import Types, blocks, in_fitting_types
from daskgmm.rows.csv.dialect import Dialect, opened
from daskgmm.rows.long_integers import long_columns
from daskgmm.rows.tables.arrow_columns import number_type
from daskgmm.rows.tables.frames import arrow_array
from daskgmm.rows.tables.requiring import require
from daskgmm.rows.tables.text_columns import converting, mostly_numbers
from daskgmm.storage.address import Address

FIRST_ROWS = 1000
"""Rows whose texts are looked at for numbers."""

MOST_BYTES = 64 << 20
"""Size of the largest file that is read into memory."""


def read_small(address: Address) -> Any:
    """Return a table of Arrow; raise `SourceError` for a file that is not small."""
    with opened(address) as (_, stored):
        size = stored.seek(0, 2)
    if size > MOST_BYTES:
        raise SourceError(
            f"{address} has {size / (1 << 20):,.0f} MiB. CSV files of up to {MOST_BYTES >> 20} MiB "
            "are read into memory, as they cannot be read in parts. Convert it to Parquet once: "
            f"{remedy('daskgmm.csv_to_parquet', '`daskgmm convert`')}."
        )
    dialect = Dialect().of_file(address)
    dialect.warn(address)
    arrow = require("pyarrow")

    def read(types: Types) -> Any:
        found = list(blocks(address, dialect, types))
        return arrow.concat_tables(found) if found else _empty(dialect)

    return in_fitting_types(read)


def _empty(dialect: Dialect) -> Any:
    arrow = require("pyarrow")
    return arrow.table({name: arrow.array([], "float64") for name in dialect.columns})


class TableRows(ArrayRows):
    """Columns of a table in memory; others may be chosen later.

    Parameters
    ----------
    table : pyarrow.Table
    columns : sequence of str, optional
        The features, in this order; by default all columns.
    source : str
        The path or URL of the file.

    Attributes
    ----------
    table : pyarrow.Table
        All columns.
    """

    def __init__(self, table: Any, columns: Sequence[str] | None, source: str) -> None:
        _check_numbers(table, columns, source)
        array, names = arrow_array(table, columns)
        super().__init__(array, columns=names)
        types = dict(zip(table.schema.names, table.schema.types, strict=True))
        self.long_integers = long_columns(names, types)
        self.source, self.table = source, table

    @property
    def all_columns(self) -> tuple[str, ...]:
        """Every column of the file, those that are no features too."""
        return tuple(self.table.schema.names)

    def select(self, names: Sequence[str]) -> TableRows:
        """Return the rows with these columns as features."""
        assert self.source is not None, "it has the path of the file"
        return TableRows(self.table, names, self.source)

    def column(self, name: str) -> ArrayRows:
        """Return one column as weights."""
        return ArrayRows(arrow_array(self.table, [name])[0][:, 0], self.lengths)


def _check_numbers(table: Any, columns: Sequence[str] | None, source: str) -> None:
    """Raise `DataError` if one of the features is no column of the file, or holds no numbers."""
    names = table.schema.names if columns is None else columns
    check_among(names, table.schema.names, source)
    types = {name: table.schema.field(name).type for name in names}
    kinds = {name: (number_type(kind, nulls=True), str(kind)) for name, kind in types.items()}
    try:
        check_numbers(
            kinds, source, remedy("daskgmm.open_data(path, columns=[{numbers}])", COLUMNS)
        )
    except NotNumbersError as error:
        raise _with_conversion(error, table, source) from None


def _with_conversion(error: NotNumbersError, table: Any, source: str) -> NotNumbersError:
    """Return the error, with what makes numbers of columns of texts that are mostly numbers."""
    texts = table.select(list(error.kinds)).slice(0, FIRST_ROWS)
    named = [name for name, _ in mostly_numbers(texts)]
    if not named:
        return error
    how = converting([source], texts.select(named))
    found = NotNumbersError(f"{error} Or make numbers of {listed(map(repr, named))}: {how}.")
    found.kinds = error.kinds
    return found
