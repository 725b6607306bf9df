"""Processes that do not see the data fail; a Zarr chunk that is not there would read as zeros."""

import pickle
import subprocess
import sys
import warnings

import dask
import dask.array as da
import numpy as np
import pytest
import zarr
from distributed import Client, LocalCluster
from sklearn.exceptions import ConvergenceWarning

from daskgmm import GaussianMixture, open_data
from daskgmm.errors import SourceError
from daskgmm.models.writers.writing import Putting
from daskgmm.rows.companions.weights import weights_for
from daskgmm.rows.labelled.arrays import labelled
from daskgmm.rows.opening import as_rows
from daskgmm.rows.zarr_nodes.presence import may_be_missing
from tests.oracle.data import blobs

X = blobs(4000, 3, 2, seed=1, separation=10)

SETTINGS = {"n_components": 2, "max_iter": 2, "tol": 0.0, "random_state": 0}
SETTINGS |= {"init_params": "k-means++", "n_init": 1}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def mixture():
    """A mixture of the stored rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return GaussianMixture(**SETTINGS).fit(X)


@pytest.fixture(params=[2, 3])
def folder(tmp_path, request):
    zarr.create_array(
        tmp_path / "here" / "rows.zarr", data=X, chunks=(500, 3), zarr_format=request.param
    )
    return tmp_path / "here"


@pytest.mark.slow
def test_a_relative_path_means_the_same_to_workers_elsewhere(folder, tmp_path, monkeypatch):
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=50
        ) as cluster,
        Client(cluster),
    ):
        monkeypatch.chdir(folder)  # after the worker was started
        there = GaussianMixture(**SETTINGS).fit("rows.zarr")
        labels = there.predict("rows.zarr").compute()
        with pytest.raises(SourceError, match=r"rows\.zarr is not on .*Give an absolute path"):
            GaussianMixture(**SETTINGS).fit(zarr.open_array("rows.zarr"))
        there.predict_to_zarr("rows.zarr", "labels.zarr")
    here = GaussianMixture(**SETTINGS).fit(X)
    np.testing.assert_allclose(there.means_, here.means_)
    np.testing.assert_array_equal(labels, here.predict(X))
    np.testing.assert_array_equal(zarr.open_array(folder / "labels.zarr/label")[:], labels)


def test_data_that_are_not_there_are_no_zeros(folder):
    rows = as_rows(folder / "rows.zarr")
    segment = rows.segment(0, len(rows.lengths))
    folder.rename(folder.with_name("gone"))
    with pytest.raises(SourceError, match="that driver and workers all see"):
        list(segment.stream())


def test_labelled_arrays_that_are_not_there(folder):
    xarray = pytest.importorskip("xarray", reason="no xarray")
    xarray.Dataset({"a": (("x", "y"), np.ones((4, 5)))}).to_zarr(
        folder / "group.zarr", zarr_format=3, consolidated=False
    )
    found = open_data(folder / "group.zarr", variables=["a"])
    folder.rename(folder.with_name("gone"))
    with pytest.raises(SourceError, match="is not on"), dask.config.set(scheduler="sync"):
        found["a"].compute()


def test_an_array_alone_with_missing_chunks_reads_as_zarr_means_it(tmp_path):
    path = tmp_path / "sparse.zarr"
    zarr.create_array(path, shape=(1000, 2), chunks=(100, 2), dtype="f8", fill_value=3.0)
    rows = as_rows(path)
    blocks = list(rows.segment(0, len(rows.lengths)).stream())
    assert all((block == 3.0).all() for block in blocks)


SCHEMES = ["", "file://", "local://", "simplecache::file://"]

LAZY = ["predict", "predict_proba", "score_samples"]


@pytest.fixture(autouse=True)
def at_once():
    """Read in this thread, once."""
    with dask.config.set({"scheduler": "sync", "daskgmm.retries": 0}):
        yield


def first_block(rows):
    return next(iter(rows.segment(0, 1).stream()))


def go(folder):
    """Take the data away, as from a worker that does not have the file system."""
    folder.rename(folder.with_name("gone"))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_urls_of_local_data_that_are_not_there(scheme, folder, mixture):
    url = f"{scheme}{folder}/rows.zarr"
    rows, lazy = as_rows(url), [getattr(mixture, name)(url) for name in LAZY]
    sent = pickle.dumps(rows.segment(0, 1))
    go(folder)
    reads = [lambda: first_block(rows), lambda: next(iter(pickle.loads(sent).stream()))]
    for read in (*reads, *(each.compute for each in lazy)):
        with pytest.raises(SourceError, match=f"{folder}/rows.zarr is not on "):
            read()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_weights_that_are_not_there(scheme, folder):
    zarr.create_array(folder / "w.zarr", data=np.linspace(1, 2, len(X)), chunks=(500,))
    weights = weights_for(as_rows(X), f"{scheme}{folder}/w.zarr")
    go(folder)
    with pytest.raises(SourceError, match=r"w\.zarr is not on"):
        first_block(weights)


@pytest.mark.parametrize(("dtype", "fill"), [("f4", np.nan), ("i2", 9), ("u1", 255), ("f8", -0.0)])
def test_whatever_the_fill_value(dtype, fill, tmp_path):
    x = np.arange(400).reshape(200, 2).astype(dtype)
    path = tmp_path / "here" / "x.zarr"
    zarr.create_array(path, data=x, chunks=(50, 2), fill_value=fill)
    rows = as_rows(path)
    go(tmp_path / "here")
    with pytest.raises(SourceError, match="is not on"):
        first_block(rows)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_variables_of_a_group_that_is_not_there(version, scheme, tmp_path):
    xarray = pytest.importorskip("xarray", reason="no xarray")
    x = np.random.default_rng(0).normal(5, 1, (2, 40, 50)) + np.arange(50) % 2 * 8
    dataset = xarray.Dataset({"a": (("y", "x"), x[0]), "b": (("y", "x"), x[1])}).chunk(y=10)
    dataset.to_zarr(tmp_path / "here" / "g.zarr", zarr_format=version, consolidated=version == 2)
    mixture = GaussianMixture(**SETTINGS).fit(dataset)
    found = open_data(f"{scheme}{tmp_path}/here/g.zarr", variables=["a", "b"])
    rows, lazy = labelled(found, None).rows(), [getattr(mixture, name)(found) for name in LAZY]
    go(tmp_path / "here")
    for read in (lambda: first_block(rows), found["b"].compute, *(each.compute for each in lazy)):
        with pytest.raises(SourceError, match=r"g\.zarr/[ab] is not on"):
            read()


@pytest.mark.parametrize("scheme", ["", "file://"])
@pytest.mark.parametrize("inline", [False, True])
def test_dask_arrays_over_data_that_are_not_there(scheme, inline, folder, mixture):
    array = da.from_zarr(f"{scheme}{folder}/rows.zarr", inline_array=inline) * 1.0
    rows, lazy = as_rows(array), mixture.predict(array)
    centred = as_rows(array - array.mean(0))
    go(folder)
    for read in (lambda: first_block(rows), lambda: first_block(centred), lazy.compute):
        with pytest.raises(SourceError, match=r"rows\.zarr is not on"):
            read()


def test_what_xarray_opened_and_is_not_there(tmp_path):
    xarray = pytest.importorskip("xarray", reason="no xarray")
    x = np.random.default_rng(0).normal(5, 1, (2, 400)) + np.arange(400) % 2 * 8
    dataset = xarray.Dataset({"a": ("row", x[0]), "b": ("row", x[1])}).chunk(row=100)
    dataset.to_zarr(tmp_path / "here" / "g.zarr", zarr_format=3, consolidated=False)
    mixture = GaussianMixture(**SETTINGS).fit(dataset)
    found = xarray.open_zarr(f"file://{tmp_path}/here/g.zarr", consolidated=False)
    rows, lazy = labelled(found, None).rows(), mixture.predict(found)
    go(tmp_path / "here")
    for read in (lambda: first_block(rows), lazy.compute):
        with pytest.raises(SourceError, match="is not on"):
            read()


@pytest.mark.slow
def test_the_memory_of_another_process(tmp_path):
    x = X[:400]
    array = zarr.create_array("memory://sight", data=x, chunks=(100, 3), overwrite=True)
    lazy = GaussianMixture(**SETTINGS).fit(x).predict(array)
    np.testing.assert_array_equal(lazy.shape, (400,))
    (tmp_path / "sent").write_bytes(pickle.dumps((lazy, as_rows(array).segment(0, 1))))
    code = """if True:
        import pickle, sys
        from pathlib import Path
        lazy, segment = pickle.loads(Path(sys.argv[1]).read_bytes())
        for read in (lambda: lazy.compute(scheduler="sync"), lambda: next(segment.stream())):
            try:
                print("read", read()[:2])
            except OSError as error:
                print(error)
    """
    said = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "sent")], capture_output=True, text=True
    ).stdout.splitlines()
    assert len(said) == 2
    assert all("memory://sight is not in the memory of this process" in line for line in said)


def test_a_store_of_another_library_that_is_emptied():
    class Store(zarr.storage.MemoryStore):
        pass

    store = zarr.storage.LoggingStore(Store())
    array = zarr.create_array(store, data=np.ones((400, 2)), chunks=(100, 2))
    rows = as_rows(array)
    assert first_block(rows).all()
    store._store._store_dict.clear()
    with pytest.raises(SourceError, match="Store is not in the memory"):
        first_block(rows)


def test_a_server_is_asked_once_all_is_the_fill_value(monkeypatch):
    """What reads as anything else was found; so reading asks for no more than chunks."""
    asked = []
    real = zarr.storage.MemoryStore.get

    async def get(self, key, *args, **options):
        asked.append(key)
        return await real(self, key, *args, **options)

    array = zarr.create_array({}, data=np.eye(400, 2), chunks=(100, 2))
    sparse = zarr.create_array({}, shape=(400, 2), dtype="f8", chunks=(100, 2))
    monkeypatch.setattr(zarr.storage.MemoryStore, "get", get)
    first_block(as_rows(array))
    assert asked
    assert not [key for key in asked if key.endswith("zarr.json")]
    assert not first_block(as_rows(sparse)).any()
    assert [key for key in asked if key.endswith("zarr.json")]


@pytest.mark.parametrize(
    ("values", "fill", "suspected"),
    [
        (np.zeros((3, 2)), 0.0, True),
        (np.zeros((3, 2)), None, True),
        (np.ones((3, 2)), 0.0, False),
        (np.ones((3, 2)), None, True),
        (np.eye(2), 1.0, False),
        (np.full(3, np.nan), np.nan, True),
        (np.full(3, np.nan), None, True),
        (np.array([np.nan, 1.0, np.nan]), np.nan, False),
        (np.array([np.nan, 1.0]), None, False),
        (np.zeros((0, 2)), 0.0, False),
        (np.zeros((), "u1"), 0, True),
        (np.full(3, np.datetime64("NaT", "s")), None, True),
        (np.array(["a", "b"]), None, False),
    ],
)
def test_what_may_be_unseen(values, fill, suspected):
    assert may_be_missing(values, fill) is suspected


@pytest.mark.parametrize("scheme", ["", "local://", "memory://"])
def test_a_target_that_is_gone_is_not_made_again(scheme, tmp_path):
    """As on a worker that does not see it."""
    options = {"auto_mkdir": True} if scheme == "local://" else None
    array = zarr.create_array(
        f"{scheme}{tmp_path}/here/out.zarr",
        shape=(400,),
        chunks=(100,),
        dtype="i4",
        storage_options=options,
    )
    put = Putting({"label": array}, 0)
    region, values = (slice(100, 200),), {"label": np.arange(100, dtype=np.int32)}
    put(region, values)
    np.testing.assert_array_equal(array[100:200], np.arange(100))
    if scheme == "memory://":
        array.store.fs.sync_fs.rm(f"{tmp_path}/here", recursive=True)
    else:
        go(tmp_path / "here")
    with pytest.raises(SourceError, match=r"out\.zarr is not "):
        put(region, values)
    assert not (tmp_path / "here").exists()


@pytest.mark.parametrize("scheme", ["file://", "local://", "simplecache::file://"])
def test_data_are_not_written_over_through_a_url(scheme, mixture, tmp_path):
    place = tmp_path / "out.zarr"
    mixture.predict_to_zarr(X[:400], place, ["posterior"])
    url = f"{scheme}{place}/posterior"
    alone = GaussianMixture(1).fit(url)
    for x in (url, zarr.open_array(url, mode="r")):
        with pytest.raises(ValueError, match="where the data are"):
            alone.predict_to_zarr(x, place, overwrite=True)
