"""The Parquet files that a path stands for: one file, a directory, a glob, a list.

Of a table whose truth is in a log beside its files, they are those that the log says are live.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from posixpath import dirname
from typing import Any, cast

import fsspec
from dask.utils import natural_sort_key
from fsspec.implementations.local import LocalFileSystem

from daskgmm.errors import SourceError
from daskgmm.rows.parquet.data_file import DataFile
from daskgmm.rows.parquet.delta import live_files
from daskgmm.rows.parquet.files import SUFFIXES, Options, Paths, file_system
from daskgmm.rows.parquet.hive import hive_columns
from daskgmm.rows.parquet.table_formats import DELTA, LoggedTable, table_within, tables_above
from daskgmm.storage_options import described, harmless, shown


def find_files(paths: Paths, options: Options) -> tuple[DataFile, ...]:
    """Return all Parquet files that `paths` stands for, in order.

    Files of a directory or glob are ordered as dask orders them, so that part 10 comes after
    part 9; what begins with a dot or an underscore is no data. Of a Delta Lake table, or of a
    directory or glob in one, they are the files that its log says are live.

    Raises
    ------
    SourceError
        If there is no such file, or no way to the store; if they are of a table whose log is
        not read here; or if a file that is named by itself is no live one.
    """
    names = [paths] if isinstance(paths, (str, os.PathLike)) else paths
    if not names:
        raise SourceError("The list of Parquet files is empty; give at least one.")
    places = [_looked_up(os.fspath(name), options) for name in names]
    tables = _tables(places)
    live = _live_files(tables.values(), options)
    found = [file for place in places for file in _files_of(place, tables, live, options)]
    plain = [index for index, file in enumerate(found) if not file.table]
    for index, columns in zip(plain, hive_columns([found[i].path for i in plain]), strict=True):
        found[index] = replace(found[index], partition=columns)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Place:
    """What a path stands for.

    Attributes
    ----------
    name : str
        As it was given.
    system : fsspec.AbstractFileSystem
    files : tuple of str
        Their paths in the file system; none for a directory, which is not listed yet.
    directory : str or None
    """

    name: str
    system: Any
    files: tuple[str, ...] = ()
    directory: str | None = None

    @property
    def directories(self) -> set[str]:
        """Those that the log of a table may be in or above."""
        if self.directory is not None:
            return {_real(self.system, self.directory)}
        return {dirname(_real(self.system, file)) for file in self.files}


_Tables = dict[tuple[Any, str], LoggedTable]
"""The tables that directories of file systems are in."""

_Live = dict[LoggedTable, dict[str, DataFile]]
"""The live files of each table, by their paths in the file system."""


def _looked_up(name: str, options: Options) -> _Place:
    system, path = file_system(name, options)
    with _listing(name, options):
        if system.isfile(path):
            return _Place(name, system, (path,))
        if system.isdir(path):
            return _Place(name, system, directory=path)
        if not fsspec.core.has_magic(path):
            raise _nothing(name)
        files = [file for file in system.glob(path) if system.isfile(file)]
    if not files:
        raise _nothing(name)
    return _Place(name, system, tuple(sorted(files, key=natural_sort_key)))


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


def _live_files(tables: Iterable[LoggedTable], options: Options) -> _Live:
    found = {}
    for table in set(tables):
        if table.format is not DELTA:
            raise table.refuse()
        files = live_files(table.system, table.root, options)
        found[table] = {file.path: file for file in files}
    return found


def _files_of(place: _Place, tables: _Tables, live: _Live, options: Options) -> Iterator[DataFile]:
    """Yield the files of a place, of tables those that are live."""
    system, directory = place.system, place.directory
    if directory is None:
        yield from _listed_files(place, tables, live)
        return
    real = _real(system, directory)
    table = tables.get((system, real))
    if table is None:
        yield from (DataFile(_address(system, file)) for file in _inside(place, options))
        return
    within = [file for file in live[table] if file.startswith(f"{real.rstrip('/')}/")]
    if not within:
        raise SourceError(
            f"{shown(place.name)} holds no live files of the Delta Lake table {shown(table.root)}; "
            "its log names others, or none."
        )
    for file in sorted(within, key=natural_sort_key):
        yield replace(live[table][file], path=_address(system, file))


def _listed_files(place: _Place, tables: _Tables, live: _Live) -> Iterator[DataFile]:
    """Yield the files of a glob, of tables those that are live; or the file that was named."""
    system, none = place.system, True
    for file in place.files:
        real = _real(system, file)
        table = tables.get((system, dirname(real)))
        if table is None:
            none = False
            yield DataFile(_address(system, file))
        elif real in live[table]:
            none = False
            yield replace(live[table][real], path=_address(system, file))
    if none:
        raise SourceError(
            f"{shown(place.name)} is no live file of the Delta Lake table that it lies in: the log "
            "has removed it, or never named it. Give the path of the table."
        )


def _inside(place: _Place, options: Options) -> list[str]:
    """Return the Parquet files at any depth of a directory that is of no table."""
    directory = cast("str", place.directory)
    with _listing(place.name, options):
        everything = place.system.find(directory)
    if (table := table_within(place.system, everything)) is not None:
        raise SourceError(
            f"{shown(place.name)} is no table, but holds {table.format.name}, {shown(table.root)}, "
            "and only the log of that says which of its files hold rows. Give the path of a "
            "single table, or a list of paths."
        )
    below = len(directory.rstrip("/"))
    inside = [file for file in everything if file.endswith(SUFFIXES)]
    found = [file for file in inside if not _is_hidden(file[below:])]
    if not found:
        raise _nothing(place.name)
    return sorted(found, key=natural_sort_key)


@contextmanager
def _listing(name: str, options: Options) -> Iterator[None]:
    try:
        yield
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(
            f"{shown(name)} cannot be listed ({described(error, options)}). Check the address and "
            "the credentials."
        ) from harmless(error, options)


def _nothing(name: str) -> SourceError:
    where = "at that address" if "://" in name else f"from the directory {Path.cwd()}"
    return SourceError(
        f"{shown(name)} does not exist, or holds no Parquet files. Check the path, which is "
        f"looked up {where}; files of a directory must end in one of {', '.join(SUFFIXES)}."
    )


def _address(system: Any, file: str) -> str:
    return file if isinstance(system, LocalFileSystem) else str(system.unstrip_protocol(file))


def _real(system: Any, path: str) -> str:
    """Return the path without links, behind which a log would not be seen."""
    return Path(path).resolve().as_posix() if isinstance(system, LocalFileSystem) else path


def _is_hidden(path: str) -> bool:
    """Tell what is no data, as Spark does: a directory for a column may be called _name=1."""
    *folders, name = path.split("/")
    private = [name, *(folder for folder in folders if "=" not in folder)]
    return any(part.startswith(".") for part in (*folders, name)) or any(
        part.startswith("_") for part in private
    )
