import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr

from daskgmm.companions import Companions
from daskgmm.errors import DataError
from daskgmm.rows.arrays import ArrayRows
from daskgmm.rows.companions.weights import split_companions, weights_for
from daskgmm.rows.lazy.dask_array import DaskRows
from daskgmm.rows.opening import as_rows

from .conformance import blocks_of, read_all

WEIGHTS = np.arange(10.0)
ROWS = ArrayRows(np.zeros((10, 2)), lengths=[3, 0, 6, 1])


def unknown(array, chunks):
    x = da.from_array(array, chunks=chunks)
    return x[da.from_array(np.ones(len(array), bool), chunks=chunks[0])]


def stored(weights):
    array = zarr.create_array({}, shape=weights.shape, dtype=weights.dtype, chunks=(4,))
    array[:] = weights
    return array


@pytest.mark.parametrize(
    "make",
    [
        np.asarray,
        list,
        tuple,
        stored,
        lambda w: da.from_array(w, chunks=4),
        lambda w: da.from_array(w, chunks=((3, 0, 6, 1),)),
    ],
)
def test_cut_like_the_rows(make):
    weights = weights_for(ROWS, make(WEIGHTS))
    assert weights.lengths.tolist() == ROWS.lengths.tolist()
    assert weights.n_features == 1
    blocks = blocks_of(weights.segment(0, 4))
    assert [block.shape for block in blocks] == [(3,), (0,), (6,), (1,)]
    np.testing.assert_array_equal(np.concatenate(blocks), WEIGHTS)
    np.testing.assert_array_equal(np.concatenate(blocks_of(weights.segment(2, 4))), WEIGHTS[3:])


def test_lists_go_together():
    rows = as_rows([np.zeros((4, 2)), da.zeros((6, 2), chunks=(5, 2))])
    for weights in ([WEIGHTS[:4].tolist(), stored(WEIGHTS[4:])], WEIGHTS):
        cut = weights_for(rows, weights)
        assert cut.lengths.tolist() == [4, 5, 1]
        np.testing.assert_array_equal(read_all(cut), WEIGHTS)


def test_list_of_another_number():
    rows = as_rows([np.zeros((4, 2)), np.zeros((6, 2))])
    with pytest.raises(DataError, match="list of 1 array, but X is a list of 2"):
        weights_for(rows, [WEIGHTS])
    with pytest.raises(DataError, match="X is a single array"):
        weights_for(ROWS, [WEIGHTS])


def test_unknown_lengths_need_the_same_chunks():
    rows = DaskRows(unknown(np.zeros((10, 2)), (4, 2)))
    for weights in (da.from_array(WEIGHTS, chunks=4), unknown(WEIGHTS, (4,))):
        cut = weights_for(rows, weights)
        assert cut.lengths.tolist() == rows.lengths.tolist()
        np.testing.assert_array_equal(read_all(cut), WEIGHTS)
    with pytest.raises(DataError, match="sample_weight has 2 chunks and X has 3"):
        weights_for(rows, da.from_array(WEIGHTS, chunks=5))
    with pytest.raises(DataError, match="compute_chunk_sizes"):
        weights_for(rows, WEIGHTS)


def test_unknown_lengths_of_frames_are_found_otherwise_than_those_of_arrays():
    frame = dd.from_pandas(pd.DataFrame({"a": WEIGHTS, "b": WEIGHTS}), npartitions=2)
    for rows, weights in ((as_rows(frame), WEIGHTS), (ROWS, frame["a"])):
        with pytest.raises(DataError, match=r"series of Dask with to_dask_array\(lengths=True\)"):
            weights_for(rows, weights)
    with pytest.raises(DataError, match="Make it a column of the data frame, and give its name"):
        weights_for(as_rows(frame), WEIGHTS)
    assert weights_for(ROWS, frame["a"].to_dask_array(lengths=True)).n_rows == 10


def test_a_dataset_is_no_weights():
    with pytest.raises(DataError, match=r"a Dataset with w; give .* sample_weight\['name'\]"):
        weights_for(ROWS, xr.Dataset({"w": ("row", WEIGHTS)}))


def test_unknown_weights_for_known_rows_are_checked_when_read():
    rows = ArrayRows(np.zeros((10, 2)), lengths=[4, 4, 2])
    cut = weights_for(rows, unknown(WEIGHTS, (4,)))
    assert cut.lengths.tolist() == [4, 4, 2]
    np.testing.assert_array_equal(read_all(cut), WEIGHTS)
    cut = weights_for(rows, unknown(WEIGHTS[:9], (4,)))
    with pytest.raises(DataError, match=r"Chunk 2 .*announced"):
        read_all(cut)


@pytest.mark.parametrize("make", [np.asarray, list, stored, da.from_array])
def test_another_number_of_weights(make):
    with pytest.raises(DataError, match=r"sample_weight\.shape == \(5,\), expected \(10,\)!"):
        weights_for(ROWS, make(WEIGHTS[:5]))


@pytest.mark.parametrize(
    ("weights", "text"),
    [
        (np.ones((10, 1)), r"1D array of shape \(10,\).*got 2D of shape \(10, 1\)"),
        (da.ones((10, 1)), r"1D array of shape \(10,\)"),
        (3.0, r"1D array of shape \(10,\).*got 0D\. Without sample_weight"),
        (1.0, "got 0D"),
        (np.ones(10, complex), "Complex data not supported"),
        (["a"] * 10, "sample_weight has dtype <U1"),
    ],
)
def test_refused(weights, text):
    with pytest.raises(DataError, match=text):
        weights_for(ROWS, weights)


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        (np.ones(5), r"labels\.shape == \(5,\), expected \(10,\)! Give one label for each row"),
        (da.ones(5), r"labels\.shape == \(5,\)"),
        (stored(WEIGHTS[:5]), r"labels\.shape == \(5,\)"),
        (np.ones((10, 1)), r"Labels must be a 1D array .*one label a row.*labels\[:, 0\]"),
        (3.0, "Without labels the class of no row is known"),
        (["a"] * 10, "labels has dtype <U1"),
        ([WEIGHTS], "labels is a list of 1 array, but X is a single array; give one array of lab"),
        (np.zeros(10, [("a", int)]), r"one number a row is needed. Take one field, as labels\['a'"),
        (xr.Dataset({"w": ("row", WEIGHTS)}), r"labels is a Dataset with w; .*labels\['name'\]"),
        (dd.from_pandas(pd.DataFrame({"a": WEIGHTS}), 1), "labels is a Dask data frame"),
    ],
)
def test_errors_about_labels_name_them(labels, text):
    with pytest.raises(DataError, match=text):
        weights_for(ROWS, labels, name="labels")


def test_columns_that_go_beside_rows_are_no_features():
    rows = as_rows(pd.DataFrame({"a": WEIGHTS, "w": 2 * WEIGHTS, "c": 3 * WEIGHTS}))
    left, beside = split_companions(rows, Companions(weights="w", labels="c"))
    assert left.columns == ("a",)
    np.testing.assert_array_equal(read_all(beside.weights), 2 * WEIGHTS)
    np.testing.assert_array_equal(read_all(beside.labels), 3 * WEIGHTS)
    assert beside.noise is None
