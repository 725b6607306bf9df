"""Names of the columns of a table, before the libraries are imported that fit it."""

from __future__ import annotations

from pathlib import Path

from daskgmm.loaded import loaded
from daskgmm.storage.address import Address


def columns_of(path: str) -> tuple[str, ...] | None:
    """Return the columns of a local table, CSV or a file of Parquet; None where it is not sure."""
    # A kind of source of one's own may have others; whatever adds one loads their table.
    if loaded("daskgmm.rows.sources") is not None:
        return None
    # What partitions a table is a column too, and stands in the names of its folders.
    if "=" in str(Path(path).absolute()) or not Path(path).is_file():
        return None
    try:
        return _columns(path)
    except Exception:  # whatever it is, whoever opens the file says it
        return None


def _columns(path: str) -> tuple[str, ...] | None:
    from daskgmm.names import PARQUET_SUFFIXES

    if path.endswith(PARQUET_SUFFIXES):
        from pyarrow.parquet import read_schema

        return tuple(read_schema(path, memory_map=True).names)
    from daskgmm.rows.csv.dialect import Dialect, is_csv

    if is_csv(path):
        return Dialect().of_file(Address.of(path)).names
    return None
