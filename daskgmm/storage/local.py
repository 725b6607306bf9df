"""Atomic replacement of local files."""

from __future__ import annotations

import errno
import io
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from glob import escape, iglob
from pathlib import Path
from typing import IO
from uuid import uuid4

from daskgmm.errors import DaskGMMError

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

PATTERN = "*?["
"""Marks of a path that stands for several."""

LOCAL = re.compile(r"^(\w+::)*(file|local)://")
"""What URLs of local paths begin with, through a cache or not."""

ABANDONED_SECONDS = 60.0
"""Seconds after which the writer of a small partial file is taken for dead, where files have no
locks."""

BEGUN_SECONDS = 1.0
"""Seconds in which the writer of a partial file has locked it."""


@dataclass(frozen=True, slots=True)
class Shortage:
    """Why nothing more can be written, and what to do before the same is tried again.

    Attributes
    ----------
    what : str
        What is wrong, a clause.
    remedy : str
        A clause that begins with a verb.
    """

    what: str
    remedy: str


FULL_DISK = Shortage("the disk is full", "free some of the disk")
FILE_LIMIT = Shortage("the limit of the size of a file is reached", "raise that limit (ulimit -f)")

READ_ONLY = Shortage("the file system is read-only", "mount it for writing")

SHORTAGES = {
    errno.ENOSPC: FULL_DISK,
    errno.EDQUOT: FULL_DISK,
    errno.EFBIG: FILE_LIMIT,
    errno.EROFS: READ_ONLY,  # from the start, or since an error of the disk
}
"""By the error numbers of a file system, a quota or a limit that allows no further byte."""


def shortage(error: BaseException) -> Shortage | None:
    """Return why a write found no place; None if it failed for another reason."""
    return SHORTAGES.get(error.errno or 0) if isinstance(error, OSError) else None


def check_place(
    path: Path,
    shown: str,
    kind: type[DaskGMMError],
    missing: type[Exception] = FileNotFoundError,
) -> None:
    """Raise an error if nothing can be written at a path, before any work is done.

    A file of no length is made beside it and removed again, as only that tells: what a folder
    permits says nothing of its disk, its quota, or the longest name.

    Parameters
    ----------
    path : Path
        As it was given; of a symbolic link, where it leads to is looked at.
    shown : str
        The path as errors show it.
    kind : type of error
        If its folder takes no file.
    missing : type of error
        If there is no such folder.
    """
    place = written_path(path)
    folder = (place if path.is_symlink() else path.expanduser()).parent
    _check_folder(folder, shown, missing)
    aside = _aside(place)
    try:
        with aside.open("xb"):
            pass
        aside.unlink(missing_ok=True)
    except OSError as error:
        short = shortage(error)
        remedy = short.remedy.capitalize() if short else "See to it that you may write there"
        raise kind(
            f"{shown} cannot be written, as no file can be made for it in {folder}: "
            f"{error.strerror or error}. {remedy}, or choose another place."
        ) from error


def _check_folder(folder: Path, shown: str, missing: type[Exception]) -> None:
    if not folder.is_dir():
        raise missing(
            f"{folder} is a file, so there is no place in it for {shown}. Choose another place."
            if folder.exists()
            else f"There is no folder {folder} for {shown}. Make it first."
        )


def nothing_at(path: str) -> str:
    """Return the message for a local path that leads nowhere."""
    where = f"it is looked up from the directory {Path.cwd()}"
    if set(PATTERN) & set(path):
        return f"No file matches {path}. Check the pattern; {where}."
    return f"{path} does not exist. Check the path; {where}."


def leads_nowhere(path: str) -> bool:
    """Return whether a path or URL is surely no file and no folder, nor a place inside of one.

    A URL, and what is below a file or a folder with a suffix, as an array of a group is, may be
    there: whoever opens it knows.
    """
    if not path or ":" in path:
        return False
    given = Path(path).expanduser()
    if given.exists() or any(parent.suffix or parent.is_file() for parent in given.parents):
        return False
    found = iglob(str(given), recursive=True, include_hidden=True)  # noqa: PTH207 -- of any path
    return not any(mark in path for mark in PATTERN) or next(found, None) is None


def same_text(path: str) -> str:
    """Return the same text for paths or URLs of the same place."""
    path = LOCAL.sub("", path)
    if "://" in path:
        return path.rstrip("/")
    with suppress(RuntimeError):  # of a user that is not known
        path = str(Path(path).expanduser())
    return os.path.realpath(path.replace("\0", ""))


def check_new(path: Path, name: str, *, overwrite: bool) -> None:
    """Raise unless something can be written to a local path, which messages call `name`.

    Raises
    ------
    FileNotFoundError
        If its folder is not there.
    FileExistsError
        If it is there, and not to be replaced.
    """
    _check_folder(path.parent, name, FileNotFoundError)
    if path.exists() and not overwrite:
        raise FileExistsError(exists(name))


def exists(name: str) -> str:
    """Return the message for an output of the command line that is there already."""
    return f"{name} exists. Choose another place (--out), or replace it with --overwrite."


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
    aside = _aside(path)
    try:
        with aside.open("wb") as file:
            _locked(file)  # for as long as this process writes it
            _remove_abandoned(path, os.fstat(file.fileno()).st_mtime)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    _flush_folder(path.parent)


def _aside(path: Path) -> Path:
    """Return a path beside one, to write at until the file is whole."""
    # A unique name, as a job that was queued again may write while the old one is alive.
    return path.with_name(f".{path.name}.{uuid4().hex}.partial")


def cut_to_whole_lines(path: Path) -> None:
    """Take off what stands behind the last end of a line of a regular file."""
    if not path.is_file():
        return
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - io.DEFAULT_BUFFER_SIZE)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                file.truncate(start + found + 1)
                return
            end = start
        file.truncate(0)


def remove_partial_files(path: Path) -> None:
    """Remove partial files of all other writers of this file, which is none's but the caller's."""
    for partial in _partial_files(path):
        with suppress(OSError):
            partial.unlink()


def _remove_abandoned(path: Path, now: float) -> None:
    """Remove partial files of writers of this file that were killed.

    `now` is the time by the clock of the disk, from which that of this machine may differ.
    """
    for partial in _partial_files(path):
        with suppress(OSError), partial.open("rb") as file:
            seconds = now - os.fstat(file.fileno()).st_mtime
            locked = _locked(file)
            if locked is None:
                abandoned = seconds > ABANDONED_SECONDS
            else:
                abandoned = locked and seconds > BEGUN_SECONDS
            if abandoned:
                partial.unlink()


def _partial_files(path: Path) -> list[Path]:
    return list(path.parent.glob(f".{escape(path.name)}.*.partial"))


def _locked(file: IO[bytes]) -> bool | None:
    """Lock a file until it is closed; return False if another has it, None if none can be."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (AttributeError, OSError):  # Windows, or a file system without locks
        return None
    return True


def _flush_folder(folder: Path) -> None:
    """Flush the new name to the disk as well, where folders can be flushed."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
