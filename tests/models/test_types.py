"""What comes back: the type that went in, lazily where it was lazy."""

import json
import logging

import dask.array as da
import numpy as np
import polars as pl
import pytest
import zarr
from numpy.testing import assert_allclose, assert_array_equal

from daskgmm import GaussianMixture, sweep
from daskgmm.em.events import BatchDone, Iterated, as_dict
from daskgmm.rows.sources import source_of
from tests.oracle.data import STRUCTURES, blobs

X = blobs(500, 3, 3)
METHODS = ["predict", "predict_proba", "score_samples"]


@pytest.fixture(scope="module", params=STRUCTURES)
def mixture(request):
    return GaussianMixture(3, covariance_type=request.param, random_state=0).fit(X)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("chunks", [(100, 3), (77, 2), (500, 3), ((1, 0, 499), (3,))])
def test_dask_gives_lazy_dask_with_the_same_row_chunks(mixture, method, chunks):
    lazy = da.from_array(X, chunks=chunks)
    found = getattr(mixture, method)(lazy)
    expected = getattr(mixture, method)(X)
    assert isinstance(found, da.Array)
    assert found.chunks[0] == lazy.chunks[0]
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert found._meta.dtype == expected.dtype
    assert found._meta.ndim == expected.ndim
    assert_allclose(found.compute(), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("sample_rows", [None, 60])
def test_rows_of_longer_numbers_are_fitted_in_double_precision(sample_rows):
    settings = {"random_state": 0, "sample_rows": sample_rows}
    doubles, longer = (da.from_array(X.astype(kind), chunks=(100, 3)) for kind in ("d", "g"))
    for of in (
        lambda x: GaussianMixture(3, **settings).fit(x),
        lambda x: sweep(x, (1, 2), n_init=1, **settings).models[-1],
    ):
        found, expected = of(longer), of(doubles)
        assert found.means_.dtype == np.float64
        assert_allclose(found.means_, expected.means_, rtol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_unknown_chunk_lengths_stay_unknown(mixture, method):
    lazy = da.from_array(X, chunks=(100, 3))
    found = getattr(mixture, method)(lazy[lazy[:, 0] > 0])
    assert np.isnan(found.chunks[0]).all()
    assert_allclose(found.compute(), getattr(mixture, method)(X[X[:, 0] > 0]), atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_zarr_and_lists_with_a_lazy_part_give_lazy_dask(mixture, method, tmp_path):
    stored = zarr.create_array(tmp_path / "x.zarr", data=X, chunks=(64, 3))
    expected = getattr(mixture, method)(X)
    for source in (stored, str(tmp_path / "x.zarr"), [X[:100], stored[100:], stored], [stored]):
        found = getattr(mixture, method)(source)
        if isinstance(source, list) and len(source) == 3:
            assert_allclose(found.compute(), np.concatenate([expected, expected]), atol=1e-9)
        else:
            assert isinstance(found, da.Array)
            assert_allclose(found.compute(), expected, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_numpy_and_lists_of_numpy_give_numpy(mixture, method):
    expected = getattr(mixture, method)(X)
    for source in (X, [X[:30], X[30:]], X.tolist(), np.asfortranarray(X)):
        found = getattr(mixture, method)(source)
        assert type(found) is np.ndarray
        assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_float32_stays_float32():
    mixture = GaussianMixture(3, random_state=0).fit(X.astype(np.float32))
    rows = X.astype(np.float32)
    assert mixture.predict_proba(rows).dtype == np.float32
    assert mixture.score_samples(rows).dtype == np.float32
    assert mixture.predict(rows).dtype == np.int64
    assert mixture.score_samples(X).dtype == np.float64
    assert mixture.means_.dtype == np.float64
    assert_array_equal(mixture.predict(rows), mixture.fit_predict(rows))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.float16, bool])
def test_integers_are_read_as_they_are(dtype):
    rows = (X * 10).astype(dtype)
    k = 2
    one = GaussianMixture(k, random_state=0, init_params="random").fit(rows)
    other = GaussianMixture(k, random_state=0, init_params="random").fit(rows.astype(float))
    assert_allclose(one.means_, other.means_, rtol=1e-9)


@pytest.mark.slow
def test_memory_maps(tmp_path):
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    expected = GaussianMixture(3, random_state=0).fit(X)
    for source in (mapped, tmp_path / "x.npy"):
        found = GaussianMixture(3, random_state=0).fit(source)
        assert_array_equal(found.means_, expected.means_)
        assert_array_equal(np.asarray(found.predict(source)), expected.predict(X))


def test_names_of_columns_are_kept():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["a", "b", "c"])
    mixture = GaussianMixture(3, random_state=0).fit(frame)
    assert list(mixture.feature_names_in_) == ["a", "b", "c"]
    assert list(mixture.get_params()) == list(GaussianMixture().get_params())
    mixture.fit(da.from_array(X))
    assert not hasattr(mixture, "feature_names_in_")


def test_scores_stream(mixture):
    lazy = da.from_array(X, chunks=(50, 3))
    assert_allclose(mixture.score(lazy), mixture.score_samples(X).mean())
    assert_allclose(mixture.bic(lazy), mixture.bic(X))
    assert_allclose(mixture.aic(lazy), mixture.aic(X))


def test_lazy_arrays_are_read_in_their_own_blocks(tmp_path):
    stored = zarr.create_array(tmp_path / "x.zarr", data=X, chunks=(64, 1))
    assert source_of(stored).lazy().numblocks[1] == 1


def test_lists_of_lazy_parts_and_parts_in_memory(tmp_path, mixture):
    np.save(tmp_path / "x.npy", X[:100])
    zarr.create_array(tmp_path / "x.zarr", data=X[100:], chunks=(64, 3))
    stored = str(tmp_path / "x.zarr")
    for first in (tmp_path / "x.npy", X[:100], pl.DataFrame(X[:100])):
        found = mixture.predict([first, stored])
        assert isinstance(found, da.Array)
        assert_array_equal(found, mixture.predict(X))


def test_events_tell_the_story():
    events = []
    mixture = GaussianMixture(3, random_state=0, n_init=2).fit(X, listen=events.append)
    kinds = [type(event).__name__ for event in events if type(event).__name__ != "BatchDone"]
    assert kinds[:3] == ["FitStarted", "PassEnded", "StartFound"]
    assert kinds[-2:] == ["Ended", "FitEnded"]
    assert kinds.count("Started") == kinds.count("Ended") == 2
    iterated = [event for event in events if isinstance(event, Iterated)]
    assert mixture.lower_bound_ in [event.lower_bound for event in iterated]
    assert kinds.count("PassEnded") == 1 + len(iterated) == events[-1].passes
    for event in iterated:
        assert event.rows == len(X)
        assert event.nbytes == X.nbytes
        assert 10e6 < event.peak_memory < 100e9
    assert events[0].rows == len(X)
    assert events[0].nbytes == X.nbytes
    assert events[-1].lower_bound == mixture.lower_bound_


def test_the_history_is_a_table_of_the_best_start():
    mixture = GaussianMixture(3, random_state=0, n_init=2).fit(X)
    lengths = {len(column) for column in mixture.history_.values()}
    assert lengths == {mixture.n_iter_}
    assert mixture.history_["iteration"] == list(range(1, mixture.n_iter_ + 1))
    assert mixture.history_["lower_bound"] == mixture.lower_bounds_
    assert abs(mixture.history_["change"][-1]) < mixture.tol
    assert len(set(mixture.history_["initialisation"])) == 1


def test_a_fit_is_logged_and_its_events_are_json(caplog):
    events = []
    with caplog.at_level(logging.INFO, logger="daskgmm"):
        GaussianMixture(2, random_state=0).fit(X, listen=events.append)
    logged = [record.getMessage().split()[0] for record in caplog.records]
    assert logged == [type(e).__name__ for e in events if not isinstance(e, BatchDone)]
    for event in events:
        assert json.loads(json.dumps(as_dict(event)))["event"] == type(event).__name__


def test_settings_may_be_numpy_scalars(tmp_path):
    settings = {"n_components": np.int64(2), "n_init": np.int64(1), "tol": np.float32(1e-3)}
    mixture = GaussianMixture(**settings, random_state=0).fit(X, checkpoint=tmp_path / "c")
    assert mixture.n_components.dtype == np.int64
