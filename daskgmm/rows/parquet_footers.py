"""What the footers of Parquet files tell: rows of each row group, columns and their types."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from daskgmm.errors import DataError, SourceError
from daskgmm.rows.arrow_columns import number_type, require
from daskgmm.rows.naming import check_among, check_numbers
from daskgmm.rows.parquet_files import Options, opened_version
from daskgmm.storage_options import described, harmless, shown

FOOTER_THREADS = 16
"""Footers that are read at a time: in a store each one waits for an answer or two."""


@dataclass(frozen=True, slots=True)
class Footer:
    """One Parquet file.

    Attributes
    ----------
    path : str
    rows : tuple of int
        Rows of each row group; there may be none.
    columns : dict of (numpy.dtype or None, str)
        The type as numbers, None if it holds none, and as it is stored.
    index : frozenset of str
        Columns that hold the index of a data frame.
    stamp : str
        Differs for a file that was written again: a digest of the footer, and of what the file
        system says of its age.
    """

    path: str
    rows: tuple[int, ...]
    columns: Mapping[str, tuple[np.dtype[Any] | None, str]]
    index: frozenset[str]
    stamp: str

    @property
    def features(self) -> tuple[str, ...]:
        """All columns but those that hold an index."""
        return tuple(name for name in self.columns if name not in self.index)


def read_footers(paths: Sequence[str], options: Options) -> tuple[Footer, ...]:
    """Read the footer of each file, several at a time.

    Raises
    ------
    SourceError
        If a file cannot be read.
    """
    with ThreadPoolExecutor(min(FOOTER_THREADS, len(paths))) as pool:
        return tuple(pool.map(lambda path: read_footer(path, options), paths))


def read_footer(path: str, options: Options) -> Footer:
    """Read the footer of one file."""
    try:
        with opened_version(path, options) as (file, version):
            return _footer(path, file, _stamp(file.metadata, version))
    except (SourceError, DataError):
        raise
    except Exception as error:
        raise SourceError(
            f"{described(error, options)}, while the footer of {shown(path)} was read. If the "
            "store could not be reached, run again; else check that it is a whole Parquet file."
        ) from harmless(error, options)


def column_types(
    footers: Sequence[Footer], names: Sequence[str], how: str
) -> dict[str, np.dtype[Any]]:
    """Return the types of the columns over all files, as numbers.

    Parameters
    ----------
    how : str
        To choose columns; for errors.

    Raises
    ------
    DataError
        If a file lacks one of them, or one holds no numbers there; it names both.
    """
    found: dict[str, np.dtype[Any]] = {}
    for footer in footers:
        check_among(names, tuple(footer.columns), footer.path)
        kinds = {name: footer.columns[name] for name in names}
        check_numbers(kinds, footer.path, how)
        for name, (dtype, _) in kinds.items():
            assert dtype is not None
            found[name] = np.result_type(dtype, found.get(name, dtype))
    return found


def shared_features(footers: Sequence[Footer]) -> tuple[str, ...]:
    """Return the columns of the first file, which all other files must have, and no more.

    Raises
    ------
    DataError
        If files differ in their columns; it names a file and a column.
    """
    first = footers[0]
    for footer in footers[1:]:
        check_among(first.features, footer.features, footer.path)
        check_among(footer.features, first.features, first.path)
    return first.features


def _footer(path: str, file: Any, stamp: str) -> Footer:
    schema, metadata = file.schema_arrow, file.metadata
    leaves = {metadata.schema.column(i).path: i for i in range(metadata.num_columns)}
    names = [field.name for field in schema]
    check_among(names, names, path)
    columns = {}
    for field in schema:
        dtype = number_type(field.type, nulls=False)
        if dtype is not None and dtype.kind != "f" and field.nullable:
            nulls = _may_have_nulls(metadata, leaves[field.name])
            dtype = number_type(field.type, nulls=nulls)
        columns[field.name] = (dtype, str(field.type))
    rows = tuple(metadata.row_group(i).num_rows for i in range(metadata.num_row_groups))
    kept = (schema.pandas_metadata or {}).get("index_columns", [])
    index = frozenset(name for name in kept if isinstance(name, str))
    return Footer(path, rows, columns, index, stamp)


def _stamp(metadata: Any, version: Mapping[str, str]) -> str:
    footer = require("pyarrow").BufferOutputStream()
    metadata.write_metadata_file(footer)
    found = hashlib.sha256(repr(sorted(version.items())).encode())
    found.update(footer.getvalue())
    return found.hexdigest()


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
