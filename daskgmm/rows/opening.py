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
from daskgmm.rows.hdf5 import HDF5Rows, check_readable, is_hdf5
from daskgmm.rows.labelled_opening import (
    data_array,
    is_labelled_file,
    labelled_group,
    open_labelled,
)
from daskgmm.rows.layout import check_rows
from daskgmm.rows.parquet import open_parquet
from daskgmm.rows.parquet_files import is_parquet
from daskgmm.rows.plain import checked, unmasked
from daskgmm.rows.rows import Rows
from daskgmm.rows.undecoded import warn_of_undecoded
from daskgmm.rows.zarr_array import ZarrRows
from daskgmm.rows.zarr_opening import group_refused, missing, open_node
from daskgmm.rows.zarr_opening import open_zarr as open_zarr
from daskgmm.rows.zarr_store import location
from daskgmm.storage_options import StorageOptions


def as_rows(
    x: Any,
    storage_options: StorageOptions | None = None,
    *,
    columns: Sequence[str] | None = None,
) -> Rows:
    """Return what `x` holds as rows; nothing is read yet.

    Parameters
    ----------
    x : ndarray, memmap, zarr.Array, dask.array.Array, h5py.Dataset, data frame, path, Rows, or list
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
        x = open_rows(x, storage_options, columns=columns)
    if isinstance(x, zarr.Group):
        raise SourceError(group_refused(location(x), x))
    rows = x if isinstance(x, Rows) else rows_of_frame(x, columns) or _rows_of_array(x)
    if rows is None:
        rows = _rows_of_array(checked(x, "X"))
    if rows is None:
        raise TypeError(
            f"X is a {type(x).__module__}.{type(x).__qualname__}; give a NumPy array, a dask "
            "array, a Zarr array, a dataset of h5py, the path or URL of a Zarr array or of Parquet "
            "files, the path of a .npy file, a Dask or Polars data frame, or a list of these."
        )
    return rows


def open_data(
    path: str | os.PathLike[str],
    storage_options: StorageOptions | None = None,
    *,
    columns: Sequence[str] | None = None,
    variables: Sequence[str] | None = None,
) -> Any:
    """Open whatever can be fitted; nothing is read but metadata.

    A ``.npy`` file becomes a memory map, Parquet rows, a Zarr array of two axes itself; a Zarr
    group, a Zarr array of more axes, and a file that xarray opens become labelled arrays, for
    which `fit` takes `feature_dims`.

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
    variables : sequence of str, optional
        The variables to take, as in `daskgmm.open_labelled`.

    Returns
    -------
    numpy.memmap, zarr.Array, Rows, xarray.DataArray or xarray.Dataset

    Raises
    ------
    SourceError
        If there is nothing that can be opened; or if it leaves open what the features are, in
        which case the message says what to choose from.

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
    if variables is not None or is_labelled_file(name):
        return open_labelled(path, variables, storage_options)
    if is_parquet(name) or _is_npy(name):
        return open_rows(path, storage_options, columns=columns)
    node = open_node(path, storage_options)
    if isinstance(node, zarr.Group):
        return labelled_group(name, node)
    return node if node.ndim < 3 else data_array(node)


def open_rows(
    path: str | os.PathLike[str],
    storage_options: StorageOptions | None = None,
    *,
    columns: Sequence[str] | None = None,
) -> Any:
    """Open what holds rows or weights by itself; parameters and errors are those of `open_data`.

    Returns
    -------
    numpy.memmap, zarr.Array or Rows
    """
    name = os.fspath(path)
    if is_parquet(name):
        return open_parquet(path, columns, storage_options)
    if not _is_npy(name):
        return open_zarr(path, storage_options)
    try:
        return np.load(Path(name).expanduser(), mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise SourceError(missing(name)) from error
    except (OSError, ValueError) as error:
        raise SourceError(
            f"{name} cannot be mapped into memory ({type(error).__name__}: {error}). Write it "
            "with numpy.save from an array of plain numbers."
        ) from error


def _is_npy(name: str) -> bool:
    return name.endswith(".npy") and not is_url(name)


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
        unmasked(x._meta, "X")
        warn_of_undecoded(x)
        return DaskRows(x)
    if is_hdf5(x):
        check_readable(x)
        _check_two_axes(x)
        return HDF5Rows(x)
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
