"""What the footers of Parquet files tell: rows of each row group, columns and their types."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from daskgmm.errors import DataError, SourceError
from daskgmm.rows.naming import check_among, check_numbers
from daskgmm.rows.parquet.data_file import DataFile
from daskgmm.rows.parquet.files import opened_version
from daskgmm.rows.parquet.version import Version
from daskgmm.rows.tables.arrow_columns import fixed_length, list_type, number_type
from daskgmm.storage.address import Address

FOOTER_THREADS = 16
"""Footers that are read at a time: in a store each one waits for an answer or two."""

PARTED = ", by which files are parted"
"""Says of a column that it is not stored in the file."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a Parquet file.

    Attributes
    ----------
    dtype : numpy.dtype or None
        The type as numbers, or of the numbers in its lists; None if it holds none.
    kind : str
        The type as it is stored.
    values : tuple of int, or None
        If it holds lists: how many values each row group stores. A null and an empty list are
        stored as one.
    length : int or None
        Of the lists, if their type says it.
    """

    dtype: np.dtype[Any] | None
    kind: str
    values: tuple[int, ...] | None = None
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Footer:
    """One Parquet file.

    Attributes
    ----------
    address : Address
    rows : tuple of int
        Rows of each row group; there may be none.
    columns : dict of Column
    index : frozenset of str
        Columns that hold the index of a data frame.
    version : Version
    partition : frozenset of str
        Columns by which rows are parted into files.
    constants : dict of pyarrow.Scalar
        The value in all rows of columns that are not in the file.
    """

    address: Address
    rows: tuple[int, ...]
    columns: Mapping[str, Column]
    index: frozenset[str]
    version: Version
    partition: frozenset[str] = frozenset()
    constants: Mapping[str, Any] = field(default_factory=dict)

    @property
    def features(self) -> tuple[str, ...]:
        """All columns but those that hold an index, or by which rows are parted."""
        others = self.index | self.partition
        return tuple(name for name in self.columns if name not in others)


def read_footers(files: Sequence[DataFile]) -> tuple[Footer, ...]:
    """Read the footer of each file, several at a time."""
    with ThreadPoolExecutor(min(FOOTER_THREADS, len(files))) as pool:
        return tuple(pool.map(read_footer, files))


def read_footer(file: DataFile) -> Footer:
    """Read the footer of one file."""
    advice = "If the store could not be reached, run again; else check that it is a whole file."
    what = f"The footer of the Parquet file {file.address} cannot be read"
    with (
        file.address.explain(SourceError, what, advice),
        opened_version(file.address) as (opened, told),
    ):
        return _footer(file, opened, Version.of(opened.metadata, told))


def column_types(
    footers: Sequence[Footer], names: Sequence[str], how: str
) -> dict[str, np.dtype[Any]]:
    """Return the types of numeric columns over all files; `how` to choose columns is for errors."""
    found: dict[str, np.dtype[Any]] = {}
    for footer in footers:
        check_among(names, tuple(footer.columns), str(footer.address))
        kinds = {name: (footer.columns[name].dtype, footer.columns[name].kind) for name in names}
        check_numbers(kinds, str(footer.address), how)
        for name, (dtype, _) in kinds.items():
            assert dtype is not None
            found[name] = np.result_type(dtype, found.get(name, dtype))
    return found


def check_stored_alike(footers: Sequence[Footer], names: Iterable[str]) -> None:
    """Raise `DataError` if a column is stored in a file, and another is only parted by it.

    A file that has both may hold other values than the name of its directory says.
    """
    for name in names:
        parted = [footer for footer in footers if name in footer.partition]
        stored = [footer for footer in footers if name not in footer.partition]
        if parted and stored:
            raise DataError(
                f"Column {name!r} is stored in {stored[0].address}, and of "
                f"{parted[0].address} only the directory or the log says it. Give files that "
                "agree, or leave the column out."
            )


def shared_features(footers: Sequence[Footer]) -> tuple[str, ...]:
    """Return the columns of the first file, which all other files must have, and no more."""
    first = footers[0]
    for footer in footers[1:]:
        check_among(first.features, footer.features, str(footer.address))
        check_among(footer.features, first.features, str(first.address))
    return first.features


def _footer(file: DataFile, opened: Any, version: Version) -> Footer:
    schema, metadata = opened.schema_arrow, opened.metadata
    names = [column.name for column in schema]
    check_among(names, names, str(file.address))
    columns, leaf = {}, 0
    for stored in schema:
        columns[stored.name] = _column(stored, metadata, leaf)
        leaf += _leaves(stored.type)
    rows = tuple(metadata.row_group(i).num_rows for i in range(metadata.num_row_groups))
    kept = (schema.pandas_metadata or {}).get("index_columns", [])
    index = frozenset(name for name in kept if isinstance(name, str))
    constants = _constants(file, columns)
    partition = frozenset(file.partition).intersection(constants)
    for name, value in constants.items():
        columns[name] = _of_constant(value, rows, PARTED if name in partition else "")
    if file.table:
        columns = {name: columns[name] for name in file.table}
    return Footer(file.address, rows, columns, index, version, partition, constants)


def _constants(file: DataFile, stored: Container[str]) -> dict[str, Any]:
    """Return what is not read from the file: of a table, all by which it is parted."""
    if file.table:
        absent = {name: value for name, value in file.table.items() if name not in stored}
        return {**absent, **file.partition}
    return {name: value for name, value in file.partition.items() if name not in stored}


def _column(stored: Any, metadata: Any, leaf: int) -> Column:
    """Return what a field of the schema is, whose first or only leaf has that number."""
    lists = list_type(stored.type)
    numbers = stored if lists is None else lists.value_field
    dtype = number_type(numbers.type, nulls=False)
    if dtype is None:
        return Column(None, str(stored.type))
    if dtype.kind != "f" and (stored.nullable or numbers.nullable):
        dtype = number_type(numbers.type, nulls=_may_have_nulls(metadata, leaf))
    if lists is None:
        return Column(dtype, str(stored.type))
    groups = range(metadata.num_row_groups)
    values = tuple(metadata.row_group(group).column(leaf).num_values for group in groups)
    return Column(dtype, str(stored.type), values, fixed_length(lists))


def _of_constant(value: Any, rows: tuple[int, ...], where: str) -> Column:
    lists, kind = list_type(value.type), f"{value.type}{where}"
    if lists is not None:
        # A null for each row.
        dtype = number_type(lists.value_type, nulls=True)
        return Column(dtype, kind, rows if dtype else None, fixed_length(lists))
    return Column(number_type(value.type, nulls=not value.is_valid), kind)


def _leaves(arrow_type: Any) -> int:
    """Return how many columns Parquet makes of a type."""
    stored = getattr(arrow_type, "storage_type", arrow_type)
    children = [stored.field(index).type for index in range(stored.num_fields)]
    return sum(map(_leaves, children)) if children else 1


def _may_have_nulls(metadata: Any, column: int) -> bool:
    """Tell whether the statistics leave it open that there is a null."""
    for group in range(metadata.num_row_groups):
        chunk = metadata.row_group(group).column(column)
        found = chunk.statistics
        if not chunk.num_values:
            continue
        if found is None or not found.has_null_count or found.null_count:
            return True
    return False
