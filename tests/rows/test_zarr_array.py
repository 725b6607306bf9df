import pickle

import numpy as np
import pytest
import zarr

from daskgmm.errors import SourceError
from daskgmm.rows.stores import stored_rows
from daskgmm.rows.stores.stored_rows import rows_per_block
from daskgmm.rows.stores.zarr_array import ZarrRows

from .conformance import RowsTests, read_all


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch, request):
    if request.cls is not None:
        monkeypatch.setattr(stored_rows, "BLOCK_BYTES", 100)


def stored(data, path, **settings):
    array = zarr.create_array(str(path), shape=data.shape, dtype=data.dtype, **settings)
    array[:] = data
    return array


class TestZarr3(RowsTests):
    def make(self, data, tmp_path):
        return ZarrRows(stored(data, tmp_path / "x", chunks=(4, 5)[: data.ndim]))


class TestZarr2(RowsTests):
    def make(self, data, tmp_path):
        chunks = (4, 5)[: data.ndim]
        return ZarrRows(stored(data, tmp_path / "x", chunks=chunks, zarr_format=2))


class TestColumnChunks(RowsTests):
    def make(self, data, tmp_path):
        return ZarrRows(stored(data, tmp_path / "x", chunks=(4, 2)[: data.ndim]))


class TestShards(RowsTests):
    def make(self, data, tmp_path):
        chunks, shards = (2, 5)[: data.ndim], (4, 5)[: data.ndim]
        return ZarrRows(stored(data, tmp_path / "x", chunks=chunks, shards=shards))


class TestURL(RowsTests):
    def make(self, data, tmp_path):
        chunks = (4, 5)[: data.ndim]
        stored(data, tmp_path / "x", chunks=chunks)
        rows = ZarrRows(zarr.open(f"file://{tmp_path}/x", mode="r"))
        assert not rows.in_process
        return rows


class TestMemory(RowsTests):
    def make(self, data, tmp_path):
        array = zarr.create_array({}, shape=data.shape, dtype=data.dtype, chunks=data.shape)
        array[:] = data
        rows = ZarrRows(array, lengths=[20, 0, 20, 1])
        assert rows.in_process
        return rows


@pytest.mark.parametrize(
    ("chunk", "shard", "block"),
    [
        (250, None, 1000),  # 4 chunks of 0.25 MB in 1 MiB
        (750, None, 750),  # a chunk is never split
        (30000, None, 30000),  # not even one that is too large
        (125, 500, 1000),  # whole shards
        (125, 750, 750),
        (250, 20000, 1000),  # a shard that is too large is read in chunks
    ],
)
def test_blocks_are_whole_chunks(tmp_path, chunk, shard, block):
    array = zarr.create_array(
        str(tmp_path / "x"),
        shape=(1_400_000, 125),
        dtype="f8",
        chunks=(chunk, 125),
        shards=None if shard is None else (shard, 125),
    )
    assert rows_per_block(array, 1000) == block
    lengths = ZarrRows(array).lengths
    assert lengths[0] == block
    assert lengths.sum() == 1_400_000


def test_no_rows_no_chunks(tmp_path):
    array = zarr.create_array(str(tmp_path / "x"), shape=(0, 3), dtype="f8", chunks=(10, 3))
    assert ZarrRows(array).lengths.shape == (0,)


def test_missing_chunks_are_the_fill_value(tmp_path):
    array = zarr.create_array(
        str(tmp_path / "x"), shape=(10, 2), dtype="f8", chunks=(5, 2), fill_value=7
    )
    assert (read_all(ZarrRows(array)) == 7).all()


def test_a_segment_pickles_small_and_reads_elsewhere(tmp_path):
    data = np.ones((100_000, 10))
    array = stored(data, tmp_path / "x", chunks=(10_000, 10))
    sent = pickle.dumps(ZarrRows(array).segment(0, 1))
    assert len(sent) < 5000
    (block,) = pickle.loads(sent).stream()
    np.testing.assert_array_equal(block, data[: len(block)])
    assert len(block) == 10_000


def test_small_arrays_are_read_in_enough_blocks_for_all_threads(tmp_path):
    array = zarr.create_array(
        str(tmp_path / "x"), shape=(1_000_000, 16), dtype="f8", chunks=(1000, 16)
    )
    assert len(ZarrRows(array).lengths) == 125


def test_a_failed_read_says_where(tmp_path):
    array = stored(np.ones((60, 2)), tmp_path / "x.zarr", chunks=(10, 2))
    (tmp_path / "x.zarr" / "c" / "2" / "0").write_bytes(b"torn")
    rows = ZarrRows(array, lengths=[20, 10, 30])
    stream = rows.segment(0, 3).stream()
    assert next(stream).shape == (20, 2)
    with pytest.raises(SourceError, match=r"Rows 20 to 30 of .*x\.zarr cannot be read") as caught:
        next(stream)
    assert caught.value.__cause__ is not None
    assert type(caught.value.__cause__).__name__ in str(caught.value)


@pytest.mark.skipif(
    zarr.config.get("array.rectilinear_chunks", None) is None,
    reason="Zarr writes chunks of unequal lengths from 3.2 on",
)
def test_chunks_of_unequal_lengths_are_refused_in_words(tmp_path):
    data = np.random.default_rng(0).normal(size=(60, 2))
    with zarr.config.set({"array.rectilinear_chunks": True}):
        array = stored(data, tmp_path / "x.zarr", chunks=[[10, 20, 30], [2]])
        with pytest.raises(SourceError, match=r"x\.zarr has chunks of unequal lengths"):
            ZarrRows(array)
