"""Atomic replacement of local files."""

from __future__ import annotations

import errno
import os
import time
from contextlib import suppress
from glob import escape
from pathlib import Path
from uuid import uuid4

ABANDONED_SECONDS = 60.0
"""Seconds after which the writer of a small partial file is taken for dead."""

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Error numbers of a file system, or a quota, without space."""


def is_full(error: BaseException) -> bool:
    """Return whether a write failed because the file system, or a quota, has no space left."""
    return isinstance(error, OSError) and error.errno in FULL


def written_path(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path that is written to: of a symbolic link, the path it leads to."""
    # Absolute, as workers may have been started elsewhere.
    given = Path(path).expanduser().absolute()
    if not given.is_symlink():
        return given
    target = Path(os.path.realpath(given))
    if target.is_symlink():
        raise FileExistsError(
            f"{given} is a symbolic link that leads in a circle. Choose another place, or remove "
            "it first."
        )
    return target


def replace_file(path: Path, content: bytes) -> None:
    """Write a file under another name, flush it to the disk, and move it into place."""
    # A unique name, as a job that was queued again may write while the old one is alive.
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
    """Remove partial files of writers of this file that were killed."""
    for partial in path.parent.glob(f".{escape(path.name)}.*.partial"):
        with suppress(OSError):
            if time.time() - partial.stat().st_mtime > ABANDONED_SECONDS:
                partial.unlink()


def _flush_folder(folder: Path) -> None:
    """Flush the new name to the disk as well, where folders can be flushed."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
