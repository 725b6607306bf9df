"""File systems of URLs, the same in every process of a pass."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import fsspec
from fsspec.core import split_protocol

from daskgmm.storage.masking import StorageOptions


class OfObstore(dict[str, Any]):
    """Options of a URL that fsspec reads with obstore, also where they are unpickled.

    ``obstore.fsspec.register`` has an effect only in the process that calls it.
    """


def travelling(url: str, options: StorageOptions | None) -> Mapping[str, Any] | None:
    """Return options that open the same file system in another process."""
    protocol, _ = split_protocol(url)
    if protocol is None:
        return options
    try:
        kind = fsspec.get_filesystem_class(protocol)
    except (ImportError, ValueError):
        return options  # the error is raised where the URL is opened
    return OfObstore(options or {}) if of_obstore(kind) else options


def file_system(url: str, options: StorageOptions | None) -> tuple[Any, str]:
    """Return the file system of a path or URL, and the path in it."""
    protocol, _ = split_protocol(url)
    if not isinstance(options, OfObstore) or protocol is None:
        opened: tuple[Any, str] = fsspec.core.url_to_fs(url, **dict(options or {}))
        return opened
    kind = _obstore_class(protocol)
    return kind(**options), kind._strip_protocol(url)


def protocols(system: Any) -> tuple[str, ...]:
    """Return the protocols of a file system."""
    names = system.protocol
    return (names,) if isinstance(names, str) else tuple(names)


def of_obstore(kind: type) -> bool:
    """Return whether obstore made a class of file systems."""
    return any(base.__module__ == "obstore.fsspec" for base in kind.__mro__)


@cache
def _obstore_class(protocol: str) -> Any:
    """Return the class that `obstore.fsspec.register` makes, without registering it."""
    from obstore.fsspec import FsspecStore

    return type(f"FsspecStore_{protocol}", (FsspecStore,), {"protocol": protocol})
