"""From what a user gives to rows: objects, paths and URLs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from daskgmm.rows.labelled.opening import open_labelled
from daskgmm.rows.rows import Rows
from daskgmm.rows.sources import source_of
from daskgmm.storage.address import path_text
from daskgmm.storage.masking import StorageOptions


def as_rows(x: Any, columns: Sequence[str] | None = None) -> Rows:
    """Return what `fit` takes as rows, unread; of what has names, the columns of these names."""
    return source_of(x).rows(columns)


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
    if variables is not None:
        return open_labelled(path, variables, storage_options)
    return source_of(path_text(path), storage_options).open(columns)
