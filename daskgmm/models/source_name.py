"""Where rows come from, in a few words: for model cards, and for runs that go on."""

from __future__ import annotations

import os
import re
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import zarr

from daskgmm.rows.hdf5 import Stored, is_hdf5
from daskgmm.rows.variables import is_labelled
from daskgmm.rows.zarr_store import location

_CHAINED = re.compile(r"::(?=[\w.+-]+://)")
"""Between the URLs of fsspec that go through one another, as through a cache."""


def source_name(x: Any) -> str | None:
    """Return the path or URL of the data that a user gave; None if they have none.

    Of an array in a store without an address, what it is: the same in every process. Without
    what may be secret in a URL: user, password, query and fragment.
    """
    if isinstance(x, np.memmap):
        x = x.filename
    elif isinstance(x, zarr.Array):
        x = location(x)
    elif is_hdf5(x):
        x = Stored.of(x).path
    elif is_labelled(x):
        x = x.encoding.get("source")
    elif hasattr(x, "source"):
        x = x.source
    return _without_secrets(os.fspath(x)) if isinstance(x, (str, os.PathLike)) else None


def _without_secrets(name: str) -> str:
    return "::".join(map(_plain, _CHAINED.split(name)))


def _plain(name: str) -> str:
    if "://" not in name:
        return name
    parts = urlsplit(name)
    # Not in the path: keys of object stores may hold an "@".
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
