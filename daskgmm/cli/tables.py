"""Names of the columns of a table, before the libraries are imported that fit it."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from daskgmm.loaded import loaded
from daskgmm.names import PARQUET_SUFFIXES
from daskgmm.storage.address import Address

MOST_FILES = 10_000
"""Files of a folder that are looked at."""


def columns_of(path: str) -> tuple[str, ...] | None:
    """Return the columns of a local table, CSV or Parquet; None where it is not sure."""
    # A kind of source of one's own may have others; whatever adds one loads their table.
    if loaded("daskgmm.rows.sources") is not None:
        return None
    try:
        file = _file_of(Path(path).expanduser())
        # What partitions a table is a column too, and stands in the names of its folders.
        return None if file is None or "=" in str(file.absolute()) else _columns(file)
    except Exception:  # whatever it is, whoever opens the file says it
        return None


def _file_of(path: Path) -> Path | None:
    """Return a file whose columns all others of a table have to have as well."""
    if not path.is_dir():
        return path if path.is_file() else None
    entries = list(islice(path.iterdir(), MOST_FILES + 1))
    plain = all(each.suffix in PARQUET_SUFFIXES and each.is_file() for each in entries)
    return entries[0] if plain and 0 < len(entries) <= MOST_FILES else None


def _columns(file: Path) -> tuple[str, ...] | None:
    if file.suffix in PARQUET_SUFFIXES:
        from pyarrow.parquet import read_schema

        return None if _is_logged(file) else tuple(read_schema(file, memory_map=True).names)
    from daskgmm.rows.csv.dialect import Dialect, is_csv

    if is_csv(str(file)):
        return Dialect().of_file(Address.of(file)).names
    return None


def _is_logged(file: Path) -> bool:
    """Return whether a file is one of a table whose log says which columns there are."""
    from fsspec.implementations.local import LocalFileSystem

    from daskgmm.rows.parquet.table_formats import tables_above

    folder = file.absolute().parent.as_posix()
    return tables_above(LocalFileSystem(), [folder])[folder] is not None
