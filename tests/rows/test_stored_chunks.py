"""Dask arrays that only read a Zarr array are read in its blocks; all others as they are."""

import dask.array as da
import numpy as np
import pytest
import zarr

from daskgmm import GaussianMixture, plan
from daskgmm.errors import SourceError
from daskgmm.rows.lazy.dask_array import DaskRows
from daskgmm.rows.opening import as_rows
from daskgmm.rows.stores.stored_chunks import StoredChunks

D = 4
N = 100_000


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(0).normal(size=(N, D)).round(3)


@pytest.fixture(scope="module")
def path(X, tmp_path_factory):
    path = tmp_path_factory.mktemp("stored") / "x.zarr"
    zarr.create_array(path, data=X, chunks=(1000, D))
    return str(path)


def read(rows, first=0, stop=None):
    return list(rows.segment(first, len(rows.lengths) if stop is None else stop).stream())


LARGE = ((70_500, 29_500), (D,))

READERS = {
    "from_zarr": da.from_zarr,
    "in large chunks": lambda path: da.from_zarr(path, chunks=LARGE),
    "inline": lambda path: da.from_zarr(path, inline_array=True),
    "from_array": lambda path: da.from_array(zarr.open_array(path), chunks=(9_999, D)),
    "in a group": lambda path: da.from_array(zarr.open_array(path, mode="r"), chunks="auto"),
}


@pytest.mark.parametrize("make", READERS.values(), ids=READERS)
def test_an_array_that_only_reads_is_read_in_blocks_of_the_store(path, X, make):
    x = make(path)
    rows = as_rows(x)
    assert isinstance(rows, StoredChunks)
    assert rows.lengths.tolist() == list(x.chunks[0])  # as weights of the same chunks are cut
    blocks = read(rows)
    np.testing.assert_array_equal(np.concatenate(blocks), X)
    assert max(map(len, blocks)) <= rows.block_rows == 32_000


def test_blocks_begin_where_chunks_of_the_store_do(path, X):
    rows = as_rows(da.from_zarr(path, chunks=LARGE))
    assert [len(block) for block in read(rows)] == [32_000, 32_000, 6_500, 25_500, 4_000]
    np.testing.assert_array_equal(np.concatenate(read(rows, 1, 2)), X[70_500:])


CHANGED = {
    "x + 1": lambda x: x + 1,
    "some rows": lambda x: x[10:],
    "some columns": lambda x: x[:, :2],
    "every other row": lambda x: x[::2],
    "backwards": lambda x: x[::-1],
    "rechunked": lambda x: x.rechunk((777, D)),
    "another type": lambda x: x.astype("f4"),
    "joined": lambda x: da.concatenate([x, x]),
    "twice the columns": lambda x: da.concatenate([x, x], axis=1),
    "mapped": lambda x: x.map_blocks(np.negative),
    "blocks of it": lambda x: x.blocks[1:3],
    "blocks in another order": lambda x: x.blocks[[1, 0]],
}


@pytest.mark.parametrize("change", CHANGED.values(), ids=CHANGED)
def test_an_array_that_does_more_is_left_to_dask(path, X, change):
    x = change(da.from_zarr(path, chunks=(10_000, D)))
    rows = as_rows(x)
    assert type(rows) is DaskRows
    np.testing.assert_array_equal(np.concatenate(read(rows)), x.compute())


def test_so_are_arrays_of_other_objects_and_graphs_by_hand(path, X):
    of_numpy = da.from_array(X, chunks=(10_000, D))
    in_memory = da.from_zarr(zarr.create_array({}, data=X[:100], chunks=(10, D)))
    locked = da.from_array(zarr.open_array(path), chunks=(10_000, D), lock=True)
    of_columns = da.from_zarr(path, chunks=(10_000, 2))
    persisted = da.from_zarr(path, chunks=(50_000, D)).persist(scheduler="sync")
    x = da.from_zarr(path, chunks=(50_000, D))
    swapped = dict(x.dask)
    first, second = (x.name, 0, 0), (x.name, 1, 0)
    swapped[first], swapped[second] = swapped[second], swapped[first]
    by_hand = da.Array(swapped, x.name, x.chunks, x.dtype)
    for other in (of_numpy, in_memory, locked, of_columns, persisted, by_hand):
        assert type(as_rows(other)) is DaskRows


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_fits_are_the_same_and_need_less_memory_than_large_chunks(path):
    x = da.from_zarr(path, chunks=LARGE)
    w = da.ones(N, chunks=LARGE[0])
    settings = {"random_state": 0, "max_iter": 2, "sample_rows": 2000, "init_params": "k-means++"}
    stored = GaussianMixture(2, **settings).fit(x, sample_weight=w)
    computed = GaussianMixture(2, **settings).fit(x + 0.0, sample_weight=w)
    np.testing.assert_allclose(stored.means_, computed.means_, rtol=1e-10, atol=1e-12)
    assert stored.lower_bound_ == pytest.approx(computed.lower_bound_, rel=1e-12)
    assert plan(x, 2).thread_nbytes < 0.7 * plan(x + 0.0, 2).thread_nbytes


def test_a_store_that_is_gone_is_no_array_of_zeros(tmp_path, X):
    path = tmp_path / "x.zarr"
    zarr.create_array(path, data=X[:1000], chunks=(100, D))
    rows = as_rows(da.from_zarr(str(path)))
    path.rename(tmp_path / "elsewhere")
    with pytest.raises(SourceError, match="is not on"):
        read(rows)
