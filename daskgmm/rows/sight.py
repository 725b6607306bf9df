"""Whether this process sees what another one has opened.

A chunk that is not there is read as the fill value, for that is what Zarr means by it. So on a
machine without the file system, all rows would be zeros.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import zarr


def check_sight(array: Any) -> None:
    """Refuse a Zarr array in a local folder that is not here.

    Raises
    ------
    FileNotFoundError
    """
    store = array.store
    if not isinstance(store, zarr.storage.LocalStore):
        return  # who asks a server has its address, and is answered or not
    name = "zarr.json" if array.metadata.zarr_format == 3 else ".zarray"
    folder = Path(store.root) / array.path
    if not (folder / name).exists():
        raise _unseen(folder)


def check_variable(path: Path) -> None:
    """Raise FileNotFoundError if a local group or file, in which a variable is, is not here."""
    if path.is_absolute() and not (path.exists() or any(each.is_file() for each in path.parents)):
        raise _unseen(path)


def _unseen(path: Path) -> FileNotFoundError:
    return FileNotFoundError(
        f"{path} is not on {socket.gethostname()}, in the directory {Path.cwd()} of this "
        "process. Give an absolute path, or a URL, that driver and workers all see"
    )
