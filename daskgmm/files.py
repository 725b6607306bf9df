"""Small files at a path or a URL: read whole, and replaced in one step."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import Any
from uuid import uuid4

from daskgmm.storage_options import harmless_errors

WHOLE_PUTS = frozenset({"memory", "s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss"})
"""Protocols whose files appear whole or not at all when they are written in one call."""

ABANDONED_SECONDS = 60.0
"""Age of a partial file at which its writer is taken for dead: files here are small."""


OWN_DISK = re.compile(r"^(file|local)://")
"""What URLs of local paths begin with, if they go through nothing else."""


def is_url(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is the URL of another file system."""
    return "://" in os.fspath(path)


def without_scheme(path: str | os.PathLike[str]) -> str:
    """Return the path that a URL of the local file system stands for; any other as it is."""
    name = os.fspath(path)
    if not OWN_DISK.match(name):
        return name
    from fsspec.implementations.local import LocalFileSystem

    return str(LocalFileSystem._strip_protocol(name))


def led_to(path: str | os.PathLike[str]) -> Path:
    """Return the local path that is written to: of a symbolic link, where it leads.

    Raises
    ------
    FileExistsError
        If it leads in a circle.
    """
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


def read_bytes(
    path: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None
) -> bytes | None:
    """Return what a file holds, or None if there is none.

    Parameters
    ----------
    path : path or URL
    storage_options : mapping, optional
        For the file system of a URL, as fsspec takes them.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    try:
        if is_url(path):
            with _url(path, storage_options) as (system, name):
                system.invalidate_cache()
                content: bytes = system.cat_file(name)
                return content
        return Path(path).expanduser().read_bytes()
    except FileNotFoundError:
        return None


def read_head(
    path: str | os.PathLike[str], length: int, storage_options: Mapping[str, Any] | None = None
) -> bytes | None:
    """Return the first bytes of a file, or None if there is none; the rest is not read."""
    try:
        if is_url(path):
            with _url(path, storage_options) as (system, name):
                system.invalidate_cache()
                if system.size(name) == 0:  # of which some object stores refuse to send a part
                    return b""
                head: bytes = system.cat_file(name, start=0, end=length)
                return head[:length]
        with Path(path).expanduser().open("rb") as file:
            return file.read(length)
    except FileNotFoundError:
        return None


def replace_bytes(
    path: str | os.PathLike[str], content: bytes, storage_options: Mapping[str, Any] | None = None
) -> None:
    """Write a file aside, down to the disk, and move it into place.

    At every moment the path holds what it was or the whole new content. Object stores do
    the same with a single put. A symbolic link stays, and what it leads to is written.

    Parameters
    ----------
    path : path or URL
    content : bytes
    storage_options : mapping, optional
        For the file system of a URL, as fsspec takes them.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    if not is_url(path):
        _replace_local(led_to(path), content)
        return
    _appear(path, storage_options, lambda system, name: system.pipe_file(name, content))


def put_file(
    local: Path, path: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None
) -> None:
    """Move a local file to a path of the same disk, or copy it to a URL; whole or not at all.

    Parameters
    ----------
    local : Path
    path : path or URL
    storage_options : mapping, optional
        For the file system of a URL, as fsspec takes them.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    if is_url(path):
        _appear(path, storage_options, lambda system, name: system.put_file(str(local), name))
        return
    with local.open("rb") as file:
        os.fsync(file.fileno())
    local.replace(Path(path).expanduser())


def _appear(
    url: str | os.PathLike[str],
    storage_options: Mapping[str, Any] | None,
    write: Callable[[Any, str], None],
) -> None:
    """Let `write` write a file of a URL, aside where files do not appear whole."""
    with _url(url, storage_options) as (system, name):
        if _protocol(system) in WHOLE_PUTS:
            write(system, name)
            return
        aside = f"{name}.{uuid4().hex}.partial"
        try:
            write(system, aside)
            system.mv(aside, name)
        except BaseException:
            if system.exists(aside):
                system.rm_file(aside)
            raise


def _replace_local(path: Path, content: bytes) -> None:
    # A name of its own: a job that was queued again may write while the old one still lives.
    aside = path.with_name(f".{path.name}.{uuid4().hex}.partial")
    _remove_left_behind(path)
    try:
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    _flush_folder(path.parent)


def _remove_left_behind(path: Path) -> None:
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


@contextmanager
def _url(
    url: str | os.PathLike[str], storage_options: Mapping[str, Any] | None
) -> Iterator[tuple[Any, str]]:
    """Yield the file system of a URL and the path in it; errors repeat no option."""
    # Only who has a URL pays for the import.
    from daskgmm.file_systems import file_system

    with harmless_errors(storage_options):
        yield file_system(os.fspath(url), storage_options)


def _protocol(system: Any) -> str:
    return str(system.protocol if isinstance(system.protocol, str) else system.protocol[0])


def exists(path: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None) -> bool:
    """Return whether there is a file or a folder."""
    if not is_url(path):
        return Path(path).expanduser().exists()
    with _url(path, storage_options) as (system, name):
        system.invalidate_cache()
        return bool(system.exists(name))


def names_in(
    folder: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None
) -> set[str]:
    """Return the names of what is in a folder; none if there is no such folder."""
    try:
        if not is_url(folder):
            return {each.name for each in Path(folder).expanduser().iterdir()}
        with _url(folder, storage_options) as (system, name):
            system.invalidate_cache()
            return {each.rstrip("/").rsplit("/", 1)[-1] for each in system.ls(name, detail=False)}
    except FileNotFoundError:
        return set()


def remove(path: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None) -> None:
    """Remove a file, or a folder with all that is in it."""
    if is_url(path):
        with _url(path, storage_options) as (system, name):
            system.rm(name, recursive=not system.isfile(name))
        return
    local = Path(path).expanduser()
    if local.is_dir():
        shutil.rmtree(local)
    else:
        local.unlink()
