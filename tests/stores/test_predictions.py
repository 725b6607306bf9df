"""Predictions and models on a real S3 server."""

import json
import signal

import fsspec
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr

from daskgmm import GaussianMixture, load_model, open_parquet, save_model
from daskgmm.models.writers.partial_places import JOURNAL
from daskgmm.rows.opening import open_data
from daskgmm.storage.address import Address
from tests.drivers import Driver
from tests.promises.slow import bits
from tests.stores.conftest import BUCKET, CHUNK, D, N
from tests.stores.predict_to_be_killed import predict_to_be_killed

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore:The inplace keyword in DataFrame",
)

BY_EITHER = pytest.mark.parametrize(
    ("place", "backend_options"), [("threads", "s3fs"), ("cluster", "obstore")], indirect=True
)
"""At each place, by each library; `test_s3.py` reads by both at both."""

NAMES = [f"x{i}" for i in range(D)]
OUTPUTS = ["label", "posterior", "top", "log_density"]
PARTS = 6


class Killed(BaseException):
    """Ends a run as a signal would."""


@pytest.fixture(scope="module")
def mixture(X):
    return GaussianMixture(3, random_state=0, max_iter=3).fit(X[:CHUNK])


@pytest.fixture(scope="module")
def named(frame):
    return GaussianMixture(3, random_state=0, max_iter=3).fit(frame[NAMES][:CHUNK])


@pytest.fixture(scope="session")
def frame(X):
    return pd.DataFrame(X, columns=NAMES).assign(name=[f"row {i}" for i in range(N)])


@pytest.fixture(scope="session")
def tables(options, frame):
    """The same rows in Parquet files, with names."""
    where = f"s3://{BUCKET}/tables"
    for number, start in enumerate(range(0, N, CHUNK)):
        frame[start : start + CHUNK].to_parquet(
            f"{where}/{number}.parquet",
            index=False,
            row_group_size=N // PARTS,
            storage_options=options,
        )
    return where


@pytest.fixture
def out(here):
    """The URL of a folder of this test alone; obstore's and s3fs's are the same."""
    return here.removesuffix(".file")


def opened(path, options=None):
    return xr.open_zarr(path, consolidated=False, chunks=None, storage_options=options).load()


@pytest.fixture(scope="module")
def local(mixture, X, tmp_path_factory):
    """What is written to a local disk."""
    path = tmp_path_factory.mktemp("local") / "out.zarr"
    mixture.predict_to_zarr(X, path, OUTPUTS, chunks=CHUNK // 3)
    return opened(path)


@BY_EITHER
def test_zarr(place, backend_options, mixture, url, out, options, local):
    x = open_data(url, backend_options)
    settings = {"chunks": CHUNK // 3, "storage_options": backend_options}
    written = mixture.predict_to_zarr(x, out, OUTPUTS, **settings)
    xr.testing.assert_equal(opened(out, backend_options), local)
    assert written.rows == N
    assert not Address.of(f"{out}{JOURNAL}", backend_options).exists()
    with pytest.raises(FileExistsError, match=f"{out} exists"):
        mixture.predict_to_zarr(x, out, OUTPUTS, **settings)
    with pytest.raises(FileExistsError, match="not overwritten in one step"):
        mixture.predict_to_zarr(x, out, OUTPUTS, overwrite=True, **settings)
    xr.testing.assert_equal(opened(out, backend_options), local)


def test_zarr_from_a_url_and_with_shards(options, mixture, url, out, local):
    settings = {"chunks": CHUNK // 4, "shards": CHUNK // 2, "storage_options": options}
    mixture.predict_to_zarr(url, out, OUTPUTS, **settings)
    xr.testing.assert_equal(opened(out, options), local)


def test_a_grid(backend_options, mixture, X, out, tmp_path):
    dims, shape = ("y", "x", "time"), (30, 20, 100)
    ds = xr.Dataset(
        {name: (dims, X[:, i].reshape(shape)) for i, name in enumerate(NAMES)},
        {"x": np.arange(20) / 2},
    ).chunk(y=8, x=20)
    mixture.predict_to_zarr(ds, tmp_path / "out.zarr", OUTPUTS)
    mixture.predict_to_zarr(ds, out, OUTPUTS, storage_options=backend_options)
    xr.testing.assert_identical(opened(out, backend_options), opened(tmp_path / "out.zarr"))


def die_after(number):
    def die(done, total):
        if done == number:
            raise Killed

    return die


@pytest.fixture
def many_batches(monkeypatch):
    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-7)


@BY_EITHER
def test_a_killed_run_to_zarr_goes_on(
    place, backend_options, mixture, url, out, local, many_batches
):
    x = open_data(url, backend_options)
    settings = {"chunks": CHUNK // 3, "storage_options": backend_options}
    with pytest.raises(Killed):
        mixture.predict_to_zarr(x, out, OUTPUTS, progress=die_after(3), **settings)
    # The last chunk of the second batch is one of the third batch too.
    assert json.loads(Address.of(f"{out}{JOURNAL}", backend_options).read())["done"] == [0]
    again = []
    mixture.predict_to_zarr(
        x, out, OUTPUTS, progress=lambda done, total: again.append(total), **settings
    )
    assert again == [2, 2]
    xr.testing.assert_equal(opened(out, backend_options), local)
    # Another one that dies is not gone on with, but begun anew where it may be.
    other = f"{out}-2"
    with pytest.raises(Killed):
        mixture.predict_to_zarr(x, other, ["posterior"], progress=die_after(3), **settings)
    with pytest.raises(
        FileExistsError,
        match=r"other outputs \(written: posterior float32; asked: .*\)\. .*overwrite=True",
    ):
        mixture.predict_to_zarr(x, other, ["label"], **settings)
    mixture.predict_to_zarr(x, other, ["label"], overwrite=True, **settings)
    # The server goes on listing emptied folders, and tasks of the dead run that were under way on
    # a cluster may have written a chunk since: no array of that name is left.
    system, name = fsspec.core.url_to_fs(other, **backend_options)
    system.invalidate_cache()
    assert system.isfile(f"{name}/label/zarr.json")
    assert not system.isfile(f"{name}/posterior/zarr.json")


def read_parts(folder, options):
    """Return all parts as pandas reads them, in order."""
    names = sorted(Address.of(folder, options).names())
    found = []
    for name in names:
        with fsspec.open(f"{folder}/{name}", "rb", **options) as file:
            found.append(pd.read_parquet(file))
    return names, pd.concat(found, ignore_index=True)


@BY_EITHER
def test_parquet(place, backend_options, named, tables, frame, out, tmp_path):
    x = open_parquet(tables, [*NAMES], backend_options)
    fitted = GaussianMixture(3, random_state=0, max_iter=3).fit(x)
    np.testing.assert_allclose(
        fitted.means_,
        GaussianMixture(3, random_state=0, max_iter=3).fit(frame[NAMES]).means_,
        atol=1e-8,
    )
    settings = {"key": "name", "storage_options": backend_options}
    written = named.predict_to_parquet(x, out, OUTPUTS, **settings)
    names, found = read_parts(out, backend_options)
    assert names == [f"part-{i:06d}.parquet" for i in range(PARTS)]
    named.predict_to_parquet(frame, tmp_path / "out", OUTPUTS, key="name")
    pd.testing.assert_frame_equal(found, pd.read_parquet(tmp_path / "out"))
    assert written.rows == N
    assert not Address.of(f"{out}{JOURNAL}", backend_options).exists()
    with pytest.raises(FileExistsError, match=f"{out} exists"):
        named.predict_to_parquet(x, out, OUTPUTS, **settings)
    assert read_parts(out, backend_options)[0] == names


def test_pandas_and_dask_read_it(options, named, tables, frame, out):
    import dask.dataframe as dd

    named.predict_to_parquet(tables, out, key="name", storage_options=options)
    labels = named.predict(frame[NAMES])
    for read in (pd.read_parquet, dd.read_parquet):
        found = read(out, storage_options=options)
        assert list(found["name"]) == list(frame["name"])
        np.testing.assert_array_equal(found["label"], labels)


@BY_EITHER
def test_a_killed_run_to_parquet_goes_on(
    place, backend_options, named, tables, frame, out, many_batches
):
    x = open_parquet(tables, NAMES, backend_options)
    settings = {"key": "name", "storage_options": backend_options}
    with pytest.raises(Killed):
        named.predict_to_parquet(x, out, progress=die_after(4), **settings)
    done = json.loads(Address.of(f"{out}{JOURNAL}", backend_options).read())["done"]
    assert done == [0, 1, 2]
    before = [written_at(f"{out}/part-{i:06d}.parquet", backend_options) for i in done]
    again = []
    written = named.predict_to_parquet(
        x, out, progress=lambda done, total: again.append(total), **settings
    )
    assert again == [PARTS - 3] * (PARTS - 3)
    assert before == [written_at(f"{out}/part-{i:06d}.parquet", backend_options) for i in done]
    _, found = read_parts(out, backend_options)
    assert list(found["name"]) == list(frame["name"])
    np.testing.assert_array_equal(found["label"], named.predict(frame[NAMES]))
    assert written.rows == written.counts.sum() == N


def written_at(url, options):
    system, name = fsspec.core.url_to_fs(url, **options)
    system.invalidate_cache()
    info = system.info(name)
    return info.get("LastModified", info.get("last_modified"))


@pytest.mark.parametrize("kind", ["zarr", "parquet"])
def test_a_killed_driver(kind, options, mixture, named, url, tables, out, local, tmp_path):
    model = mixture if kind == "zarr" else named
    model.save(tmp_path / "model.json")
    target = f"{out}.{kind}"
    rows = url if kind == "zarr" else tables
    arguments = rows, tmp_path / "model.json", target, json.dumps(options)
    with Driver(predict_to_be_killed, *arguments) as process:
        for _ in range(2):
            total = int(process.stdout.readline().split()[1])
        process.send_signal(signal.SIGKILL)
    done = json.loads(Address.of(f"{target}{JOURNAL}", options).read())["done"]
    assert 1 <= len(done) < total
    with Driver(predict_to_be_killed, *arguments) as process:
        assert {int(line.split()[1]) for line in process.stdout} == {total - len(done)}
        assert process.wait() == 0
    assert not Address.of(f"{target}{JOURNAL}", options).exists()
    found = opened(target, options) if kind == "zarr" else read_parts(target, options)[1]
    np.testing.assert_array_equal(found["label"], local["label"])


def test_models(backend_options, mixture, X, here):
    url = here.replace(".file", ".json")
    mixture.save(url, backend_options)
    save_model(mixture, f"{url}.json", backend_options)
    for load in (GaussianMixture.load, load_model):
        for each in (url, f"{url}.json"):
            found = load(each, backend_options)
            assert bits(found) == bits(mixture)
            np.testing.assert_array_equal(found.predict_proba(X), mixture.predict_proba(X))
    mixture.save(url, backend_options)  # replaced
    assert bits(load_model(url, backend_options)) == bits(mixture)


def test_options_stay_out_of_what_is_written(options, mixture, url, out):
    from tests.stores.conftest import KEY, SECRET

    with pytest.raises(Killed):
        mixture.predict_to_zarr(
            url, out, progress=die_after(1), storage_options=options, chunks=1000
        )
    journal = Address.of(f"{out}{JOURNAL}", options).read().decode()
    assert SECRET not in journal
    assert KEY not in journal
    assert zarr.open_group(out, mode="r", storage_options=options)["label"].shape == (N,)
