"""Where data are, in errors about them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from daskgmm.errors import DataError
from daskgmm.storage.masking import shown


def told_of(path: str | None, text: str) -> str:
    """Return the text of an error about data with their path or URL, unless that is in it."""
    if path is None or shown(path) in text:
        return text
    return f"{shown(path)}: {text}"


@contextmanager
def naming(path: str | None) -> Iterator[None]:
    """Name a path or URL in errors about the data that it leads to."""
    try:
        yield
    except DataError as error:
        error.args = (told_of(path, str(error)),)
        raise
