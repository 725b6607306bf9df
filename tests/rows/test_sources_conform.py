"""Every kind of source in the table does what `SourceTests` says."""

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

from daskgmm import GaussianMixture, open_data, open_parquet
from daskgmm.errors import SourceError
from daskgmm.rows.arrays import ArrayRows
from daskgmm.rows.kinds.csv import CsvFile, OpenCsv
from daskgmm.rows.kinds.dask_array import DaskArray
from daskgmm.rows.kinds.frames import ArrowTable, DaskFrame, PolarsFrame
from daskgmm.rows.kinds.hdf5 import HDF5
from daskgmm.rows.kinds.labelled import LabelledArrays, LabelledFile
from daskgmm.rows.kinds.memory import Mapped, Memory, PandasFrame
from daskgmm.rows.kinds.npy import Npy
from daskgmm.rows.kinds.parquet import OpenParquet, OpenRows, ParquetFiles
from daskgmm.rows.kinds.zarr import StoredZarr, Zarr
from daskgmm.rows.sources import SOURCES, Parts
from daskgmm.testing import SourceTests

NAMES = ("a", "b", "c", "d")


def frame(data):
    return pd.DataFrame(data, columns=NAMES)


class TestMemory(SourceTests):
    kind = Memory

    def make(self, data, folder):
        return data

    def make_weights(self, weights, folder):
        return weights.tolist()


class TestMapped(SourceTests):
    kind = Mapped

    def make_weights(self, weights, folder):
        return self.make(weights, folder)

    def make(self, data, folder):
        np.save(folder / "x.npy", data)
        return np.load(folder / "x.npy", mmap_mode="r")


class TestCsvFile(SourceTests):
    kind, names = CsvFile, NAMES

    def make(self, data, folder):
        frame(data).to_csv(folder / "x.csv", index=False)
        return folder / "x.csv"

    def make_weights(self, weights, folder):
        pd.DataFrame({"w": weights}).to_csv(folder / "w.csv", index=False)
        return folder / "w.csv"


class TestOpenCsv(TestCsvFile):
    kind = OpenCsv

    def make(self, data, folder):
        return open_data(super().make(data, folder))

    def make_weights(self, weights, folder):
        return open_data(super().make_weights(weights, folder))


class TestNpy(SourceTests):
    kind = Npy

    def make_weights(self, weights, folder):
        return self.make(weights, folder)

    def make(self, data, folder):
        np.save(folder / "x.npy", data)
        return folder / "x.npy"


class TestPandasFrame(SourceTests):
    kind, names = PandasFrame, NAMES

    def make(self, data, folder):
        return frame(data)


class TestPolarsFrame(SourceTests):
    kind, names = PolarsFrame, NAMES

    def make(self, data, folder):
        return pl.DataFrame(data, schema=list(NAMES))


class TestArrowTable(SourceTests):
    kind, names = ArrowTable, NAMES

    def make(self, data, folder):
        return pa.table({name: data[:, i] for i, name in enumerate(NAMES)})


class TestDaskFrame(SourceTests):
    kind, names = DaskFrame, NAMES

    def make(self, data, folder):
        return dd.from_pandas(frame(data), npartitions=3)


class TestDaskArray(SourceTests):
    kind = DaskArray

    def make(self, data, folder):
        return da.from_array(data, chunks=(15_000, 3))

    def make_weights(self, weights, folder):
        return da.from_array(weights, chunks=7_000)


class TestZarr(SourceTests):
    kind = Zarr

    def make_weights(self, weights, folder):
        return zarr.create_array(folder / "w.zarr", data=weights, chunks=(7_000,))

    def make(self, data, folder):
        return zarr.create_array(folder / "x.zarr", data=data, chunks=(9_000, 3))


class TestStoredZarr(SourceTests):
    kind = StoredZarr

    def make_weights(self, weights, folder):
        return TestZarr.make_weights(self, weights, folder).store_path.store.root

    def make(self, data, folder):
        zarr.create_array(folder / "x.zarr", data=data, chunks=(9_000, 3))
        return str(folder / "x.zarr")


class TestHDF5(SourceTests):
    kind = HDF5

    def make_weights(self, weights, folder):
        return self.make(weights, folder)

    def make(self, data, folder):
        with h5py.File(folder / "x.h5", "w") as file:
            file["x"] = data
        return h5py.File(folder / "x.h5", "r")["x"]


class TestParquetFiles(SourceTests):
    kind, names = ParquetFiles, NAMES

    def make(self, data, folder):
        frame(data).to_parquet(folder / "x.parquet", row_group_size=15_000)
        return folder / "x.parquet"


class TestOpenParquet(SourceTests):
    kind, names = OpenParquet, NAMES

    def make(self, data, folder):
        frame(data).to_parquet(folder / "x.parquet", row_group_size=15_000)
        return open_parquet(folder / "x.parquet")

    def make_weights(self, weights, folder):
        pd.DataFrame({"w": weights}).to_parquet(folder / "w.parquet", row_group_size=15_000)
        return open_parquet(folder / "w.parquet")


class TestOpenRows(SourceTests):
    kind, names = OpenRows, NAMES

    def make(self, data, folder):
        return ArrayRows(data, [10_000, 0, 30_000], NAMES)

    def make_weights(self, weights, folder):
        return ArrayRows(weights)


class TestLabelledArrays(SourceTests):
    kind, names = LabelledArrays, NAMES

    def make_weights(self, weights, folder):
        return xr.DataArray(weights, dims="row")

    def make(self, data, folder):
        return xr.Dataset({name: ("row", data[:, i]) for i, name in enumerate(NAMES)})


class TestLabelledFile(TestLabelledArrays):
    """As plain rows such a file is refused; what it is opened as conforms."""

    def make(self, data, folder):
        super().make(data, folder).to_netcdf(folder / "x.nc")
        with pytest.raises(SourceError, match=r"open it with daskgmm\.open_labelled"):
            GaussianMixture(2).fit(folder / "x.nc")
        return open_data(folder / "x.nc")


class TestParts(SourceTests):
    kind = Parts

    def make(self, data, folder):
        return [data[:100], da.from_array(data[100:], chunks=(20_000, 4))]

    def make_weights(self, weights, folder):
        return [weights[:100], da.from_array(weights[100:], chunks=15_000)]


def test_all_are_tested():
    tested = {vars(each).get("kind") for each in globals().values() if isinstance(each, type)}
    assert tested - {None} == set(SOURCES) - {LabelledFile}
