"""Integers beyond 2^53 are rounded by float64: each source of rows says so, once."""

import warnings

import dask.array as da
import dask.dataframe as dd
import h5py
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xarray as xr
import zarr

from daskgmm import GaussianMixture, open_data, sweep
from daskgmm.errors import ResolutionWarning

N = 60
FIRST = (1 << 60) + 1
LONG = FIRST + np.random.default_rng(0).integers(0, 1 << 59, N)
FRAME = pd.DataFrame({"a": np.random.default_rng(1).normal(size=N), "big": LONG})
GAPS = FRAME.assign(big=FRAME.big.astype("Int64").mask(FRAME.index == 3))
INTEGERS = np.stack([np.arange(N) % 7, LONG], axis=1)


def parquet(frame, path):
    frame.to_parquet(path / "x.parquet", index=False)
    return str(path / "x.parquet")


def csv(frame, path):
    frame.to_csv(path / "x.csv", index=False)
    return str(path / "x.csv")


def hdf5(path):
    with h5py.File(path / "x.h5", "w") as file:
        file["x"] = INTEGERS
    return h5py.File(path / "x.h5")["x"]


def grid(chunks=None):
    found = xr.Dataset({name: ("row", FRAME[name].to_numpy()) for name in FRAME})
    return found if chunks is None else found.chunk({"row": chunks})


def listed(path):
    column = pa.array(INTEGERS.tolist(), pa.list_(pa.int64(), 2))
    pa.parquet.write_table(pa.table({"emb": column}), path / "x.parquet")
    return str(path / "x.parquet")


SOURCES = {
    "numpy": lambda path: INTEGERS,
    "uint64": lambda path: INTEGERS.astype(">u8"),
    "list": lambda path: [INTEGERS[:30], INTEGERS[30:]],
    "pandas": lambda path: FRAME,
    "pandas Arrow": lambda path: FRAME.astype({"big": "int64[pyarrow]"}),
    "pandas gaps": lambda path: GAPS,
    "polars": lambda path: pl.from_pandas(FRAME),
    "arrow": lambda path: pa.Table.from_pandas(FRAME),
    "dask": lambda path: da.from_array(INTEGERS, chunks=(20, 2)),
    "dask frame": lambda path: dd.from_pandas(FRAME, npartitions=2),
    "zarr": lambda path: zarr.create_array(path / "x.zarr", data=INTEGERS, chunks=(20, 2)),
    "hdf5": hdf5,
    "parquet": lambda path: parquet(FRAME, path),
    "parquet gaps": lambda path: parquet(GAPS, path),
    "parquet lists": listed,
    "csv": lambda path: csv(FRAME, path),
    "xarray": lambda path: grid(),
    "lazy xarray": lambda path: grid(20),
}


def fitted(x, **settings):
    return GaussianMixture(1, missing="drop", standardise=True, **settings).fit(x)


def told_by(x):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        fitted(x)
    return [str(each.message) for each in told if each.category is ResolutionWarning]


@pytest.mark.parametrize("kind", SOURCES)
def test_each_source_says_so(kind, tmp_path):
    x = SOURCES[kind](tmp_path)
    name = "'emb[1]'" if kind == "parquet lists" else "1|'big'"
    told = told_by(x)
    assert len(told) == 1
    assert "which float64 rounds: its neighbouring values there are up to 256 apart" in told[0]
    assert any(f"Column {each} of X holds" in told[0] for each in name.split("|"))


def small(path):
    return FRAME.assign(big=FRAME.big // (1 << 20))


def halves(path):
    return FRAME.astype(float)


def left_out(path):
    return open_data(parquet(FRAME.assign(b=FRAME.a), path), columns=["b", "a"])


@pytest.mark.parametrize("make", [small, halves, left_out])
def test_others_are_taken_in_silence(make, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted(make(tmp_path))


def test_a_fill_value_is_told_as_one():
    x = INTEGERS % 1000
    x[5, 1] = np.iinfo(np.int64).min
    assert ["the smallest int64" in each for each in told_by(x)] == [True]


def test_a_sweep_says_so_once():
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        sweep(FRAME, [1, 2], ["diag"], standardise=True, random_state=0)
    assert sum("integers beyond 2^53" in str(each.message) for each in told) == 1
