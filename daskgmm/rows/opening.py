"""From what a user gives to rows: dispatch on its type, open paths and URLs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import zarr

from daskgmm.errors import DataError, SourceError
from daskgmm.files import is_url
from daskgmm.rows.arrays import ArrayRows
from daskgmm.rows.concatenated import ConcatenatedRows
from daskgmm.rows.dask_array import DaskRows
from daskgmm.rows.frames import rows_of_frame
from daskgmm.rows.layout import check_rows
from daskgmm.rows.obstore_backend import portable
from daskgmm.rows.parquet import open_parquet
from daskgmm.rows.parquet_files import is_parquet
from daskgmm.rows.rows import Rows
from daskgmm.rows.zarr_array import ZarrRows, location
from daskgmm.storage_options import StorageOptions, described, harmless

CODEC_BATCH = 16
"""Chunks that Zarr decodes as one job: small chunks are read twice as fast as with its default
of 1 (0.14 ms each instead of 0.28), large ones as fast. The array keeps it, pickled too."""

LISTED_ARRAYS = 10
"""Arrays of a group that an error message lists at most."""


def as_rows(
    x: Any,
    storage_options: StorageOptions | None = None,
    *,
    columns: Sequence[str] | None = None,
) -> Rows:
    """Return what `x` holds as rows; nothing is read yet.

    Parameters
    ----------
    x : ndarray, memmap, zarr.Array, dask.array.Array, data frame, path, Rows, or a list
        Of shape (n, d). A path is the path or URL of a Zarr array or of Parquet files, or the
        path of a ``.npy`` file, which is mapped into memory. Data frames are those of Dask
        and Polars. A list or tuple of these is taken one after another.
    storage_options : mapping, optional
        For URLs, as in `open_data`.
    columns : sequence of str, optional
        The columns to take, by name, from what has names; the rest is not read.

    Raises
    ------
    DataError
        If shape or type cannot be rows of real numbers.
    SourceError
        If a path or URL cannot be opened.
    TypeError
        If `x` is something else, lists of numbers included.
    """
    if isinstance(x, Rows):
        return x if columns is None or x.columns is None else x.select(columns)
    if isinstance(x, (list, tuple)):
        return _concatenated(x, storage_options, columns)
    if isinstance(x, (str, os.PathLike)):
        x = open_data(x, storage_options, columns=columns)
    if isinstance(x, zarr.Group):
        raise SourceError(_group(location(x), x))
    rows = x if isinstance(x, Rows) else rows_of_frame(x, columns) or _rows_of_array(x)
    if rows is None:
        raise TypeError(
            f"X is a {type(x).__module__}.{type(x).__qualname__}; give a NumPy array, a dask "
            "array, a Zarr array, the path or URL of a Zarr array or of Parquet files, the path "
            "of a .npy file, a Dask or Polars data frame, or a list of these."
        )
    return rows


def open_data(
    path: str | os.PathLike[str],
    storage_options: StorageOptions | None = None,
    *,
    columns: Sequence[str] | None = None,
) -> Any:
    """Open a ``.npy`` file as a memory map, Parquet as rows, anything else as a Zarr array.

    Nothing is read but metadata; what is returned goes wherever rows are taken.

    Parameters
    ----------
    path : str or path
        A local path, or a URL that fsspec understands, such as ``s3://bucket/rows.zarr``.
    storage_options : mapping, optional
        Given on to the file system of a URL: keys, an endpoint. By default fsspec's
        configuration and what the environment says hold alone. They travel to the workers of
        a cluster, and are never written anywhere.
    columns : sequence of str, optional
        The columns to take from Parquet files. Of Parquet is what ends as Parquet files do, is
        a glob, or a local directory that has such files in it and is no Zarr store.

    Returns
    -------
    numpy.memmap, zarr.Array or Rows

    Raises
    ------
    SourceError
        As `open_zarr` and `open_parquet`; or if the file is not one that NumPy can map.

    Notes
    -----
    ``s3://`` is read with s3fs (``pip install 'daskgmm[s3]'``). To read with obstore instead,
    register it once; options are then those of obstore:

    >>> import obstore.fsspec
    >>> obstore.fsspec.register("s3")  # doctest: +SKIP
    >>> rows = open_data(
    ...     "s3://bucket/rows.zarr", {"endpoint": "http://127.0.0.1:8333"}
    ... )  # doctest: +SKIP

    A `zarr.Array` on a `zarr.storage.ObjectStore` that was opened otherwise is taken as well.
    """
    name = os.fspath(path)
    if is_parquet(name):
        return open_parquet(path, columns, storage_options)
    if not name.endswith(".npy") or is_url(name):
        return open_zarr(path, storage_options)
    try:
        return np.load(Path(name).expanduser(), mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise SourceError(_missing(name)) from error
    except (OSError, ValueError) as error:
        raise SourceError(
            f"{name} cannot be mapped into memory ({type(error).__name__}: {error}). Write it "
            "with numpy.save from an array of plain numbers."
        ) from error


def open_zarr(
    path_or_url: str | os.PathLike[str], storage_options: StorageOptions | None = None
) -> Any:
    """Open a Zarr array for reading.

    Parameters
    ----------
    path_or_url : str or os.PathLike
        A directory, or a URL that fsspec understands, down to the array itself.
    storage_options : mapping, optional
        As in `open_data`.

    Returns
    -------
    zarr.Array

    Raises
    ------
    SourceError
        If there is no Zarr array (nothing at all, or a group), or no way to the store.
    """
    name = os.fspath(path_or_url)
    store = name if is_url(name) else str(Path(name).expanduser())
    # Zarr refuses options of what is no URL.
    options = dict(storage_options) if storage_options and is_url(name) else None
    try:
        with zarr.config.set({"codec_pipeline.batch_size": CODEC_BATCH}):
            node = portable(zarr.open(store=store, mode="r", storage_options=options))
    except FileNotFoundError as error:
        # zarr's own NodeNotFoundError is a FileNotFoundError too.
        exists = not is_url(name) and Path(store).exists()
        raise SourceError(_not_zarr(name) if exists else _missing(name)) from error
    except ImportError as error:
        raise SourceError(f"{name} cannot be opened: {error}. Install that package.") from error
    except Exception as error:
        raise SourceError(
            f"{name} cannot be opened ({described(error, storage_options)}). Check the address "
            "(of a server of your own: the endpoint) and the credentials, in storage_options or "
            "the environment."
        ) from harmless(error, storage_options)
    if isinstance(node, zarr.Group):
        raise SourceError(_group(name, node))
    return node


def _rows_of_array(x: Any) -> Rows | None:
    """Return the rows of a single array, or None if `x` is no array that is known here."""
    if isinstance(x, np.ndarray):
        _check_two_axes(x)
        return ArrayRows(x)
    if isinstance(x, zarr.Array):
        _check_two_axes(x)
        return ZarrRows(x)
    if isinstance(x, dask.array.Array):
        _check_two_axes(x)
        return DaskRows(x)
    return None


def _check_two_axes(x: Any) -> None:
    # The sources themselves take one axis as well: weights.
    check_rows(x.shape, x.dtype)


def _concatenated(
    parts: list[Any] | tuple[Any, ...],
    storage_options: StorageOptions | None,
    columns: Sequence[str] | None,
) -> Rows:
    if not parts:
        raise DataError("X is an empty list; give at least one array.")
    for index, part in enumerate(parts):
        if isinstance(part, (int, float, complex, np.number, np.bool_, list, tuple)):
            raise TypeError(
                f"Element {index} of the list X is a {type(part).__name__}; convert lists of "
                "numbers with numpy.asarray first."
            )
    return ConcatenatedRows([as_rows(part, storage_options, columns=columns) for part in parts])


def _missing(name: str) -> str:
    return f"{name} does not exist, or holds no Zarr array. Check the path; it is looked up " + (
        "at that address." if is_url(name) else f"from the directory {Path.cwd()}."
    )


def _not_zarr(name: str) -> str:
    return (
        f"{name} exists but is not a Zarr array: it has no zarr.json and no .zarray. Give the "
        "directory that has one, Parquet files, or a .npy file."
    )


def _group(name: str, group: Any) -> str:
    """Say that a group was given, and which arrays it holds."""
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
    )
