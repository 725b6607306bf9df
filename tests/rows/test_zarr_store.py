"""What a Zarr array says of the place that it is in."""

import pickle
import traceback

import dask
import fsspec
import numpy as np
import pytest
import zarr

from daskgmm import GaussianMixture
from daskgmm.errors import SourceError
from daskgmm.rows.stores.zarr_array import ZarrRows
from daskgmm.rows.zarr_nodes.node import address_of, location, metadata_file


@pytest.fixture
def group(tmp_path):
    found = zarr.create_group(str(tmp_path / "g"))
    found.create_array("a", data=np.ones((3, 2)))
    return tmp_path / "g"


@pytest.mark.parametrize(
    "scheme",
    [
        "",
        "file://",
        "local://",
        "simplecache::file://",
        "filecache::file://",
    ],
)
def test_local_places_have_one_name(scheme, group):
    for array in (
        zarr.open(f"{scheme}{group}/a", mode="r"),
        zarr.open_group(f"{scheme}{group}", mode="r")["a"],
    ):
        assert location(array) == f"{group}/a"
        assert metadata_file(array) == f"{group}/a/zarr.json"
        assert metadata_file(pickle.loads(pickle.dumps(array))) == f"{group}/a/zarr.json"


def test_local_places_of_obstore(group):
    obstore = pytest.importorskip("obstore.store", reason="no obstore")
    store = zarr.storage.ObjectStore(obstore.LocalStore(group), read_only=True)
    array = zarr.open_group(store, mode="r")["a"]
    assert location(array) == f"{group}/a"
    assert metadata_file(array) == f"{group}/a/zarr.json"
    memory = zarr.storage.ObjectStore(obstore.MemoryStore())
    assert location(zarr.create_array(memory, shape=(3, 2), dtype="f8")) == "MemoryStore"


@pytest.mark.parametrize(
    ("version", "names"), [(2, (".zgroup", ".zarray")), (3, ("zarr.json",) * 2)]
)
def test_files_that_hold_metadata(version, names, tmp_path):
    group = zarr.create_group(str(tmp_path / "g"), zarr_format=version)
    array = group.create_array("a", shape=(3, 2), dtype="f8")
    assert metadata_file(group) == f"{tmp_path}/g/{names[0]}"
    assert metadata_file(array) == f"{tmp_path}/g/a/{names[1]}"


def test_what_is_elsewhere_has_no_metadata_file():
    assert metadata_file(zarr.create_array({}, shape=(3, 2), dtype="f8")) is None
    array = zarr.create_array("memory://elsewhere", shape=(3, 2), dtype="f8", overwrite=True)
    assert metadata_file(array) is None
    assert location(array) == "memory://elsewhere"


def test_memory_behind_a_wrapper_or_fsspec():
    store = zarr.storage.LoggingStore(zarr.storage.MemoryStore())
    assert ZarrRows(zarr.create_array(store, shape=(3, 2), dtype="f8")).in_process
    array = zarr.create_array("memory://rows-test", shape=(3, 2), dtype="f8")
    assert ZarrRows(array).in_process
    cache = fsspec.filesystem("simplecache", fs=fsspec.filesystem("memory"))
    cached = zarr.storage.FsspecStore.from_mapper(cache.get_mapper("/rows-test"))
    assert ZarrRows(zarr.open_array(cached, mode="r")).in_process


def test_options_behind_a_cache_are_known():
    """So that messages do not repeat them."""
    options = {"memory": {"secret": "hunter22"}}
    zarr.create_array("memory://options-test", shape=(3, 2), dtype="f8", overwrite=True)
    array = zarr.open("simplecache::memory://options-test", mode="r", storage_options=options)
    assert "hunter22" in repr(address_of(array).options)


@pytest.mark.parametrize("url", ["memory://masked", "simplecache::memory://masked"])
def test_lazy_predictions_do_not_repeat_options(url, monkeypatch):
    secret = "hunter22"
    zarr.create_array("memory://masked", data=np.eye(40, 2), chunks=(10, 2), overwrite=True)
    options = {"key": secret} if url.startswith("memory") else {"memory": {"key": secret}}
    store = zarr.storage.FsspecStore.from_url(url, storage_options=options, read_only=True)
    array = zarr.open_array(store, mode="r")

    async def refuse(self, key, *args, **options):
        raise PermissionError(f"the key {secret} may not do that")

    monkeypatch.setattr(zarr.storage.FsspecStore, "get", refuse)
    with dask.config.set({"daskgmm.retries": 0}):
        lazy = GaussianMixture(1).fit(np.eye(40, 2)).score_samples(array)
    with pytest.raises(
        SourceError, match=r"The values .* cannot be read: .*the key \*\*\* may not do that"
    ) as caught:
        lazy.compute(scheduler="sync")
    assert secret not in "".join(traceback.format_exception(caught.value))
