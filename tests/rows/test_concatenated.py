import dask.array as da
import numpy as np
import pytest
import zarr

from daskgmm.errors import DataError
from daskgmm.rows.arrays import ArrayRows
from daskgmm.rows.compositions.concatenated import ConcatenatedRows
from daskgmm.rows.lazy.dask_array import DaskRows
from daskgmm.rows.stores.zarr_array import ZarrRows

from .conformance import RowsTests, read_all


class TestConcatenatedRows(RowsTests):
    def make(self, data, tmp_path):
        stored = zarr.create_array(str(tmp_path / "x"), shape=data[10:20].shape, dtype=data.dtype)
        stored[:] = data[10:20]
        return ConcatenatedRows(
            [
                ArrayRows(data[:10], lengths=[3, 7]),
                ArrayRows(data[:0]),
                ZarrRows(stored),
                DaskRows(da.from_array(data[20:], chunks=(9, 5)[: data.ndim])),
            ]
        )


def test_types_are_brought_together():
    rows = ConcatenatedRows([ArrayRows(np.ones((3, 2), "i8")), ArrayRows(np.ones((3, 2), "f4"))])
    assert rows.dtype == np.float64 == read_all(rows).dtype


def test_in_process_if_any_is():
    elsewhere = DaskRows(da.zeros((4, 2), chunks=(2, 2)))
    assert not ConcatenatedRows([elsewhere, elsewhere]).in_process
    assert ConcatenatedRows([elsewhere, ArrayRows(np.zeros((3, 2)))]).in_process


def test_other_number_of_columns():
    with pytest.raises(DataError, match="Element 1 has 3 columns, but element 0 has 2"):
        ConcatenatedRows([ArrayRows(np.zeros((3, 2))), ArrayRows(np.zeros((3, 3)))])


def test_nothing():
    with pytest.raises(DataError, match="nothing"):
        ConcatenatedRows([])
