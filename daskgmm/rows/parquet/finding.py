"""Search for the Parquet files of a path: one file, a directory, a glob, a list.

In tables with a log, only the live files of the log are found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from posixpath import dirname
from typing import Any, cast

import fsspec
from dask.utils import natural_sort_key
from fsspec.implementations.local import LocalFileSystem

from daskgmm.errors import SourceError
from daskgmm.names import PARQUET_SUFFIXES
from daskgmm.rows.parquet.data_file import DataFile
from daskgmm.rows.parquet.delta import live_files
from daskgmm.rows.parquet.files import file_system
from daskgmm.rows.parquet.formats import DELTA
from daskgmm.rows.parquet.hive import hive_columns
from daskgmm.rows.parquet.table_formats import LoggedTable, table_within, tables_above
from daskgmm.storage.address import Address
from daskgmm.storage.emptiness import nothing_in


def find_files(addresses: Sequence[Address]) -> tuple[DataFile, ...]:
    """Return the Parquet files of paths, URLs and globs, in order.

    Files of a directory or glob are in the order of Dask, so that part 10 comes after part 9.
    Names that begin with a dot or an underscore are not those of data. In a Delta Lake table only
    the live files of its log are taken.
    """
    if not addresses:
        raise SourceError("The list of Parquet files is empty; give at least one.")
    places = [_looked_up(address) for address in addresses]
    tables = _tables(places)
    holders = {
        table: place
        for place in places
        for folder in place.directories
        if (table := tables.get((place.system, folder))) is not None
    }
    live = {table: _live_files(table, place) for table, place in holders.items()}
    files = [file for place in places for file in _files_of(place, tables, live)]
    plain = [index for index, file in enumerate(files) if not file.table]
    urls = [files[index].address.url for index in plain]
    for index, columns in zip(plain, hive_columns(urls), strict=True):
        files[index] = replace(files[index], partition=columns)
    return tuple(files)


@dataclass(frozen=True, slots=True)
class _Place:
    """The files or the directory of a path.

    Attributes
    ----------
    address : Address
        The given address.
    system : fsspec.AbstractFileSystem
    files : tuple of str
        Paths of the files in the file system; none for a directory, which is not listed yet.
    directory : str or None
    """

    address: Address
    system: Any
    files: tuple[str, ...] = ()
    directory: str | None = None

    def at(self, path: str) -> Address:
        """Return the address of a path in the file system."""
        local = isinstance(self.system, LocalFileSystem)
        url = path if local else self.system.unstrip_protocol(path)
        return Address.of(url, self.address.options)

    @property
    def directories(self) -> set[str]:
        """Directories at or above which the log of a table may be."""
        if self.directory is not None:
            return {_real(self.system, self.directory)}
        return {dirname(_real(self.system, file)) for file in self.files}


_Tables = dict[tuple[Any, str], LoggedTable]
"""The tables that directories of file systems are in."""

_Live = dict[LoggedTable, dict[str, DataFile]]
"""The live files of each table, by their paths in the file system."""


def _looked_up(address: Address) -> _Place:
    system, path = file_system(address)
    with _listing(address):
        if system.isfile(path):
            return _Place(address, system, (path,))
        if system.isdir(path):
            return _Place(address, system, directory=path)
        if not fsspec.core.has_magic(path):
            raise _nothing(address)
        files = [file for file in system.glob(path) if system.isfile(file)]
    if not files:
        raise _nothing(address)
    return _Place(address, system, tuple(sorted(files, key=natural_sort_key)))


def _tables(places: Iterable[_Place]) -> _Tables:
    directories: dict[Any, set[str]] = {}
    for place in places:
        directories.setdefault(place.system, set()).update(place.directories)
    return {
        (system, directory): table
        for system, wanted in directories.items()
        for directory, table in tables_above(system, wanted).items()
        if table is not None
    }


def _live_files(table: LoggedTable, place: _Place) -> dict[str, DataFile]:
    if table.format is not DELTA:
        raise table.refuse()
    return {
        f"{table.root}/{name}": DataFile(place.at(f"{table.root}/{name}"), *columns)
        for name, *columns in live_files(table, place.address)
    }


def _files_of(place: _Place, tables: _Tables, live: _Live) -> Iterator[DataFile]:
    """Yield the files of a place, and of tables the live ones only."""
    system, directory = place.system, place.directory
    if directory is None:
        yield from _listed_files(place, tables, live)
        return
    real = _real(system, directory)
    table = tables.get((system, real))
    if table is None:
        yield from (DataFile(place.at(file)) for file in _inside(place))
        return
    within = [file for file in live[table] if file.startswith(f"{real.rstrip('/')}/")]
    if not within:
        raise SourceError(
            f"{place.address} holds no live files of the Delta Lake table {place.at(table.root)}; "
            "its log names others, or none."
        )
    yield from (live[table][file] for file in sorted(within, key=natural_sort_key))


def _listed_files(place: _Place, tables: _Tables, live: _Live) -> Iterator[DataFile]:
    """Yield the given file, or the files of a glob, and of tables the live ones only."""
    system, none = place.system, True
    for file in place.files:
        real = _real(system, file)
        table = tables.get((system, dirname(real)))
        if table is None:
            none = False
            yield DataFile(place.at(file))
        elif real in live[table]:
            none = False
            yield replace(live[table][real], address=place.at(file))
    if none:
        raise SourceError(
            f"{place.address} is not a live file of the Delta Lake table that it lies in: the log "
            "has removed it, or never named it. Give the path of the table."
        )


def _inside(place: _Place) -> list[str]:
    """Return the Parquet files at any depth of a directory outside tables."""
    directory = cast("str", place.directory)
    with _listing(place.address):
        everything = place.system.find(directory)
    if (table := table_within(place.system, everything)) is not None:
        raise SourceError(
            f"{place.address} is not a table, but holds {table.format.name}, "
            f"{place.at(table.root)}, and only the log of that says which of its files hold rows. "
            "Give the path of a single table, or a list of paths."
        )
    below = len(directory.rstrip("/"))
    inside = [file for file in everything if file.endswith(PARQUET_SUFFIXES)]
    data = [file for file in inside if not _is_hidden(file[below:])]
    if not data:
        raise _nothing(place.address)
    return sorted(data, key=natural_sort_key)


def _listing(address: Address) -> AbstractContextManager[None]:
    advice = "Check the address and the credentials."
    return address.explain(SourceError, f"{address} cannot be listed", advice)


def _nothing(address: Address) -> SourceError:
    if empty := nothing_in(address):
        return SourceError(empty)
    where = "at that address" if address.is_url else f"from the directory {Path.cwd()}"
    return SourceError(
        f"{address} does not exist, or holds no Parquet files. Check the path, which is "
        f"looked up {where}; files of a directory must end in one of {', '.join(PARQUET_SUFFIXES)}."
    )


def _real(system: Any, path: str) -> str:
    """Return the path without symbolic links, as a log is beside their target."""
    return Path(path).resolve().as_posix() if isinstance(system, LocalFileSystem) else path


def _is_hidden(path: str) -> bool:
    """Return whether a path is hidden as by Spark: _name=1 is the directory of a column."""
    *folders, name = path.split("/")
    private = [name, *(folder for folder in folders if "=" not in folder)]
    return any(part.startswith(".") for part in (*folders, name)) or any(
        part.startswith("_") for part in private
    )
