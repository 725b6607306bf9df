"""Name of a source of rows, in a few words: for model cards, and for runs that go on."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from daskgmm.rows.sources import source_of

_CHAINED = re.compile(r"::(?=[\w.+-]+://)")
"""Between the URLs of fsspec that go through one another, as through a cache."""


def source_name(x: Any) -> str | None:
    """Return the path or URL of the data that a user gave; None if they have none.

    Of an array in a store without an address, what it is: the same in every process. Without
    what may be secret in a URL: user, password, query and fragment.
    """
    name = source_of(x).origin
    return None if name is None else without_secrets(name)


def without_secrets(name: str) -> str:
    """Return a path or URL without user, password, query and fragment."""
    return "::".join(map(_plain, _CHAINED.split(name)))


def _plain(name: str) -> str:
    if "://" not in name:
        return name
    parts = urlsplit(name)
    # Not in the path: keys of object stores may hold an "@".
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
