"""Files and folders with nothing in them, told as such."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from daskgmm.errors import DaskGMMError
from daskgmm.storage.address import Address

WRITE_AGAIN = (
    "A full disk, or a program that was stopped before its end, leaves such a one. Write it again, "
    "or give another path."
)


def nothing_in(address: Address) -> str | None:
    """Return the message for a file of 0 bytes, or a local folder without a name in it.

    None for others, and where nobody can tell.
    """
    with suppress(Exception):  # of whatever kind the file system's library raises
        path = address.path
        if path is not None and path.is_dir():
            empty = next(path.iterdir(), None) is None
            return f"{address} is an empty folder. {WRITE_AGAIN}" if empty else None
        if _is_empty_file(address):
            return f"{address} is an empty file: it has 0 bytes. {WRITE_AGAIN}"
    return None


@contextmanager
def told_if_empty(address: Address, kind: type[DaskGMMError]) -> Iterator[None]:
    """Tell of an error that there is nothing to be read, where that is so."""
    try:
        yield
    except Exception as error:
        if isinstance(error, MemoryError) or (message := nothing_in(address)) is None:
            raise
        raise kind(message) from None


def _is_empty_file(address: Address) -> bool:
    path = address.path
    if path is not None:
        return path.is_file() and path.stat().st_size == 0
    system, name = address.system
    if system.size(name):
        return False
    # Some servers do not tell the size of an empty file.
    with system.open(name, "rb", block_size=0) as file:
        return not file.read(1)
