"""Opening of rows from objects, paths and URLs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from daskgmm.rows.labelled.opening import open_labelled
from daskgmm.rows.rows import Rows
from daskgmm.rows.sources import source_of
from daskgmm.storage.address import path_text
from daskgmm.storage.masking import StorageOptions, check_options


def as_rows(x: Any, columns: Sequence[str] | None = None) -> Rows:
    """Return X, as `fit` takes it, as unread rows of these columns, by default of all."""
    return source_of(x).checked_rows(columns)


def open_data(
    path: str | os.PathLike[str],
    storage_options: StorageOptions | None = None,
    *,
    columns: Sequence[str] | None = None,
    variables: Sequence[str] | None = None,
) -> Any:
    """Open data that can be fitted; only metadata are read, but of CSV.

    A ``.npy`` file becomes a memory map, Parquet rows, a small CSV file rows in memory, a Zarr
    array of two axes itself; a Zarr group, a Zarr array of more axes, and a file that xarray opens
    become labelled arrays, for which `fit` takes `feature_dims`.

    Parameters
    ----------
    path : str or path
        A local path, or a URL that fsspec understands, such as ``s3://bucket/rows.zarr``.
    storage_options : mapping, optional
        Options of the file system of a URL, such as keys and an endpoint. By default those of
        fsspec's configuration and the environment hold. They are sent to the workers of a
        cluster, and never written.
    columns : sequence of str, optional
        The columns to take from Parquet or CSV files. A path is one of Parquet files if it has
        their suffix, is a glob, or is a local directory that holds such files and is no Zarr store.
    variables : sequence of str, optional
        The variables to take, as in `daskgmm.open_labelled`.

    Returns
    -------
    numpy.memmap, zarr.Array, Rows, xarray.DataArray or xarray.Dataset
        Of shape (n, d), or with dimensions of its own; `fit` and predictions take it.

    Raises
    ------
    SourceError
        If there is nothing that can be opened; or if the features are ambiguous: the message
        then lists what to choose from.

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

    Examples
    --------
    >>> import numpy as np
    >>> from daskgmm import open_data
    >>> np.save("rows.npy", np.zeros((1000, 3)))
    >>> open_data("rows.npy").shape
    (1000, 3)
    """
    check_options(storage_options)
    if variables is not None:
        return open_labelled(path, variables, storage_options)
    return source_of(path_text(path), storage_options).open(columns)
