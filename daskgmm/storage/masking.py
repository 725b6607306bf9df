"""Masking of secrets: options of stores, users and queries of URLs appear in no message."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from daskgmm.errors import DaskGMMError

StorageOptions = Mapping[str, Any]
"""Options of fsspec for the protocol of a URL: keys, tokens, an endpoint."""


def check_options(options: Any) -> None:
    """Raise `TypeError` unless options of a store are a mapping, or None."""
    if options is None or isinstance(options, Mapping):
        return
    raise TypeError(
        f"storage_options are a mapping of options of a store, and got a {type(options).__name__}. "
        "Columns and variables of data are given by name: columns=[...], variables=[...]."
    )


PLAIN = frozenset(
    {
        "account_name",
        "addressing_style",
        "bucket",
        "container_name",
        "endpoint",
        "endpoint_url",
        "mode",
        "region",
        "region_name",
        "signature_version",
    }
)
"""Options that messages may repeat, as they help to understand them; all others may be secret."""

SHORTEST = 4
"""Least number of characters of an option that is masked: shorter ones occur in any text."""

MASK = "***"

KINDS = (
    FileNotFoundError, FileExistsError, IsADirectoryError, PermissionError, OSError, ImportError,
    ValueError, TypeError,
)  # fmt: skip
"""Types of errors that callers distinguish."""

_USER = re.compile(r"(?<=://)[^/?#\s'\"]*@")
_QUERY = re.compile(r"(://[^?#\s'\"]*[?#]|\?(?=[\w.%-]+=))[^\s'\")>]+")
"""The query of a URL; one with a value also where an error leaves out the scheme."""


def shown(url: str | os.PathLike[str]) -> str:
    """Return a path or URL as messages show it: user, query and fragment of a URL are masked."""
    name = os.fspath(url)
    if "://" not in name:
        return name
    # All of the text is the URL, unlike in a message, where a blank ends it.
    return _USER.sub(f"{MASK}@", re.sub(r"(://[^?#]*[?#]).+", rf"\1{MASK}", name, flags=re.DOTALL))


def described(error: BaseException, options: StorageOptions | None = None) -> str:
    """Return kind and message of an error in which no option is repeated.

    Servers repeat keys that they refuse, and libraries the whole answer.
    """
    # obstore prints its data structures after a blank line.
    message = str(error).split("\n\nDebug source")[0]
    return f"{type(error).__name__}: {masked(message, options)}"


def harmless(error: BaseException, options: StorageOptions | None = None) -> BaseException | None:
    """Return the error if neither it nor a cause shows an option or a secret; else None."""
    cause: BaseException | None = error
    while cause is not None:
        if masked(str(cause), options) != str(cause):
            return None
        cause = cause.__cause__ or cause.__context__
    return error


@contextmanager
def harmless_errors(options: StorageOptions | None) -> Iterator[None]:
    """Mask the messages of errors of file systems that repeat an option.

    The type of the error stays one of `KINDS`. Errors of daskgmm are masked already.
    """
    try:
        yield
    except DaskGMMError:
        raise
    except Exception as error:
        if harmless(error, options) is not None:
            raise
        kind = next((kind for kind in KINDS if isinstance(error, kind)), OSError)
        raise kind(masked(str(error), options)) from None


def masked(text: str, options: StorageOptions | None = None) -> str:
    """Return a text without options, and without users and queries of the URLs in it."""
    for secret in sorted(set(_texts(options)), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return _USER.sub(f"{MASK}@", _QUERY.sub(rf"\1{MASK}", text))


def _texts(value: Any, name: str = "") -> Iterator[str]:
    """Yield all texts among options, at any depth."""
    if isinstance(value, Mapping):
        for key, option in value.items():
            yield from _texts(option, str(key))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item, name)
    elif isinstance(value, bytes):
        yield from _texts(value.decode(errors="replace"), name)
    elif isinstance(value, str) and len(value) >= SHORTEST and name not in PLAIN:
        yield value
