"""The location of a Zarr array or group: its path or URL, its options, its metadata file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zarr

from daskgmm.rows.zarr_nodes.obstore_backend import address, options_of
from daskgmm.storage.address import Address
from daskgmm.storage.file_systems import protocols
from daskgmm.storage.masking import StorageOptions, shown

PASSING_ON = (
    "AsyncFileSystemWrapper", "CachingFileSystem", "SimpleCacheFileSystem",
    "WholeFileCacheFileSystem",
)  # fmt: skip
"""File systems of fsspec that pass paths on to the file system that they wrap."""

_URL = re.compile(r"[\w.+-]+://[^\s'\"()<>=,?#]*")


def location(node: Any) -> str:
    """Return the path or URL of a Zarr array or group, or else the kind of its store.

    It is the same in every process, as model cards and journals record it.
    """
    store = innermost(node.store)
    if isinstance(store, zarr.storage.LocalStore):
        root = str(store.root)
    elif isinstance(store, zarr.storage.FsspecStore):
        root = _of_file_system(store)
    elif isinstance(store, zarr.storage.ObjectStore):
        root = address(store.store)
    else:
        root = _described(store)
    return f"{root.rstrip('/')}/{node.path}" if node.path else root


def address_of(node: Any) -> Address:
    """Return the location of a Zarr array or group with the options that its store was given."""
    return Address.of(location(node), _options(innermost(node.store)))


def _options(store: Any) -> StorageOptions:
    if isinstance(store, zarr.storage.FsspecStore):
        first, *inner = (dict(fs.storage_options) for fs in _file_systems(store.fs))
        return {**first, "inner": inner} if inner else first
    return options_of(store.store) if isinstance(store, zarr.storage.ObjectStore) else {}


def in_memory(store: Any) -> bool:
    """Return whether a store is in the memory of this process."""
    store = innermost(store)
    if isinstance(store, zarr.storage.FsspecStore):
        return "memory" in _protocols(store)
    if isinstance(store, zarr.storage.ObjectStore):
        return type(store.store).__name__ == "MemoryStore"
    return isinstance(store, zarr.storage.MemoryStore)


def metadata_file(node: Any) -> str | None:
    """Return the file that holds the metadata of a Zarr array or group; None if it is not local."""
    root = _local_root(innermost(node.store))
    if root is None:
        return None
    if node.metadata.zarr_format == 3:
        name = "zarr.json"
    else:
        name = ".zgroup" if isinstance(node, zarr.Group) else ".zarray"
    return str(Path(root, node.path, name))


def at_hand(node: Any) -> bool:
    """Return whether a Zarr array is on a local disk or in memory, which answer at once."""
    return metadata_file(node) is not None or in_memory(node.store)


def innermost(store: Any) -> Any:
    """Return the store inside wrappers, such as those for logging."""
    while isinstance(store, zarr.storage.WrapperStore):
        store = store._store
    return store


def _local_root(store: Any) -> str | None:
    if isinstance(store, zarr.storage.LocalStore):
        return str(store.root)
    if isinstance(store, zarr.storage.FsspecStore):
        return str(store.path) if "file" in _protocols(store) else None
    if isinstance(store, zarr.storage.ObjectStore) and type(store.store).__name__ == "LocalStore":
        return str(store.store.prefix or "/")
    return None


def _of_file_system(store: Any) -> str:
    if "file" in _protocols(store):
        return str(store.path)  # as of the same place without a URL
    scheme = _protocols(store)[0]
    return store.path if "://" in store.path else f"{scheme}://{store.path.lstrip('/')}"


def _protocols(store: Any) -> tuple[str, ...]:
    """Return the protocols of the file system that the data of a store are on."""
    *_, last = _file_systems(store.fs)
    return protocols(last)


def _file_systems(fs: Any) -> Iterator[Any]:
    """Yield a file system and those that it passes paths on to."""
    while fs is not None:
        yield fs
        # Caches answer with the attributes of what they wrap.
        own = object.__getattribute__(fs, "__dict__")
        kind = object.__getattribute__(fs, "__class__").__name__
        fs = (own.get("sync_fs") or own.get("fs")) if kind in PASSING_ON else None


def _described(store: Any) -> str:
    """Return the URL in the text of a store, else its kind; no address in memory, no secret."""
    text, kind = str(store), type(store).__name__
    numbers = {id(value) for value in (store, *getattr(store, "__dict__", {}).values())}
    if _URL.fullmatch(text) and not any(f(n) in text for n in numbers for f in (str, hex)):
        return shown(text)
    # Data of icechunk are another snapshot's once they have changed.
    snapshot = getattr(getattr(store, "session", None), "snapshot_id", None)
    return f"{kind}({snapshot})" if isinstance(snapshot, str) else kind
