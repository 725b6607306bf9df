"""The folder of Parquet files that predictions are written to."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path

from daskgmm.errors import OutputError
from daskgmm.models.writers.target import Target
from daskgmm.names import PARQUET_SUFFIXES
from daskgmm.rows.tables.requiring import require
from daskgmm.storage.local import same_text
from daskgmm.storage.masking import shown

NO_FOLDERS = frozenset(("", ".", "..", "/"))
"""Texts in graphs that lead to a folder of everything, and are hardly meant so."""


class ParquetTarget(Target):
    """A folder of Parquet files, one for each chunk of rows; they are named by its number."""

    kind = "folder of Parquet files"

    def is_of_kind(self, path: Path) -> bool:
        """Return whether there is a Parquet file, or a folder with nothing but such files."""
        if path.is_file():
            return path.suffix in PARQUET_SUFFIXES
        return all(each.is_file() and each.suffix in PARQUET_SUFFIXES for each in path.iterdir())

    def check_apart(self, origins: Iterable[str]) -> None:
        """Raise `OutputError` if writing here would remove data, or one of the files of them."""
        origins = list(origins) if self._final.exists() else []
        super().check_apart(origins)
        if self._remote or not origins or not self._path.is_file():
            return
        own = same_text(str(self._path))
        for origin in origins:
            folder = same_text(origin)
            if origin not in NO_FOLDERS and (
                fnmatchcase(own, folder) or own.startswith(f"{folder.rstrip('/')}/")
            ):
                raise OutputError(
                    f"{self.address} is a file of the data, which are read from {shown(origin)}; "
                    "it would be removed. Choose another place."
                )

    def check_replaced(self, origins: Iterable[str], kept: Collection[str]) -> None:
        """Refuse to replace files that are read, if more than features would be lost."""
        origins = list(origins) if self._final.exists() else []
        read = [same_text(origin) for origin in self._removed_of(origins, [self._final])]
        if self._remote or not read:
            self.check_apart(origins)
            return
        folder = self._path.is_dir()
        for file in sorted(self._path.iterdir()) if folder else [self._path]:
            name, path = same_text(str(file)), same_text(str(self._path))
            if path not in read and not any(fnmatchcase(name, each) for each in read):
                raise self._lost(f"{file}, which is not read. Choose another place.")
            names = require("pyarrow.parquet").read_schema(file).names
            if lost := [column for column in names if column not in kept]:
                raise self._lost(
                    f"columns of {file}: {', '.join(map(repr, lost))}. Choose another place, or "
                    "name in key (--key) every column that is to stay."
                )

    def _lost(self, what: str) -> OutputError:
        return OutputError(
            f"{self.address} is where the data are; replacing them would remove {what}"
        )

    def make(self) -> None:
        """Make the folder, empty."""
        if not self._remote:
            Path(self.place.url).mkdir(parents=True)

    def finish(self, parts: int, digests: Mapping[str, str]) -> None:
        """Put the folder in its place."""
        wanted, found = set(map(part_name, range(parts))), self.place.names()
        if missing := len(wanted - found):
            raise OutputError(
                f"In {self.place}, {missing} of {parts} files are missing after all tasks "
                "have ended. Workers that do not share this file system wrote them elsewhere: give "
                "a path or URL that all of them can reach."
            )
        if self.contested:
            self._compare(digests)
        if self.contested or not self._remote:
            self._remove(found - wanted)
        self._put_in_place()

    def _compare(self, digests: Mapping[str, str]) -> None:
        """Raise `OutputError` unless the files hold what this run wrote."""
        for name, digest in digests.items():
            content = self.place.child(name).read()
            if hashlib.sha256(content or b"").hexdigest() != digest:
                raise self.overwritten(name)

    def _remove(self, names: Iterable[str]) -> None:
        """Remove what writers that were killed, or lost the place, left behind."""
        for name in names:
            with suppress(OSError):
                self.place.child(name).remove()


def part_name(chunk: int) -> str:
    """Return the name of the file for a chunk."""
    return f"part-{chunk:06d}.parquet"


def is_parquet_target(out: str | os.PathLike[str]) -> bool:
    """Tell by its suffix whether predictions that go there are to be Parquet files."""
    return os.fspath(out).rstrip("/").endswith(PARQUET_SUFFIXES)
