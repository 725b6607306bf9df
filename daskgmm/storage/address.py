"""The address of a file or folder: a path or URL with the options of its file system."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self, cast
from uuid import uuid4

from daskgmm.errors import DaskGMMError
from daskgmm.storage.coroutines import close_unbegun
from daskgmm.storage.local import check_place, replace_file, shortage, written_path
from daskgmm.storage.masking import (
    StorageOptions,
    check_options,
    described,
    harmless,
    harmless_errors,
    shown,
)

WHOLE_PUTS = frozenset({"memory", "s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss"})
"""Protocols whose files appear whole or not at all if one call writes them."""

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]

MAKE_ROOM = "{what}: {remedy}, or choose another place. What was there before is whole."
"""Advice on a file that is written aside and moved into its place, for a `Shortage`."""

MAY_WRITE = (
    "Check the address, and that you may write there (--storage-option, or the environment, has "
    "the credentials), or choose another place."
)

TRIED = b"daskgmm"
"""Content of the file that tells whether a place can be written: some stores refuse none."""

OWN_DISK = ("file://", "local://")
"""Prefixes of URLs of local files, without a cache or archive in between."""

MEMORY = "memory://"
"""Prefix of URLs of files in the memory of the process."""


@dataclass(frozen=True, repr=False)
class Address:
    """A path, or as `UrlAddress` a URL, with the options of its file system.

    Its text is fit for messages: without users and queries of URLs, and without options, which are
    pickled with it.

    Attributes
    ----------
    url : str
        The path or URL as it was given.
    options : mapping or None
        Options of the file system of a URL, as fsspec takes them.
    """

    url: str
    options: StorageOptions | None = None

    is_url: ClassVar[bool] = False
    """Whether it is a URL, of a local file system too."""

    @staticmethod
    def of(path: str | os.PathLike[str], options: StorageOptions | None = None) -> Address:
        """Return the address that a user gives as a path or URL, and options of URLs."""
        name = path_text(path)
        check_options(options)
        return (UrlAddress if "://" in name else Address)(name, options)

    @staticmethod
    def all_of(paths: Paths, options: StorageOptions | None = None) -> list[Address]:
        """Return the addresses of one path or of several."""
        one = isinstance(paths, (str, bytes, os.PathLike)) or not isinstance(paths, Iterable)
        return [Address.of(path, options) for path in cast(Any, [paths] if one else paths)]

    def __str__(self) -> str:
        return shown(self.url)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def child(self, name: str) -> Self:
        """Return the address of the entry of this name in the folder."""
        return self.suffixed(f"/{name}")

    def suffixed(self, text: str) -> Self:
        """Return the address with a text appended to its path or URL."""
        return replace(self, url=f"{self.url}{text}")

    @property
    def path(self) -> Path | None:
        """The path on a local or mounted disk; None for other URLs."""
        return self._local

    @property
    def system(self) -> tuple[Any, str]:
        """The file system of fsspec, and the path in it."""
        # The import of fsspec takes time, which only URLs pay for.
        from daskgmm.storage.file_systems import file_system

        return file_system(self.url if self.is_url else str(self.path), self.options)

    @property
    def zarr_store(self) -> str:
        """Where Zarr finds it: an absolute path, as workers may have been started elsewhere."""
        return str(self._local.absolute())

    @property
    def zarr_options(self) -> dict[str, Any] | None:
        """Options for Zarr, which refuses those of a path."""
        return None

    def read(self) -> bytes | None:
        """Return the content of a file; None if there is none."""
        try:
            return self._local.read_bytes()
        except FileNotFoundError:
            return None

    def read_head(self, length: int) -> bytes | None:
        """Return the first bytes of a file; None if there is none."""
        try:
            with self._local.open("rb") as file:
                return file.read(length)
        except FileNotFoundError:
            return None

    def replace(self, content: bytes) -> None:
        """Write a file, which has the old content or the whole new one at every moment.

        The target of a symbolic link is written. On object stores it is one put.
        """
        replace_file(written_path(self.url), content)

    def put(self, local: Path) -> None:
        """Move a local file here on the same disk, or copy it to a URL; whole or not at all."""
        with local.open("rb") as file:
            os.fsync(file.fileno())
        local.replace(self._local)

    def check_place(
        self, kind: type[DaskGMMError], missing: type[Exception] = FileNotFoundError
    ) -> None:
        """Raise an error if no file can be made there, before any work is done.

        A small file is made beside the place and removed again; one that cannot be removed stays.

        Parameters
        ----------
        kind : type of error
            If its folder or store takes no file.
        missing : type of error
            If there is no such folder.
        """
        if self.path is not None:
            check_place(self.path, str(self), kind, missing)

    def exists(self) -> bool:
        """Return whether there is a file or a folder."""
        return self._local.exists()

    def names(self) -> set[str]:
        """Return the names in a folder; none if there is no such folder."""
        try:
            return {entry.name for entry in self._local.iterdir()}
        except FileNotFoundError:
            return set()

    def remove(self) -> None:
        """Remove a file, or a folder with its content."""
        shutil.rmtree(self._local) if self._local.is_dir() else self._local.unlink()

    @property
    def _local(self) -> Path:
        return Path(self.url).expanduser()

    def described(self, error: BaseException) -> str:
        """Return kind and message of an error, in which no option is repeated."""
        return described(error, self.options)

    def harmless(self, error: BaseException) -> BaseException | None:
        """Return the error if neither it nor a cause shows an option or a secret; else None."""
        return harmless(error, self.options)

    @contextmanager
    def explain(self, kind: type[DaskGMMError], what: str, advice: str) -> Iterator[None]:
        """Raise an error of a library as one of daskgmm, with what failed, the reason, and advice.

        Errors that daskgmm raised inside, and `MemoryError`, stay as they are.
        """
        try:
            yield
        except (DaskGMMError, MemoryError):
            raise
        except Exception as error:  # libraries of file systems raise errors of any type
            if isinstance(error, ImportError):
                advice = "Install that package."
            elif short := shortage(error):
                advice = MAKE_ROOM.format(what=short.what.capitalize(), remedy=short.remedy)
            reason = " ".join(self.described(error).splitlines()).rstrip(".: ")
            raise kind(f"{what}: {reason}. {advice}") from self.harmless(error)


class UrlAddress(Address):
    """A URL, whose files fsspec reads and writes."""

    is_url = True

    def __reduce__(self) -> tuple[Any, ...]:
        from daskgmm.storage.file_systems import travelling

        return UrlAddress, (self.url, travelling(self.url, self.options))

    @property
    def path(self) -> Path | None:
        if not self.url.startswith(OWN_DISK):
            return None
        from fsspec.implementations.local import LocalFileSystem

        return Path(LocalFileSystem._strip_protocol(self.url))

    @property
    def zarr_store(self) -> str:
        return str(self.path or self.url)

    @property
    def zarr_options(self) -> dict[str, Any] | None:
        # From 3.4 on, Zarr refuses those of a local file and of memory: neither needs any.
        remote = self.path is None and not self.url.startswith(MEMORY)
        return dict(self.options) if remote and self.options else None

    @contextmanager
    def _fresh(self) -> Iterator[tuple[Any, str]]:
        """Yield the file system without remembered listings, and the path; mask errors."""
        with harmless_errors(self.options):
            system, name = self.system
            system.invalidate_cache()
            try:
                yield system, name
            except BaseException as error:
                close_unbegun(error)
                raise

    def read(self) -> bytes | None:
        try:
            with self._fresh() as (system, name):
                content: bytes = system.cat_file(name)
                return content
        except FileNotFoundError:
            return None

    def read_head(self, length: int) -> bytes | None:
        try:
            with self._fresh() as (system, name):
                if system.size(name) == 0:  # some object stores refuse to send a part of it
                    return b""
                head: bytes = system.cat_file(name, start=0, end=length)
                return head[:length]
        except FileNotFoundError:
            return None

    def replace(self, content: bytes) -> None:
        self._appear(lambda system, name: system.pipe_file(name, content))

    def check_place(
        self, kind: type[DaskGMMError], missing: type[Exception] = FileNotFoundError
    ) -> None:
        super().check_place(kind, missing)
        if self.path is None:
            with self.explain(kind, f"No file can be written at {self}", MAY_WRITE):
                self._try()

    def _try(self) -> None:
        """Make a small file beside the place, and remove it."""
        with self._fresh() as (system, name):
            aside = f"{name.rstrip('/')}.{uuid4().hex}.partial"
            system.pipe_file(aside, TRIED)
            with suppress(Exception):  # of a store that lets files be added alone
                system.rm_file(aside)

    def put(self, local: Path) -> None:
        self._appear(lambda system, name: system.put_file(str(local), name))

    def _appear(self, write: Callable[[Any, str], None]) -> None:
        """Let `write` write the file, under another name where files do not appear whole."""
        from daskgmm.storage.file_systems import protocols

        with self._fresh() as (system, name):
            if protocols(system)[0] in WHOLE_PUTS:
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

    def exists(self) -> bool:
        with self._fresh() as (system, name):
            return bool(system.exists(name))

    def names(self) -> set[str]:
        try:
            with self._fresh() as (system, name):
                entries = system.ls(name, detail=False)
        except FileNotFoundError:
            return set()
        return {entry.rstrip("/").rsplit("/", 1)[-1] for entry in entries}

    def remove(self) -> None:
        with self._fresh() as (system, name):
            system.rm(name, recursive=not system.isfile(name))


def path_text(path: Any) -> str:
    """Return a path or URL as a text; raise `TypeError` if it is neither."""
    if isinstance(path, (str, os.PathLike)):
        name = os.fspath(path)
        if name == "":
            raise ValueError("A path or URL is needed, and the text that is given is empty.")
        if isinstance(name, str):
            return name
    kind = type(path)
    raise TypeError(
        f"A path or URL is needed, and {kind.__module__}.{kind.__qualname__} is neither. Data "
        "that are not in a file are given to fit, predict and the others as they are."
    )
