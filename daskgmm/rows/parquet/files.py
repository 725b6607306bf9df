"""Parquet files, local or at a URL: their detection and opening."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from fsspec.asyn import AsyncFileSystem
from fsspec.implementations.local import LocalFileSystem
from fsspec.spec import AbstractBufferedFile

from daskgmm.errors import SourceError
from daskgmm.names import PARQUET_SUFFIXES
from daskgmm.rows.parquet.ahead_file import AheadFile, Coming, Fetch, extents, held_parts
from daskgmm.rows.parquet.table_formats import tables_above
from daskgmm.rows.tables.requiring import require
from daskgmm.storage.address import Address
from daskgmm.storage.file_systems import protocols

CHECKED = {"write_page_checksum": True}
"""How files are written: a page that was spoiled is found as it is read, at 0.3 ms a MB."""

ZARR_FILES = ("zarr.json", ".zarray", ".zgroup")

SEARCHED_FILES = 10_000
"""Number of entries of a directory that are searched for Parquet files."""

VERSION = (
    "size", "mtime", "modified", "updated", "last_modified", "LastModified", "etag", "e_tag",
    "ETag", "md5Hash", "content_md5", "generation", "version", "VersionId",
)  # fmt: skip
"""Names of details of a file that change when it is written again."""


def is_parquet(name: str) -> bool:
    """Return whether a path is one of Parquet files.

    It has their suffix or a star, or is a local directory with Parquet files or a table in it. The
    directory of a Zarr array or group is not.
    """
    local = Address.of(name).path
    if local is not None and any((local / file).exists() for file in ZARR_FILES):
        return False
    if name.rstrip("/").endswith(PARQUET_SUFFIXES) or "*" in name:
        return True
    if local is None or not local.is_dir():
        return False
    place = local.absolute().as_posix()
    is_table = tables_above(LocalFileSystem(), [place])[place] is not None
    return is_table or next(_in_directory(local), None) is not None


def file_system(address: Address) -> tuple[Any, str]:
    """Return the file system of an address, and the path in it."""
    with address.explain(SourceError, f"{address} cannot be opened", "Check the address."):
        return address.system


def in_memory(address: Address) -> bool:
    """Return whether a file is in the memory of this process."""
    return "memory" in protocols(file_system(address)[0])


def answers_late(address: Address) -> bool:
    """Return whether a file is in a store of which several requests at once make sense."""
    return isinstance(file_system(address)[0], AsyncFileSystem)


@contextmanager
def opened_version(
    address: Address, buffer_size: int = 0, coming: Coming | None = None
) -> Iterator[tuple[Any, dict[str, str]]]:
    """Open a Parquet file; yield it, its footer read, and what tells its version in the store.

    `buffer_size` bytes of a column are fetched at a time, by default all of it. What is `coming` is
    fetched ahead from a store, several such parts at once.
    """
    system, path = file_system(address)
    if isinstance(system, LocalFileSystem):
        source = opened = require("pyarrow").OSFile(path)
    else:
        # Read-ahead of fsspec would fetch megabytes again at the begin of each column.
        opened = system.open(path, "rb", cache_type="none")
        is_known = coming is not None and getattr(opened, "size", None) is not None
        source = AheadFile(opened, _fetch_of(opened, system, path)) if is_known else opened
    with source:
        parquet = require("pyarrow.parquet")
        with parquet.ParquetFile(
            source, buffer_size=buffer_size, pre_buffer=False, page_checksum_verification=True
        ) as file:
            if coming is not None and isinstance(source, AheadFile):
                names = set(file.schema_arrow.names)
                due = extents(file.metadata, names, coming, buffer_size, opened.size)
                most = len(coming.columns) * held_parts(buffer_size)
                source.expect(due, buffer_size, coming.limit, most)
            yield file, _version(opened, path)


def _fetch_of(opened: Any, system: Any, path: str) -> Fetch:
    """Return what fetches bytes of an opened file, at best as it reads them itself.

    It alone knows which version of the file was opened: of another one nothing may come.
    """
    kind = type(opened)
    own = isinstance(opened, AbstractBufferedFile)
    if own and kind._fetch_range is not AbstractBufferedFile._fetch_range:
        fetch: Fetch = opened._fetch_range
        return fetch
    return partial(_bytes_of, system, path)


def _bytes_of(system: Any, path: str, start: int, stop: int) -> bytes:
    found: bytes = system.cat_file(path, start=start, end=stop)
    return found


def _version(source: Any, path: str) -> dict[str, str]:
    """Return the details of a file that are known without another request."""
    if isinstance(source, require("pyarrow").OSFile):
        stat = Path(path).stat()
        return {"size": str(stat.st_size), "mtime": str(stat.st_mtime_ns)}
    details = {"modified": getattr(source, "modified", None)}
    details |= getattr(source, "details", None) or {}
    return {key: str(details[key]) for key in VERSION if details.get(key) is not None}


def _in_directory(directory: Path) -> Iterator[Path]:
    with suppress(OSError):
        for file in islice(directory.rglob("*"), SEARCHED_FILES):
            if file.suffix in PARQUET_SUFFIXES:
                yield file
