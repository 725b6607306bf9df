"""Forms in which users have the same rows: in memory, lazy, and stored."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask.array as da
import dask.dataframe as dd
import h5py
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import xarray as xr
import zarr


def names_of(x):
    """Return a name for each column."""
    return [f"c{index}" for index in range(x.shape[1])]


def _frame(x, folder, rows):
    return pd.DataFrame(x, columns=names_of(x))


def _dask(x, folder, rows):
    return da.from_array(x, chunks=(rows, x.shape[1]))


def _zarr(x, folder, rows):
    place = folder / "x.zarr"
    zarr.create_array(place, data=x, chunks=(rows, x.shape[1]))
    return place


def _split_zarr(x, folder, rows):
    place = folder / "x.zarr"
    zarr.create_array(place, data=x, chunks=(rows, 1))
    return zarr.open_array(place, mode="r")


def _parquet(x, folder, rows):
    place = folder / "x.parquet"
    pq.write_table(pa.table(dict(zip(names_of(x), x.T, strict=True))), place, row_group_size=rows)
    return place


def _npy(x, folder, rows):
    np.save(folder / "x.npy", x)
    return folder / "x.npy"


def _hdf5(x, folder, rows):
    file = h5py.File(folder / "x.h5", "w")
    file.create_dataset("x", data=x, chunks=(rows, x.shape[1]))
    return file["x"]


def _labelled(x, folder, rows):
    return xr.DataArray(x, dims=("row", "feature"), coords={"feature": names_of(x)})


def _parts(x, folder, rows):
    return [x[start : start + rows] for start in range(0, len(x), rows)]


@dataclass(frozen=True)
class Form:
    """A form of rows.

    Attributes
    ----------
    make : callable
        Returns what a user gives, of rows, a folder and the length of a chunk.
    cut : bool
        Whether it has chunks of that length; others have chunks of their own.
    known : bool
        Whether the lengths of its chunks are known before it is read.
    fit : dict
        What `fit` is told beside it.
    """

    make: Any
    cut: bool = False
    known: bool = True
    fit: tuple = ()


FORMS = {
    "array": Form(lambda x, folder, rows: x),
    "columns": Form(lambda x, folder, rows: np.asfortranarray(x)),
    "strided": Form(lambda x, folder, rows: np.repeat(x, 2, axis=0)[::2]),
    "swapped": Form(lambda x, folder, rows: x.astype(x.dtype.newbyteorder())),
    "list": Form(lambda x, folder, rows: x.tolist()),
    "pandas": Form(_frame),
    "polars": Form(lambda x, folder, rows: pl.DataFrame(x, schema=names_of(x))),
    "Arrow": Form(lambda x, folder, rows: pa.table(dict(zip(names_of(x), x.T, strict=True)))),
    "NumPy file": Form(_npy),
    "parts": Form(_parts, cut=True),
    "Dask": Form(_dask, cut=True),
    "Dask frame": Form(
        lambda x, folder, rows: dd.from_pandas(_frame(x, folder, rows), chunksize=rows),
        known=False,
    ),
    "Zarr": Form(_zarr, cut=True),
    "Zarr, columns apart": Form(_split_zarr, cut=True),
    "Parquet": Form(_parquet, cut=True),
    "HDF5": Form(_hdf5, cut=True),
    "xarray": Form(_labelled, fit=(("feature_dims", ["feature"]),)),
    "xarray, lazy": Form(
        lambda x, folder, rows: _labelled(x, folder, rows).chunk(row=rows),
        cut=True,
        fit=(("feature_dims", ["feature"]),),
    ),
}
"""Forms by name."""


def made(name, x, folder, rows):
    """Return rows in a form, chunks of which have so many rows."""
    return FORMS[name].make(np.array(x), Path(folder), rows)


def values(found):
    """Return predictions as an array, whatever holds them."""
    if hasattr(found, "compute"):
        found = found.compute()
    return np.asarray(found)
