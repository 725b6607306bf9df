"""Parquet files, local or at a URL: which paths they are, and how one is opened."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from daskgmm import file_systems
from daskgmm.errors import SourceError
from daskgmm.rows.parquet.table_formats import tables_above
from daskgmm.rows.tables.arrow_columns import require
from daskgmm.storage_options import StorageOptions, harmless, masked, shown

SUFFIXES = (".parquet", ".pq", ".parq")

ZARR_FILES = ("zarr.json", ".zarray", ".zgroup")

SEARCHED_FILES = 10_000
"""Files of a directory that are looked at to find out what it is."""

VERSION = (
    "size", "mtime", "modified", "updated", "last_modified", "LastModified", "etag", "e_tag",
    "ETag", "md5Hash", "content_md5", "generation", "version", "VersionId",
)  # fmt: skip
"""What file systems call that which a file that is written again has anew."""

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]

Options = StorageOptions | None


def is_parquet(name: str) -> bool:
    """Tell a path of Parquet files from one of something else.

    By its suffix, or a star, which nothing else takes; a local directory by what is in it. A
    directory that is a Zarr array or group is one, whatever it is called.
    """
    local = _local(name)
    if local is not None and any((local / file).exists() for file in ZARR_FILES):
        return False
    if name.rstrip("/").endswith(SUFFIXES) or "*" in name:
        return True
    if local is None or not local.is_dir():
        return False
    place = local.absolute().as_posix()
    is_table = tables_above(LocalFileSystem(), [place])[place] is not None
    return is_table or next(_in_directory(local), None) is not None


def file_system(name: str, options: Options) -> tuple[Any, str]:
    """Return the file system of a path or URL, and the path in it."""
    try:
        whole = name if "://" in name else str(Path(name).expanduser())
        system, path = file_systems.file_system(whole, options)
    except ImportError as error:
        raise _unopened(name, error, options, "Install that package.") from harmless(error, options)
    except ValueError as error:
        raise _unopened(name, error, options, "Check the address.") from harmless(error, options)
    return system, path


def _unopened(name: str, error: Exception, options: Options, advice: str) -> SourceError:
    return SourceError(f"{shown(name)} cannot be opened: {masked(str(error), options)}. {advice}")


def is_local(name: str) -> bool:
    """Tell whether a file lies on a disk of this machine, or one that is mounted."""
    return _local(name) is not None


def in_memory(name: str, options: Options) -> bool:
    """Tell whether a file lives in this process's memory."""
    protocol = file_system(name, options)[0].protocol
    return "memory" in ((protocol,) if isinstance(protocol, str) else protocol)


@contextmanager
def opened(name: str, options: Options, buffer_size: int = 0) -> Iterator[Any]:
    """Open a Parquet file; at once its footer is read, and nothing else.

    Parameters
    ----------
    buffer_size : int
        Bytes of each column that are fetched at a time; 0 for whole column chunks.

    Yields
    ------
    pyarrow.parquet.ParquetFile
    """
    with opened_version(name, options, buffer_size) as (file, _):
        yield file


@contextmanager
def opened_version(
    name: str, options: Options, buffer_size: int = 0
) -> Iterator[tuple[Any, dict[str, str]]]:
    """Open a Parquet file as `opened`; yield what tells its version in the file system as well."""
    system, path = file_system(name, options)
    if isinstance(system, LocalFileSystem):
        source = require("pyarrow").OSFile(path)
    else:
        # Read-ahead of fsspec fetches megabytes again wherever the next column begins.
        source = system.open(path, "rb", cache_type="none")
    with source:
        parquet = require("pyarrow.parquet")
        with parquet.ParquetFile(source, buffer_size=buffer_size, pre_buffer=False) as file:
            yield file, _version(source, path)


def _version(source: Any, path: str) -> dict[str, str]:
    """Return what is known without another request: an object store told it with the size."""
    if isinstance(source, require("pyarrow").OSFile):
        found = Path(path).stat()
        return {"size": str(found.st_size), "mtime": str(found.st_mtime_ns)}
    told = getattr(source, "details", None) or {}
    details = {"modified": getattr(source, "modified", None), **told}
    return {key: str(details[key]) for key in VERSION if details.get(key) is not None}


def _local(name: str) -> Path | None:
    if name.startswith(("file://", "local://")):
        return Path(LocalFileSystem._strip_protocol(name))
    return Path(name).expanduser() if "://" not in name else None


def _in_directory(directory: Path) -> Iterator[Path]:
    with suppress(OSError):
        for file in islice(directory.rglob("*"), SEARCHED_FILES):
            if file.suffix in SUFFIXES:
                yield file
