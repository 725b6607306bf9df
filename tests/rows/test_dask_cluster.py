import pickle

import dask
import dask.array as da
import numpy as np
import pytest
from distributed import Client

from daskgmm.rows.compositions.concatenated import ConcatenatedRows
from daskgmm.rows.lazy.dask_array import DaskRows

from .conformance import RowsTests
from .sources import counted, lazy

pytestmark = pytest.mark.slow

DATA = np.random.default_rng(0).normal(size=(40, 3))


@pytest.fixture(scope="module")
def client():
    with Client(
        processes=False, n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0"
    ) as client:
        yield client


def shipped(client, segment):
    """Read a segment in a task, its dependencies as the task's own."""
    return client.submit(
        lambda segment, *dependencies: list(segment.stream(dependencies)),
        segment,
        *segment.dependencies,
        pure=False,
    ).result()


@pytest.mark.usefixtures("client")
class TestPersistedOnCluster(RowsTests):
    def make(self, data, tmp_path):
        return DaskRows(da.from_array(data, chunks=(9, 3)[: data.ndim]).persist())


def test_persisted(client):
    x = da.from_array(DATA, chunks=(10, 2)).persist()
    rows = DaskRows(x)
    segment = rows.segment(1, 3)
    assert len(segment.dependencies) == 4
    assert all(future.client is client for future in segment.dependencies)
    np.testing.assert_array_equal(np.concatenate(shipped(client, segment)), DATA[10:30])
    np.testing.assert_array_equal(np.concatenate(list(segment.stream())), DATA[10:30])


def test_persisted_and_standardised(client):
    x = da.from_array(DATA, chunks=(10, 2)).persist()
    rows = DaskRows((x - x.mean(0)) / x.std(0))
    segments = [rows.segment(0, 1), rows.segment(1, 4)]
    assert [len(segment.dependencies) for segment in segments] == [2, 6]
    blocks = [block for segment in segments for block in shipped(client, segment)]
    np.testing.assert_allclose(
        np.concatenate(blocks), (DATA - DATA.mean(0)) / DATA.std(0), rtol=1e-12
    )


def test_shared_results_are_computed_on_the_cluster(client):
    source = counted()
    a = lazy(source, (4, 3))
    rows = DaskRows(a - a.mean(0))
    rows.prepare()
    assert (source.reads == 1).all()
    np.testing.assert_allclose(
        np.concatenate(shipped(client, rows.segment(0, 10))),
        source.data - source.data.mean(0),
        atol=1e-12,
    )


def test_futures_inside_tasks(client):
    future = client.submit(np.ones, (3,))
    row = da.from_delayed(dask.delayed(np.add)(future, future), (3,), float)
    x = da.from_array(DATA, chunks=(10, 3)) + row
    np.testing.assert_allclose(np.concatenate(shipped(client, DaskRows(x).segment(0, 4))), DATA + 2)


def test_chains_hand_dependencies_on(client):
    x = da.from_array(DATA, chunks=(10, 3)).persist()
    rows = ConcatenatedRows([DaskRows(x), DaskRows(da.from_array(DATA)), DaskRows(x[:15])])
    segment = rows.segment(1, 7)
    assert len(segment.dependencies) == 5
    blocks = shipped(client, segment)
    np.testing.assert_array_equal(
        np.concatenate(blocks), np.concatenate([DATA[10:], DATA, DATA[:15]])
    )


def test_unpickled_without_results(client):
    segment = DaskRows(da.from_array(DATA, chunks=(10, 3)).persist()).segment(0, 1)
    with pytest.raises(ValueError, match="pass the results"):
        next(pickle.loads(pickle.dumps(segment)).stream())
