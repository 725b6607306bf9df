import pickle

import numpy as np
import pytest

from daskgmm.errors import DataError
from daskgmm.rows.arrays import CHUNK_BYTES, ArrayRows, rows_in

from .conformance import RowsTests, read_all


class TestArrayRows(RowsTests):
    def make(self, data, tmp_path):
        return ArrayRows(data, lengths=[7, 0, 1, 33])


class TestMemoryMap(RowsTests):
    def make(self, data, tmp_path):
        np.save(tmp_path / "x.npy", data)
        return ArrayRows(np.load(tmp_path / "x.npy", mmap_mode="r"), lengths=[20, 20, 1])


class TestFortranOrder(RowsTests):
    def make(self, data, tmp_path):
        return ArrayRows(np.asfortranarray(data), lengths=[20, 20, 1])


def test_own_chunks_have_a_power_of_two_of_rows():
    rows = ArrayRows(np.zeros((100_000, 3), "f4"))
    assert rows.lengths.tolist() == [1 << 16, 100_000 - (1 << 16)]
    assert rows.lengths[0] * rows.row_nbytes <= CHUNK_BYTES < 2 * rows.lengths[0] * rows.row_nbytes


def test_a_row_larger_than_a_chunk():
    assert rows_in(CHUNK_BYTES, 8 * CHUNK_BYTES) == 1


def test_no_rows_no_chunks():
    rows = ArrayRows(np.zeros((0, 3)))
    assert rows.lengths.shape == (0,)
    assert rows.lengths.dtype == np.int64
    assert rows.n_rows == 0
    assert list(rows.segment(0, 0).stream()) == []


def test_blocks_are_views():
    array = np.zeros((100, 3))
    (block,) = ArrayRows(array).segment(0, 1).stream()
    assert np.shares_memory(block, array)


def test_a_pickle_takes_only_its_rows():
    segment = ArrayRows(np.zeros((10_000, 10)), lengths=[10] * 1000).segment(3, 5)
    assert len(pickle.dumps(segment)) < 20 * 10 * 8 + 1000


def test_matrix_is_read_as_array():
    with pytest.warns(PendingDeprecationWarning):
        matrix = np.matrix([[1.0, 2.0], [3.0, 4.0]])
    block = read_all(ArrayRows(matrix))
    assert type(block) is np.ndarray
    assert block.shape == (2, 2)


def test_masked_array_is_refused():
    with pytest.raises(DataError, match="filled"):
        ArrayRows(np.ma.masked_array(np.zeros((3, 2)), mask=True))


@pytest.mark.parametrize("lengths", [[3, 3], [-1, 11], [12, -2]])
def test_lengths_that_do_not_fit(lengths):
    with pytest.raises(DataError, match=r"rows|unknown"):
        ArrayRows(np.zeros((10, 2)), lengths=lengths)
