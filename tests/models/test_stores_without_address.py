"""Stores that no path or URL names: runs go on, cards tell no address in memory."""

import re

import numpy as np
import pytest
import zarr

from daskgmm import GaussianMixture
from daskgmm.models.inputs.source_name import source_name
from daskgmm.rows.opening import as_rows

N, CHUNK = 3000, 100


class Counting(zarr.storage.WrapperStore):
    """A store that only passes on, as those do that log or count."""


class Described(zarr.storage.MemoryStore):
    """A store of another library, which says what it is and with which password."""

    said = ""

    def __str__(self):
        return self.said


class Anonymous(zarr.storage.MemoryStore):
    """A store of another library, which says nothing of itself."""

    __repr__ = object.__repr__
    __str__ = object.__repr__


@pytest.fixture(autouse=True)
def many_batches(monkeypatch):
    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-6)
    monkeypatch.setattr("daskgmm.rows.stores.stored_rows.BLOCK_BYTES", CHUNK * 16)


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(0)
    return random.normal(size=(N, 2)) + 3.0 * random.integers(0, 3, (N, 1))


@pytest.fixture(scope="module")
def mixture(rows):
    return GaussianMixture(3, random_state=0, max_iter=5, tol=0.1).fit(rows)


def put(store, x):
    return zarr.create_array(store, name="x", data=x, chunks=(CHUNK, 2), compressors=None)


def of_icechunk(x, folder):
    """Return what opens an array that is committed to a repository."""
    icechunk = pytest.importorskip("icechunk", reason="no icechunk")
    repository = icechunk.Repository.create(icechunk.in_memory_storage())
    session = repository.writable_session("main")
    put(session.store, x)
    session.commit("rows")
    return lambda: zarr.open_array(repository.readonly_session("main").store, path="x", mode="r")


def of_zip(x, folder):
    with zarr.storage.ZipStore(folder / "x.zip", mode="w") as store:
        put(store, x)
    return lambda: zarr.open_array(zarr.storage.ZipStore(folder / "x.zip"), path="x", mode="r")


STORES = {
    "memory": lambda x, folder: lambda: put(zarr.storage.MemoryStore(), x),
    "wrapped": lambda x, folder: lambda: put(Counting(zarr.storage.MemoryStore()), x),
    "anonymous": lambda x, folder: lambda: put(Anonymous(), x),
    "zip": of_zip,
    "icechunk": of_icechunk,
}


class Killed(BaseException):
    pass


def killed(mixture, x, out):
    """Write some batches and no more."""

    def die(done, total):
        if done > 5:
            raise Killed

    with pytest.raises(Killed):
        mixture.predict_to_zarr(x, out, chunks=CHUNK, progress=die)


def labels(out):
    return zarr.open_array(out / "label", mode="r")[:]


@pytest.mark.parametrize("kind", STORES)
def test_a_killed_run_goes_on(kind, rows, mixture, tmp_path):
    opened, left = STORES[kind](rows, tmp_path), []
    killed(mixture, opened(), tmp_path / "out.zarr")
    mixture.predict_to_zarr(
        opened(),
        tmp_path / "out.zarr",
        chunks=CHUNK,
        progress=lambda done, total: left.append(total),
    )
    assert left[0] < len(mixture._predictor().dataset(as_rows(opened())).batches)
    np.testing.assert_array_equal(labels(tmp_path / "out.zarr"), mixture.predict(rows))


@pytest.mark.parametrize("kind", ["memory", "anonymous", "icechunk"])
def test_other_rows_begin_anew_only_if_they_may(kind, rows, mixture, tmp_path):
    killed(mixture, STORES[kind](rows, tmp_path)(), tmp_path / "out.zarr")
    other = rows[::-1].copy()
    x, out = STORES[kind](other, tmp_path)(), tmp_path / "out.zarr"
    with pytest.raises(
        FileExistsError, match=r"wrote with other (rows|values of the rows)( \(written: .*\))?\."
    ):
        mixture.predict_to_zarr(x, out, chunks=CHUNK)
    mixture.predict_to_zarr(x, out, chunks=CHUNK, overwrite=True)
    np.testing.assert_array_equal(labels(tmp_path / "out.zarr"), mixture.predict(other))


@pytest.mark.parametrize("kind", STORES)
def test_cards_name_the_store_and_no_address_in_memory(kind, rows, tmp_path):
    opened = STORES[kind](rows, tmp_path)
    names = {
        GaussianMixture(1).fit(opened()).fitted_on_["source"],
        source_name(opened()),
    }
    assert len(names) == 1
    assert re.search(r"0x[0-9a-f]{6}|\d{9}", *names) is None
    assert names.pop().endswith("/x")


def test_data_of_icechunk_are_named_by_their_snapshot(rows):
    icechunk = pytest.importorskip("icechunk", reason="no icechunk")
    repository = icechunk.Repository.create(icechunk.in_memory_storage())
    names = []
    for x in (rows, rows[::-1]):
        session = repository.writable_session("main")
        zarr.create_array(session.store, name="x", data=x, chunks=(CHUNK, 2), overwrite=True)
        snapshot = session.commit("rows")
        opened = zarr.open_array(repository.readonly_session("main").store, path="x", mode="r")
        names.append(source_name(opened))
        assert names[-1] == f"IcechunkStore({snapshot})/x"
    assert names[0] != names[1]


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("redis://db.example.org/7", "redis://db.example.org/7/x"),
        ("redis://me:hunter22@db.example.org/7", "redis://db.example.org/7/x"),
        ("redis://db.example.org/7?token=hunter22", "Described/x"),
        ("Described(url='redis://db', password='hunter22')", "Described/x"),
        ("<Described at 0x7f0123456789>", "Described/x"),
    ],
)
def test_what_other_stores_say_of_themselves(said, name, rows):
    array = put(Described(), rows)
    array.store.said = said
    assert source_name(array) == name
    assert "hunter22" not in source_name(array)
