"""The folder of Parquet files that predictions are written to."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from daskgmm.errors import OutputError
from daskgmm.files import names_in
from daskgmm.models.target import Kept, Target
from daskgmm.rows.parquet_files import SUFFIXES
from daskgmm.storage_options import shown


class ParquetTarget(Target):
    """A folder of Parquet files, one for each chunk of rows; they are named by its number."""

    kind = "folder of Parquet files"

    def is_of_kind(self, path: Path) -> bool:
        """Return whether there is a Parquet file, or a folder with nothing but such files."""
        if path.is_file():
            return path.suffix in SUFFIXES
        return all(each.is_file() and each.suffix in SUFFIXES for each in path.iterdir())

    def begin(self, identity: Mapping[str, Any], kept: Kept) -> None:
        """Make the folder, empty."""
        self._clear()
        if not self._remote:
            Path(self.place).mkdir()
        self.note(identity, kept)

    def finish(self, parts: int) -> None:
        """Put the folder in its place.

        Raises
        ------
        OutputError
            If files are missing: workers wrote to another place of that name.
        """
        wanted, found = set(map(part_name, range(parts))), names_in(self.place, self.options)
        if missing := len(wanted - found):
            raise OutputError(
                f"In {shown(self.place)}, {missing} of {parts} files are missing after all tasks "
                "have ended. Workers that do not share this file system wrote them elsewhere: give "
                "a path or URL that all of them can reach."
            )
        if not self._remote:
            self._remove(found - wanted)
        self._put_in_place()

    def _remove(self, names: Iterable[str]) -> None:
        """Remove what writers that were killed left behind."""
        for name in names:
            with suppress(OSError):
                (Path(self.place) / name).unlink()


def part_name(chunk: int) -> str:
    """Return the name of the file for a chunk."""
    return f"part-{chunk:06d}.parquet"


def is_parquet_target(out: str | os.PathLike[str]) -> bool:
    """Tell by its suffix whether predictions that go there are to be Parquet files."""
    return os.fspath(out).rstrip("/").endswith(SUFFIXES)
