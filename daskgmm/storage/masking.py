"""Options of stores: given on to fsspec, and kept out of whatever people read."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from daskgmm.errors import DaskGMMError

StorageOptions = Mapping[str, Any]
"""As fsspec takes them for the protocol of a URL: keys, tokens, an endpoint."""

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
"""Options that messages may repeat, as they help to understand them. Of all others nobody knows
which are secret."""

SHORTEST = 4
"""Characters of an option that is masked: shorter ones are found in any text."""

MASK = "***"

KINDS = (
    FileNotFoundError, FileExistsError, IsADirectoryError, PermissionError, OSError, ImportError,
    ValueError, TypeError,
)  # fmt: skip
"""Errors that callers tell apart."""

_USER = re.compile(r"(?<=://)[^/?#\s'\"]*@")
_QUERY = re.compile(r"(://[^?#\s'\"]*[?#]|\?(?=[\w.%-]+=))[^\s'\")>]+")
"""Of a URL; with a value also where an error leaves out the scheme."""


def shown(url: str | os.PathLike[str]) -> str:
    """Return a path or URL as messages show it: user, query and fragment of a URL are masked."""
    name = os.fspath(url)
    if "://" not in name:
        return name
    # Unlike in a message, all of it is the URL: blanks do not end it.
    return _USER.sub(f"{MASK}@", re.sub(r"(://[^?#]*[?#]).+", rf"\1{MASK}", name, flags=re.DOTALL))


def described(error: BaseException, options: StorageOptions | None = None) -> str:
    """Return kind and message of an error in which no option is repeated.

    Servers repeat what they refuse, keys among it, and libraries the whole answer.
    """
    # obstore prints its data structures after a blank line.
    message = str(error).split("\n\nDebug source")[0]
    return f"{type(error).__name__}: {masked(message, options)}"


def harmless(error: BaseException, options: StorageOptions | None = None) -> BaseException | None:
    """Return the error if all that a traceback shows of it may be read; else None."""
    each: BaseException | None = error
    while each is not None:
        if masked(str(each), options) != str(each):
            return None
        each = each.__cause__ or each.__context__
    return error


@contextmanager
def harmless_errors(options: StorageOptions | None) -> Iterator[None]:
    """Let errors of file systems through that repeat no option; mask the message of others.

    Their kind stays as far as callers tell kinds apart. Those of daskgmm are masked already.
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
        for key, each in value.items():
            yield from _texts(each, str(key))
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _texts(each, name)
    elif isinstance(value, bytes):
        yield from _texts(value.decode(errors="replace"), name)
    elif isinstance(value, str) and len(value) >= SHORTEST and name not in PLAIN:
        yield value
