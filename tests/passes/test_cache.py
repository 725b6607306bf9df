"""The cache: the same bits, fewer reads, nothing left behind."""

import time

import pytest
import zarr

from daskgmm import GaussianMixture
from tests.clusters import two_workers
from tests.oracle.data import blobs
from tests.promises.slow import bits
from tests.promises.stores import NotingStore

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

ROWS = blobs(300_000, 4, 3, seed=7)
SETTINGS = {"n_components": 3, "max_iter": 4, "tol": 0.0, "random_state": 0}
PASSES = 6  # survey, sample, iterations


@pytest.fixture(scope="module")
def cluster():
    with two_workers() as cluster:
        yield cluster


def read(path, cache, weights=None):
    """Fit to a store that counts its reads; return them, chunk by chunk, and the bits."""
    array = zarr.open_array(NotingStore(path), mode="r")
    mixture = GaussianMixture(**SETTINGS).fit(array, sample_weight=weights, cache=cache)
    names = [each.name.split("@")[0] for each in path.with_name("x.zarr.reads").iterdir()]
    return {name: names.count(name) for name in names}, bits(mixture)


@pytest.mark.parametrize("cache", [None, "5MB", "1GiB"])
def test_what_is_kept_is_read_once(place, request, tmp_path, cache):
    path = tmp_path / "x.zarr"
    zarr.create_array(path, data=ROWS, chunks=(10_000, 4), compressors=None)
    reads, found = read(path, cache)
    assert len(reads) == 30
    expected = {None: {PASSES}, "5MB": {1, PASSES}, "1GiB": {1}}[cache]
    assert set(reads.values()) == expected
    assert found == bits(GaussianMixture(**SETTINGS).fit(path))
    if place == "cluster":
        scheduler = request.getfixturevalue("cluster").scheduler
        deadline = time.monotonic() + 10
        while scheduler.tasks and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not scheduler.tasks


def test_weights_are_kept_too(place, tmp_path):
    path = tmp_path / "x.zarr"
    zarr.create_array(path, data=ROWS, chunks=(10_000, 4), compressors=None)
    weights = zarr.create_array(tmp_path / "w.zarr", data=ROWS[:, 0] ** 2, chunks=(25_000,))
    _, found = read(path, "1GiB", weights)
    assert found == bits(GaussianMixture(**SETTINGS).fit(path, None, weights))
