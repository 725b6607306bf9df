"""Zarr arrays and groups behind a path or a URL."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import zarr

from daskgmm.errors import SourceError
from daskgmm.files import is_url
from daskgmm.rows.labelled.file_kinds import how_to_open
from daskgmm.rows.stores.obstore_backend import portable
from daskgmm.storage_options import StorageOptions, described, harmless, masked, shown

CODEC_BATCH = 16
"""Chunks that Zarr decodes as one job: small chunks are read twice as fast as with its default
of 1 (0.14 ms each instead of 0.28), large ones as fast. The array keeps it, pickled too."""

LISTED_ARRAYS = 10
"""Arrays of a group that an error message lists at most."""


def open_zarr(
    path_or_url: str | os.PathLike[str], storage_options: StorageOptions | None = None
) -> Any:
    """Open a Zarr array for reading.

    Parameters
    ----------
    path_or_url : str or os.PathLike
        A directory, or a URL that fsspec understands, down to the array itself.
    storage_options : mapping, optional
        As in `daskgmm.open_data`.

    Returns
    -------
    zarr.Array

    Raises
    ------
    SourceError
        If there is no Zarr array (nothing at all, or a group), or no way to the store.
    """
    node = open_node(path_or_url, storage_options)
    if isinstance(node, zarr.Group):
        raise SourceError(group_refused(os.fspath(path_or_url), node))
    return node


def open_node(
    path_or_url: str | os.PathLike[str], storage_options: StorageOptions | None = None
) -> Any:
    """Open a Zarr array or group for reading; parameters and errors are those of `open_zarr`."""
    name = os.fspath(path_or_url)
    # Absolute, as workers may have been started elsewhere.
    store = name if is_url(name) else str(Path(name).expanduser().absolute())
    # Zarr refuses options of what is no URL.
    options = dict(storage_options) if storage_options and is_url(name) else None
    try:
        with zarr.config.set({"codec_pipeline.batch_size": CODEC_BATCH}):
            return portable(zarr.open(store=store, mode="r", storage_options=options))
    except FileNotFoundError:
        # zarr's own NodeNotFoundError is a FileNotFoundError too.
        exists = not is_url(name) and Path(store).exists()
        raise SourceError(_not_zarr(name) if exists else missing(name)) from None
    except ImportError as error:
        raise SourceError(
            f"{shown(name)} cannot be opened: {masked(str(error), storage_options)}. Install that "
            "package."
        ) from harmless(error, storage_options)
    except Exception as error:
        raise SourceError(
            f"{shown(name)} cannot be opened ({described(error, storage_options)}). Check the "
            "address (of a server of your own: the endpoint) and the credentials, in "
            "storage_options (--storage-option) or the environment."
        ) from harmless(error, storage_options)


def missing(name: str) -> str:
    """Say that there is nothing."""
    place = shown(name)
    if is_url(name) and (how := how_to_open(name)):
        return how
    if is_url(name):
        return (
            f"{place} does not exist, or holds no Zarr array. Check the path; it is looked up at "
            "that address. If it is a folder of Parquet files or a Delta Lake table, open it with "
            "daskgmm.open_parquet(url), or write url/**/*.parquet."
        )
    return (
        f"{place} does not exist. Check the path; it is looked up from the directory {Path.cwd()}."
    )


def _not_zarr(name: str) -> str:
    return how_to_open(name) or (
        f"{name} exists but is not a Zarr array: it has no zarr.json and no .zarray. Give the "
        "directory that has one, Parquet files, or a .npy file."
    )


def group_refused(name: str, group: Any) -> str:
    """Say that a group was given, and which arrays it holds."""
    name = shown(name)
    try:
        arrays = sorted(
            (path, node.shape)
            for path, node in group.members(max_depth=None)
            if isinstance(node, zarr.Array)
        )
    except Exception:
        # Some stores, HTTP for one, cannot list what they hold.
        return f"{name} is a Zarr group, not an array; give the path of one of its arrays."
    if not arrays:
        return f"{name} is a Zarr group without arrays; give the path of a Zarr array."
    listed = "".join(f"\n  {path} {shape}" for path, shape in arrays[:LISTED_ARRAYS])
    more = len(arrays) - LISTED_ARRAYS
    return (
        f"{name} is a Zarr group, not an array; give one of its arrays, for example "
        f"{name.rstrip('/')}/{arrays[0][0]}. It holds:{listed}"
        + (f"\n  and {more} more" if more > 0 else "")
        + "\nTo take several as features, open them with open_data(path, variables=[...]); on the "
        "command line give --variables."
    )
