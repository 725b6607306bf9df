"""File systems of URLs: the same ones in every process that takes part."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import fsspec
from fsspec.core import split_protocol

from daskgmm.storage.masking import StorageOptions


class OfObstore(dict[str, Any]):
    """Options of a URL that fsspec reads with obstore, in whatever process they arrive.

    ``obstore.fsspec.register`` holds in the process that calls it alone.
    """


def travelling(url: str, options: StorageOptions | None) -> Mapping[str, Any] | None:
    """Return options that open the same file system in another process."""
    protocol, _ = split_protocol(url)
    if protocol is None:
        return options
    try:
        kind = fsspec.get_filesystem_class(protocol)
    except (ImportError, ValueError):
        return options  # whoever opens it says so
    return OfObstore(options or {}) if of_obstore(kind) else options


def file_system(url: str, options: StorageOptions | None) -> tuple[Any, str]:
    """Return the file system of a path or URL, and the path in it."""
    protocol, _ = split_protocol(url)
    if not isinstance(options, OfObstore) or protocol is None:
        found: tuple[Any, str] = fsspec.core.url_to_fs(url, **dict(options or {}))
        return found
    kind = _obstore_class(protocol)
    return kind(**options), kind._strip_protocol(url)


def of_obstore(kind: type) -> bool:
    """Return whether a class of file systems is one that obstore made."""
    return any(base.__module__ == "obstore.fsspec" for base in kind.__mro__)


@cache
def _obstore_class(protocol: str) -> Any:
    """Return what `obstore.fsspec.register` makes, without telling fsspec."""
    from obstore.fsspec import FsspecStore

    return type(f"FsspecStore_{protocol}", (FsspecStore,), {"protocol": protocol})
