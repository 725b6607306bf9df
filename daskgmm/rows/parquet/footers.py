"""Footers of Parquet files: rows of each row group, columns and their types."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from daskgmm.errors import DataError, SourceError
from daskgmm.rows.checks.naming import check_among, check_numbers
from daskgmm.rows.parquet.data_file import DataFile
from daskgmm.rows.parquet.files import opened_version
from daskgmm.rows.parquet.version import Version
from daskgmm.rows.tables.arrow_columns import fixed_length, list_type, number_type
from daskgmm.rows.tables.requiring import require
from daskgmm.storage.address import Address
from daskgmm.storage.emptiness import told_if_empty

FOOTER_THREADS = 16
"""Number of footers that are read at a time: a store takes a while to answer each."""

PARTED = ", by which files are parted"
"""Suffix of the type of a column that is not stored in the file."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a Parquet file.

    Attributes
    ----------
    dtype : numpy.dtype or None
        Type of its numbers, or of those in its lists; None if it holds no numbers.
    kind : str
        The stored type.
    values : tuple of int, or None
        For lists the number of stored values of each row group, one for a null or empty list.
    length : int or None
        Length of the lists, if their type has it.
    """

    dtype: np.dtype[Any] | None
    kind: str
    values: tuple[int, ...] | None = None
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Footer:
    """The footer of a Parquet file.

    Attributes
    ----------
    address : Address
    rows : tuple of int
        Number of rows of each row group; there may be none.
    columns : dict of Column
    index : frozenset of str
        Columns that hold the index of a data frame.
    version : Version
    partition : frozenset of str
        Columns that partition rows into files.
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
        """All columns but those of an index or a partition."""
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
        told_if_empty(file.address, SourceError),
        file.address.explain(SourceError, what, advice),
        opened_version(file.address) as (opened, details),
    ):
        return _footer(file, opened, Version.of(opened.metadata, details))


def column_types(
    footers: Sequence[Footer], names: Sequence[str], how: str
) -> dict[str, np.dtype[Any]]:
    """Return the types of numeric columns over all files; `how` to choose columns is for errors."""
    types: dict[str, np.dtype[Any]] = {}
    for footer in footers:
        check_among(names, tuple(footer.columns), str(footer.address))
        kinds = {name: (footer.columns[name].dtype, footer.columns[name].kind) for name in names}
        check_numbers(kinds, str(footer.address), how)
        for name, (dtype, _) in kinds.items():
            assert dtype is not None
            types[name] = np.result_type(dtype, types.get(name, dtype))
    return types


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


def first_rows(footer: Footer, names: Sequence[str], rows: int) -> Any:
    """Return columns of the first rows of a file, as a table of Arrow."""
    what = f"The Parquet file {footer.address} cannot be read"
    with (
        footer.address.explain(SourceError, what, "Check that it is a whole file."),
        opened_version(footer.address) as (opened, _),
    ):
        batches = list(islice(opened.iter_batches(rows, columns=list(names)), 1))
        schema = None if batches else opened.schema_arrow.empty_table().select(names).schema
        return require("pyarrow").Table.from_batches(batches, schema)


def null_counts(footers: Sequence[Footer]) -> dict[str, int]:
    """Return how many nulls columns of numbers have, by the statistics of all files.

    Columns of lists, and those whose writer counted no nulls, are left out.
    """
    with ThreadPoolExecutor(min(FOOTER_THREADS, len(footers))) as pool:
        of_files = list(pool.map(_nulls, footers))
    names = [name for name in of_files[0] if all(name in each for each in of_files)]
    return {name: sum(each[name] for each in of_files) for name in names}


def _nulls(footer: Footer) -> dict[str, int]:
    with opened_version(footer.address) as (opened, _):
        metadata = opened.metadata
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    plain = {name for name, each in footer.columns.items() if each.dtype and each.values is None}
    found: dict[str, int] = {}
    for leaf in range(metadata.num_columns):
        name = metadata.schema.column(leaf).path
        told = [group.column(leaf).statistics for group in groups]
        if name in plain and all(each is not None and each.has_null_count for each in told):
            found[name] = sum(each.null_count for each in told)
    return found


def _footer(file: DataFile, opened: Any, version: Version) -> Footer:
    schema, metadata = opened.schema_arrow, opened.metadata
    names = [column.name for column in schema]
    check_among(names, names, str(file.address))
    columns, leaf = {}, 0
    for stored in schema:
        columns[stored.name] = _column(stored, metadata, leaf)
        leaf += _leaves(stored.type)
    rows = tuple(metadata.row_group(i).num_rows for i in range(metadata.num_row_groups))
    stored_index = (schema.pandas_metadata or {}).get("index_columns", [])
    index = frozenset(name for name in stored_index if isinstance(name, str))
    constants = _constants(file, columns)
    partition = frozenset(file.partition).intersection(constants)
    for name, value in constants.items():
        columns[name] = _of_constant(value, rows, PARTED if name in partition else "")
    if file.table:
        columns = {name: columns[name] for name in file.table}
    return Footer(file.address, rows, columns, index, version, partition, constants)


def _constants(file: DataFile, stored: Container[str]) -> dict[str, Any]:
    """Return the columns that are not read from the file, among them partitions of a table."""
    if file.table:
        absent = {name: value for name, value in file.table.items() if name not in stored}
        return {**absent, **file.partition}
    return {name: value for name, value in file.partition.items() if name not in stored}


def _column(stored: Any, metadata: Any, leaf: int) -> Column:
    """Return the column of a field of the schema whose first leaf has the index `leaf`."""
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
    """Return whether there may be a null by the statistics."""
    for group in range(metadata.num_row_groups):
        chunk = metadata.row_group(group).column(column)
        statistics = chunk.statistics
        if not chunk.num_values:
            continue
        if statistics is None or not statistics.has_null_count or statistics.null_count:
            return True
    return False
