"""Zarr arrays read with obstore, through fsspec or directly."""

from __future__ import annotations

from typing import Any

import zarr

from daskgmm.storage.file_systems import of_obstore, protocols

FOR_FSSPEC = frozenset({"asynchronous", "batch_size", "loop", "max_cache_size", "protocol"})
"""Options of obstore's file systems that its stores do not take."""

SCHEMES = {"S3Store": "s3", "GCSStore": "gs", "AzureStore": "az"}
"""Schemes of URLs by the class of a store with buckets; other stores know their URL."""


def portable(node: Any) -> Any:
    """Return a Zarr array or group that can be pickled, the same one if it can be.

    ``obstore.fsspec.register`` makes a class of file systems that no other process can import.
    The store behind it is one that Zarr reads without fsspec, and that pickles.
    """
    store = node.store
    if not isinstance(store, zarr.storage.FsspecStore) or not of_obstore(type(store.fs)):
        return node
    read_only = bool(store.read_only)
    reopened = _object_store(store, read_only)
    return zarr.open(store=reopened, path=node.path or None, mode="r" if read_only else "r+")


def _object_store(store: Any, read_only: bool) -> Any:
    from obstore.store import from_url

    # These are fsspec's configuration and the user's options together.
    given = store.fs.storage_options.items()
    options = {name: value for name, value in given if name not in FOR_FSSPEC}
    # Of web addresses fsspec keeps the scheme, of others not.
    url = (
        store.path
        if "://" in store.path
        else f"{protocols(store.fs)[0]}://{store.path.lstrip('/')}"
    )
    return zarr.storage.ObjectStore(from_url(url, **options), read_only=read_only)


def address(store: Any) -> str:
    """Return the URL of a store of obstore, or its path or kind."""
    kind, config = type(store).__name__, getattr(store, "config", {})
    if kind not in SCHEMES:
        return str(getattr(store, "url", None) or getattr(store, "prefix", None) or kind)
    bucket = config.get("bucket") or config.get("container_name")
    return f"{SCHEMES[kind]}://{bucket}/{store.prefix or ''}".rstrip("/")


def options_of(store: Any) -> dict[str, Any]:
    """Return the options of a store of obstore."""
    names = ("config", "client_options")
    return {name: getattr(store, name, None) for name in names}
