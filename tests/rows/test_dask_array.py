import time
import weakref

import dask
import dask.array as da
import numpy as np
import pytest
import zarr
from dask._task_spec import Alias

from daskgmm.errors import DataError, SourceError
from daskgmm.rows.lazy.dask_array import DaskRows
from daskgmm.rows.rows import UNKNOWN

from .conformance import RowsTests, blocks_of, read_all
from .sources import counted, lazy


class TestDaskRows(RowsTests):
    def make(self, data, tmp_path):
        chunks = ((10, 1, 0, 29, 1), (5,))[: data.ndim]
        return DaskRows(da.from_array(data, chunks=chunks))


class TestColumnChunks(RowsTests):
    def make(self, data, tmp_path):
        return DaskRows(da.from_array(data, chunks=(10, 2)[: data.ndim]))


class TestZarrBacked(RowsTests):
    def make(self, data, tmp_path):
        chunks = (7, 5)[: data.ndim]
        array = zarr.create_array(
            str(tmp_path / "x"), shape=data.shape, dtype=data.dtype, chunks=chunks
        )
        array[:] = data
        return DaskRows(da.from_zarr(str(tmp_path / "x")))


class TestUnknownLengths(RowsTests):
    def make(self, data, tmp_path):
        x = da.from_array(data, chunks=(9, 5)[: data.ndim])
        rows = DaskRows(x[da.ones(len(data), chunks=9, dtype=bool)])
        assert (rows.lengths == UNKNOWN).all()
        assert rows.n_rows is None
        return rows


class TestRechunkedAndSliced(RowsTests):
    def make(self, data, tmp_path):
        x = da.from_array(np.concatenate([data, data]), chunks=(8, 2)[: data.ndim])
        return DaskRows(x[: len(data)].rechunk((5, 3)[: data.ndim], method="tasks"))


class TestPersistedOnThreads(RowsTests):
    def make(self, data, tmp_path):
        return DaskRows(da.from_array(data, chunks=(9, 5)[: data.ndim]).persist())


class TestUnoptimised(RowsTests):
    def make(self, data, tmp_path):
        with dask.config.set({"optimization.fuse.active": False}):
            return DaskRows(da.from_array(data, chunks=(9, 3)[: data.ndim])[::1])


@pytest.mark.parametrize(
    "make",
    [
        lambda x: x + 1,
        lambda x: x[::-1],
        lambda x: x[3:37:2, 1:],
        lambda x: da.concatenate([x, x[:5]]),
        lambda x: x @ (x.T @ x),
        lambda x: da.map_overlap(lambda b: b * 2, x, depth=(1, 0), boundary="none"),
        lambda x: da.stack([x[:, 0], x[:, 1]], axis=1),
        lambda x: x[:, [2, 0]].rechunk((6, 2)),
        lambda x: (x - x.mean(0)) / x.std(0),
        lambda x: x.ravel().reshape(-1, 6),
        lambda x: da.roll(x, 3, axis=0),
        lambda x: da.where(x > x.max(), 0, x).astype("f4"),
    ],
)
def test_expressions(make):
    x = make(da.from_array(np.random.default_rng(0).normal(size=(40, 3)), chunks=(5, 2)))
    rows = DaskRows(x)
    np.testing.assert_allclose(read_all(rows), x.compute(scheduler="sync"), rtol=1e-12)
    single = [blocks_of(rows.segment(i, i + 1))[0] for i in range(len(rows.lengths))]
    np.testing.assert_array_equal(np.concatenate(single), read_all(rows))


def test_legacy_tuples_aliases_and_nested_lists():
    def add(parts, last):
        return parts[0] + parts[1][0] + last

    graph = {
        "one": np.ones((2, 3)),
        "two": (np.multiply, "one", 2),
        "same": "two",
        ("x", 0, 0): (add, ["one", ["same"]], "two"),
        ("x", 1, 0): (np.add, (np.negative, "one"), ("x", 0, 0)),
        ("x", 2, 0): ("x", 1, 0),
    }
    x = da.Array(graph, "x", chunks=((2, 2, 2), (3,)), dtype=float)
    for first in range(3):
        blocks = blocks_of(DaskRows(x).segment(first, 3))
        assert [float(b[0, 0]) for b in blocks] == [5.0, 4.0, 4.0][first:]


def test_delayed_blocks():
    blocks = [da.from_delayed(dask.delayed(np.full)((2, 3), i), (2, 3), float) for i in range(4)]
    x = da.concatenate(blocks)
    np.testing.assert_array_equal(read_all(DaskRows(x)), x.compute())


def test_nothing_is_read_before_the_stream_and_then_block_by_block():
    source = counted()
    segment = DaskRows(lazy(source, (10, 3)) + 1).segment(0, 4)
    assert source.reads.sum() == 0
    stream = segment.stream()
    for done in range(1, 5):
        next(stream)
        assert source.reads.sum() == 10 * done


def test_intermediates_are_released():
    made = []

    def fresh(block):
        block = block.copy()
        made.append(weakref.ref(block))
        return block

    x = da.zeros((200, 2), chunks=(1, 2)).map_blocks(fresh, dtype=float, meta=np.empty((0, 0)))
    x = x.rechunk((3, 2), method="tasks")
    most = 0
    for _ in DaskRows(x).segment(0, 67).stream():
        most = max(most, sum(block() is not None for block in made))
    assert len(made) == 200
    assert most <= 4


def test_a_segment_holds_its_own_part_of_the_graph_only():
    rows = DaskRows(da.ones((1000, 2), chunks=(1, 2)) + 1)
    assert len(rows.segment(10, 12).graph.nodes) <= 6


def test_no_rows():
    rows = DaskRows(da.zeros((0, 3)))
    assert rows.n_rows == 0
    assert [block.shape for block in blocks_of(rows.segment(0, 1))] == [(0, 3)]


@pytest.mark.slow
def test_many_chunks_are_quick():
    rows = DaskRows(da.zeros((100_000, 2), chunks=(1, 2)) + 1)
    rows.prepare()
    start = time.perf_counter()
    segments = [rows.segment(first, first + 100) for first in range(0, 100_000, 100)]
    assert time.perf_counter() - start < 5
    assert len(blocks_of(segments[500])) == 100


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda block: block[:1], r"Chunk 0 .* shape \(1, 3\), but \(5, 3\) was announced"),
        (lambda block: block[:, :1], r"shape \(5, 1\)"),
        (lambda block: block[0], r"shape \(3,\)"),
        (lambda block: [block], "builtins.list, not a NumPy array"),
        (lambda block: np.ma.masked_array(block), "MaskedArray"),
        (lambda block: block.astype("U5"), "Chunk 0 .* dtype <U"),
    ],
)
def test_blocks_that_are_not_what_was_announced(function, text):
    x = da.ones((10, 3), chunks=(5, 3)).map_blocks(function, dtype=float, meta=np.empty((0, 0)))
    with pytest.raises(DataError, match=text):
        read_all(DaskRows(x))


def test_graph_with_a_hole():
    x = da.Array({("x", 0, 0): (np.negative, "y")}, "x", chunks=((2,), (3,)), dtype=float)
    rows = DaskRows(x)
    assert rows.n_rows == 2  # dask takes the unknown name for a string
    with pytest.raises(SourceError, match="needs y, which it does not hold"):
        DaskRows(da.Array({("x", 0, 0): Alias(("x", 0, 0), "y")}, "x", ((2,), (3,)), float))


def test_unknown_number_of_columns():
    x = da.ones((4, 3), chunks=2)
    with pytest.raises(DataError, match="number of columns"):
        DaskRows(x[:, x[0] > 0])


@pytest.mark.parametrize(
    ("make", "in_process"),
    [
        (lambda: da.from_array(np.ones((600_000, 4)), chunks=(10_000, 4)), True),
        (lambda: (da.from_array(np.ones((600_000, 4)), chunks=(10_000, 4)) - 1.0) / 2.0, True),
        (lambda: da.from_array(np.ones((6000, 4)), chunks=(100, 4)), False),
        (lambda: da.ones((600_000, 4), chunks=(10_000, 4)), False),
    ],
)
def test_an_array_in_memory_does_not_travel(make, in_process):
    """Whether as chunks or with something done to them."""
    assert DaskRows(make()).in_process == in_process
