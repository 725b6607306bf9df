"""Detection of tables with a log that tells which of their files hold rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from posixpath import basename, dirname
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from daskgmm.errors import SourceError
from daskgmm.rows.parquet.formats import FORMATS, Format
from daskgmm.storage.file_systems import protocols
from daskgmm.storage.masking import shown

LISTING_THREADS = 16
"""Number of directories that are listed at a time: a store takes a while to answer each."""


@dataclass(frozen=True, slots=True)
class LoggedTable:
    """A directory of one of these formats.

    Attributes
    ----------
    system : fsspec.AbstractFileSystem
    root : str
        Its path there.
    format : Format
    """

    system: Any
    root: str
    format: Format

    def refuse(self) -> SourceError:
        """Return the error for a table of a format whose log is not read here."""
        return SourceError(
            f"{shown(self.root)} is {self.format.name}: only its log says which of the files hold "
            "its rows, and others hold rows that were deleted or replaced. daskgmm does not read "
            f"that log. {self.format.advice}, and give the path of the copy."
        )


def tables_above(system: Any, directories: Iterable[str]) -> dict[str, LoggedTable | None]:
    """Return for each directory the innermost table that it is or is in; None without one.

    Directories that cannot be listed count as plain. So do those of HTTP, where each look for a
    log would cost a request.
    """
    wanted = set(directories)
    if _is_http(system):
        return dict.fromkeys(wanted)
    places = sorted({place for directory in wanted for place in _upwards(directory)})
    look = partial(_format_of, system)
    if isinstance(system, LocalFileSystem):
        formats = dict(zip(places, map(look, places), strict=True))
    else:
        with ThreadPoolExecutor(LISTING_THREADS) as pool:
            formats = dict(zip(places, pool.map(look, places), strict=True))
    return {directory: _nearest(system, directory, formats) for directory in wanted}


def table_within(system: Any, files: Iterable[str]) -> LoggedTable | None:
    """Return a table whose log is among the files of a directory, at any depth."""
    files = list(files)
    for file in files:
        folder = dirname(file)
        for form in FORMATS:
            if basename(folder) != form.folder or not form.is_log(basename(file)):
                continue
            if form.is_beside(_names_in(dirname(folder), files)):
                return LoggedTable(system, dirname(folder), form)
    return None


def _nearest(
    system: Any, directory: str, formats: Mapping[str, Format | None]
) -> LoggedTable | None:
    for place in _upwards(directory):
        if (form := formats[place]) is not None:
            return LoggedTable(system, place, form)
    return None


def _upwards(directory: str) -> Iterator[str]:
    place = directory.rstrip("/")
    while place:
        yield place
        above = dirname(place)
        place = "" if above == place else above.rstrip("/")


def _format_of(system: Any, directory: str) -> Format | None:
    for form in FORMATS:
        with suppress(Exception):  # the folder does not exist, or cannot be listed
            listing = system.ls(f"{directory}/{form.folder}", detail=False)
            if not any(map(form.is_log, _names(listing))):
                continue
            if not form.beside or form.is_beside(_names(system.ls(directory, detail=False))):
                return form
    return None


def _names(paths: Iterable[str]) -> Iterator[str]:
    return (basename(path.rstrip("/")) for path in paths)


def _names_in(directory: str, files: Iterable[str]) -> Iterator[str]:
    """Yield the names in a directory that contains files at any depth."""
    start = f"{directory}/"
    return (file[len(start) :].split("/")[0] for file in files if file.startswith(start))


def _is_http(system: Any) -> bool:
    return any(name.startswith("http") for name in protocols(system))
