"""Rows, weights, checkpoints and small files on a real S3 server."""

import fsspec
import numpy as np
import pytest
import zarr

import daskgmm
from daskgmm import GaussianMixture
from daskgmm.em.events import Checkpointed, FitStarted, PassEnded
from daskgmm.errors import CheckpointError
from daskgmm.rows.opening import as_rows
from daskgmm.rows.zarr_nodes.node import location
from daskgmm.storage.address import Address
from tests.promises.slow import bits
from tests.stores.conftest import CHUNK, D, N, obstore_options

SETTINGS = {"n_components": 3, "random_state": 0, "max_iter": 5, "tol": 0.0}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="session")
def in_memory(X):
    """The same rows in the same chunks."""
    return zarr.create_array({}, data=X, chunks=(CHUNK, D), compressors=None)


class Stop(Exception):
    """Ends a fit from outside."""


def stop_after(number):
    def listen(event):
        if isinstance(event, Checkpointed):
            counted.append(event)
            if len(counted) == number:
                raise Stop

    counted = []
    return listen


def test_fit_has_the_bits_of_the_same_rows_in_memory(place, backend_options, url, in_memory, X):
    mixture = GaussianMixture(**SETTINGS).fit(url, storage_options=backend_options)
    assert bits(mixture) == bits(GaussianMixture(**SETTINGS).fit(in_memory))
    np.testing.assert_allclose(
        mixture.means_, GaussianMixture(**SETTINGS).fit(X).means_, rtol=0, atol=1e-9
    )


def test_weights_and_checkpoint(place, backend_options, url, weights_url, weights, in_memory, here):
    def fitted(listen=None):
        return GaussianMixture(**SETTINGS).fit(
            url,
            sample_weight=weights_url,
            checkpoint=here,
            listen=listen,
            storage_options=backend_options,
        )

    with pytest.raises(Stop):
        fitted(stop_after(3))
    events = []
    mixture = fitted(events.append)
    assert next(e.resumed for e in events if isinstance(e, FitStarted)) >= 2
    assert bits(mixture) == bits(GaussianMixture(**SETTINGS).fit(in_memory, None, weights))


def test_lists_of_urls(options, url, weights_url, X, weights):
    mixture = GaussianMixture(**SETTINGS).fit(
        [url, X[:100]], sample_weight=[weights_url, weights[:100]], storage_options=options
    )
    both = GaussianMixture(**SETTINGS).fit(
        [url, url], sample_weight=[weights_url, weights_url], storage_options=options
    )
    assert mixture.n_features_in_ == both.n_features_in_ == D


def test_the_options_do_no_harm_to_local_paths(options, url, tmp_path, in_memory, X):
    zarr.create_array(tmp_path / "x.zarr", data=X, chunks=(CHUNK, D), compressors=None)
    for local in (tmp_path / "x.zarr", str(tmp_path / "x.zarr"), f"file://{tmp_path}/x.zarr"):
        mixture = GaussianMixture(**SETTINGS).fit(
            local, checkpoint=tmp_path / "c", storage_options=options
        )
        assert bits(mixture) == bits(GaussianMixture(**SETTINGS).fit(in_memory))
        (tmp_path / "c").unlink()


def test_opened_arrays_serve_every_method(place, backend_options, url, in_memory):
    mixture = GaussianMixture(**SETTINGS).fit(in_memory)
    opened = daskgmm.open_data(url, backend_options)
    assert location(opened) == url
    np.testing.assert_array_equal(
        mixture.predict(opened).compute(), mixture.predict(in_memory).compute()
    )
    assert mixture.score(opened) == mixture.score(in_memory)
    assert mixture.bic(opened) == mixture.bic(in_memory)


def test_arrays_that_zarr_opened(place, backend_options, url, in_memory):
    opened = zarr.open_array(url, mode="r", storage_options=backend_options)
    mixture = GaussianMixture(**SETTINGS).fit(opened)
    assert bits(mixture) == bits(GaussianMixture(**SETTINGS).fit(in_memory))
    assert mixture.predict(opened).compute().shape == (N,)


def test_a_store_of_obstore(place, endpoint, url, in_memory):
    store = pytest.importorskip("obstore.store", reason="no obstore")
    bucket, prefix = url.removeprefix("s3://").split("/", 1)
    place = store.S3Store(bucket, prefix=prefix, **obstore_options(endpoint))
    opened = zarr.open_array(zarr.storage.ObjectStore(place, read_only=True), mode="r")
    assert location(opened) == url
    mixture = GaussianMixture(**SETTINGS).fit(opened)
    assert bits(mixture) == bits(GaussianMixture(**SETTINGS).fit(in_memory))


def test_rows_in_obstores_memory_stay_in_this_process(X):
    store = pytest.importorskip("obstore.store", reason="no obstore")
    array = zarr.create_array(
        zarr.storage.ObjectStore(store.MemoryStore()), data=X, chunks=(CHUNK, D)
    )
    assert as_rows(array).in_process


def test_the_environment_is_enough(url, endpoint, in_memory, here, monkeypatch):
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    mixture = GaussianMixture(**SETTINGS).fit(url, checkpoint=here)
    assert bits(mixture) == bits(GaussianMixture(**SETTINGS).fit(in_memory))
    np.testing.assert_array_equal(
        mixture.predict(url).compute(), mixture.predict(in_memory).compute()
    )
    fsspec.get_filesystem_class("s3").clear_instance_cache()


def test_fsspecs_configuration_is_enough(place, url, backend_options, in_memory, monkeypatch):
    monkeypatch.setitem(fsspec.config.conf, "s3", backend_options)
    mixture = GaussianMixture(**SETTINGS).fit(url)
    assert bits(mixture) == bits(GaussianMixture(**SETTINGS).fit(in_memory))


def test_sweep_and_plan(options, url, weights_url, here):
    given = {"sample_weight": weights_url, "storage_options": options}
    events = []
    first = daskgmm.sweep(url, [2, 3], random_state=0, checkpoint=here, **given)
    again = daskgmm.sweep(
        url, [2, 3], random_state=0, checkpoint=here, listen=events.append, **given
    )
    assert first.table == again.table
    assert not [event for event in events if isinstance(event, PassEnded)][1:]
    assert "60,000 of 4 features" in str(daskgmm.plan(url, 3, **given))


def test_small_files(backend_options, here):
    assert Address.of(here, backend_options).read() is None
    for content in (b"content", b"longer content" * 1000, b""):
        Address.of(here, backend_options).replace(content)
        assert Address.of(here, backend_options).read() == content


def test_a_damaged_checkpoint_is_refused_and_kept(options, url, here):
    Address.of(here, options).replace(b"{")
    with pytest.raises(CheckpointError, match=f"{here} is damaged"):
        GaussianMixture(**SETTINGS).fit(url, checkpoint=here, storage_options=options)
    assert Address.of(here, options).read() == b"{"


def test_a_checkpoint_that_cannot_be_written_is_refused_before_the_first_pass(options, X):
    missing = "s3://no-such-bucket/fit.ckpt"
    with pytest.raises(CheckpointError, match=f"No file can be written at {missing}: .*not exist"):
        GaussianMixture(**SETTINGS).fit(X, checkpoint=missing, storage_options=options)
