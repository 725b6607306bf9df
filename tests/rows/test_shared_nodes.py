import dask
import dask.array as da
import numpy as np
import pytest
from dask._task_spec import DataNode

from daskgmm.rows.lazy import shared_nodes
from daskgmm.rows.lazy.dask_array import DaskRows
from daskgmm.rows.lazy.shared_nodes import if_small, kept_bytes

from .conformance import blocks_of, read_all
from .sources import counted, lazy


def read_one_by_one(rows):
    blocks = [blocks_of(rows.segment(i, i + 1))[0] for i in range(len(rows.lengths))]
    return np.concatenate(blocks)


@pytest.mark.parametrize("chunk", [20, 4, 1])
def test_the_mean_is_computed_once(chunk):
    source = counted()
    a = lazy(source, (chunk, 3))
    rows = DaskRows((a - a.mean(0)) / a.std(0))
    assert source.reads.sum() == 0
    rows.prepare()
    assert (source.reads == 1).all()
    for passes in (1, 2):
        result = read_one_by_one(rows)
        assert (source.reads == 1 + passes).all()
    data = source.data
    np.testing.assert_allclose(result, (data - data.mean(0)) / data.std(0), rtol=1e-12)


def test_segments_carry_the_result_and_not_its_inputs():
    a = lazy(counted(), (4, 3))
    segment = DaskRows((a - a.mean(0)) / a.std(0)).segment(0, 1)
    assert len(segment.graph.nodes) <= 6


@pytest.mark.parametrize("change", ["rechunk", "overlap"])
def test_sharing_between_neighbours_is_left_alone(change):
    source = counted(120)
    x = lazy(source, (10, 3))
    if change == "rechunk":
        x = x.rechunk((15, 3), method="tasks")
    else:
        x = x.map_overlap(lambda b: b + 0, depth=(1, 0), boundary="none")
    rows = DaskRows(x)
    before = dict(rows._graph.nodes)
    segment = rows.segment(0, len(rows.lengths))
    assert source.reads.sum() == 0
    assert rows._graph.nodes == before
    np.testing.assert_array_equal(np.concatenate(blocks_of(segment)), source.data)
    assert (source.reads == 1).all()
    read_one_by_one(rows)
    assert source.reads.max() <= 4


def test_a_chain_of_shared_results_keeps_the_last():
    source = counted()
    a = lazy(source, (4, 3))
    b = a - a.mean(0)
    rows = DaskRows(b @ (b.T @ b))
    rows.prepare()
    # The product needs the centred rows, and these the mean: two reads that no order avoids.
    assert source.reads.max() <= 2
    before = source.reads.copy()
    read_one_by_one(rows)
    assert (source.reads == before + 1).all()


def test_large_shared_results_are_not_kept_but_their_small_inputs_are(monkeypatch):
    monkeypatch.setattr(shared_nodes, "LEAST_KEPT_BYTES", 100)
    source, calls = counted(), []

    def grow(row):
        calls.append(1)
        return np.tile(row, (50, 1))

    a = lazy(source, (4, 3))
    mean = a.mean(0, keepdims=True)
    large = mean.map_blocks(grow, chunks=((50,), (3,)), dtype=float).rechunk((50, 3))
    x = a + da.from_delayed(dask.delayed(np.mean)(large, 0), (3,), float) * 0
    x = da.map_blocks(lambda b, m: b - m[:1], x, large, dtype=float, chunks=a.chunks)
    rows = DaskRows(x)
    rows.prepare()
    kept = [n for n in rows._graph.nodes.values() if isinstance(n, DataNode)]
    assert all(getattr(n.value, "nbytes", 0) <= 100 for n in kept if n.value is not source)
    before = source.reads.copy()
    result = read_one_by_one(rows)
    assert (source.reads == before + 1).all()
    np.testing.assert_allclose(result, source.data - source.data.mean(0), atol=1e-12)


def test_what_does_not_pickle_is_made_by_each_batch():
    opened = []

    class Handle:
        def __init__(self):
            opened.append(1)

        def __reduce__(self):
            raise TypeError("open file")

    handle = dask.delayed(Handle)()
    x = da.ones((40, 3), chunks=(4, 3)).map_blocks(lambda b, h: b + 1, handle, dtype=float)
    rows = DaskRows(x)
    assert (read_all(rows) == 2).all()
    assert len(opened) == 2
    read_one_by_one(rows)
    assert len(opened) == 12


def test_limits():
    assert kept_bytes(float("nan")) == 1 << 20
    assert kept_bytes(0) == 1 << 20
    assert kept_bytes(320 << 20) == 20 << 20
    assert kept_bytes(1e13) == 64 << 20
    assert if_small(np.ones(3), 24)[0]
    assert not if_small(np.ones(3), 23)[0]
    assert if_small({"a": 1}, 100) == (True, {"a": 1})
    assert not if_small("a" * 101, 100)[0]
