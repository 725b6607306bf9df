"""Local files that are replaced in one step."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from glob import escape
from pathlib import Path
from uuid import uuid4

ABANDONED_SECONDS = 60.0
"""Seconds after which the writer of a partial file is taken for dead: files here are small."""


def written_path(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path that is written to: of a symbolic link, the path it leads to."""
    # Absolute, as workers may have been started elsewhere.
    given = Path(path).expanduser().absolute()
    if not given.is_symlink():
        return given
    found = Path(os.path.realpath(given))
    if found.is_symlink():
        raise FileExistsError(
            f"{given} is a symbolic link that leads in a circle. Choose another place, or remove "
            "it first."
        )
    return found


def replace_file(path: Path, content: bytes) -> None:
    """Write a file aside, down to the disk, and move it into place."""
    # A name of its own: a job that was queued again may write while the old one still lives.
    aside = path.with_name(f".{path.name}.{uuid4().hex}.partial")
    _remove_abandoned(path)
    try:
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    _flush_folder(path.parent)


def _remove_abandoned(path: Path) -> None:
    """Remove what writers of this file left when they were killed."""
    for left in path.parent.glob(f".{escape(path.name)}.*.partial"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > ABANDONED_SECONDS:
                left.unlink()


def _flush_folder(folder: Path) -> None:
    """Bring the new name down to the disk as well, where folders can be flushed."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
