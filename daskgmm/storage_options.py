"""Options of stores: given on to fsspec, and kept out of whatever people read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

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

_USER = re.compile(r"(?<=://)[^/@\s]+@")


def described(error: BaseException, storage_options: StorageOptions | None = None) -> str:
    """Return kind and message of an error in which no option is repeated.

    Servers repeat what they refuse, keys among it, and libraries the whole answer.
    """
    # obstore prints its data structures after a blank line.
    message = str(error).split("\n\nDebug source")[0]
    return f"{type(error).__name__}: {_masked(message, storage_options)}"


def harmless(
    error: BaseException, storage_options: StorageOptions | None = None
) -> BaseException | None:
    """Return the error if all that a traceback shows of it may be read; else None."""
    each: BaseException | None = error
    while each is not None:
        if _masked(str(each), storage_options) != str(each):
            return None
        each = each.__cause__ or each.__context__
    return error


def _masked(text: str, storage_options: StorageOptions | None) -> str:
    for secret in sorted(set(_texts(storage_options)), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return _USER.sub(f"{MASK}@", text)


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
