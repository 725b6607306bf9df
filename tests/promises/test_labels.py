"""Promises for fits with labels: the same bits anywhere, after losses and on other threads."""

import dask
import dask.array as da
import numpy as np
import pytest
from distributed import Client

from daskgmm import GaussianMixture, GaussianMixtureClassifier
from daskgmm.errors import CheckpointError
from tests.oracle.data import blobs
from tests.promises.slow import bits
from tests.promises.stopping import Stop, stop_after

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

K, D, N = 3, 4, 6000
ROWS = blobs(N, D, K, seed=2)
X = da.from_array(ROWS, chunks=(500, D))
FEW = np.full(N, -1)
FEW[::97] = np.random.default_rng(0).integers(K, size=len(FEW[::97]))
Y = da.from_array(FEW, chunks=800)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    """Cut few rows into as many batches as a large data set."""
    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-6)


def found(labels=Y, **how):
    """Return the bits of a fit whose starts are made on a sample."""
    mixture = GaussianMixture(K, max_iter=3, tol=0.0, random_state=0, sample_rows=700)
    return bits(mixture.fit(X, labels=labels, **how))


@pytest.fixture(scope="module")
def alone():
    with dask.config.set(num_workers=1), pytest.MonkeyPatch.context() as patch:
        patch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-6)
        return found()


def test_threads(alone):
    with dask.config.set(num_workers=4):
        assert found() == alone


def test_chunks_change_rounding_alone():
    few = slice(0, 1500)

    def fitted(x, y):
        classifier = GaussianMixtureClassifier(2, random_state=0, max_iter=4, tol=0.0)
        return classifier.fit(x, y).predict_proba(ROWS[few])

    expected = fitted(ROWS[few], FEW[few])
    for chunks in (333, 1500):
        other = fitted(X[few].rechunk((chunks, D)), Y[few].rechunk(700))
        np.testing.assert_allclose(other, expected, atol=1e-6)


def test_what_was_interrupted_goes_on_to_the_same_bits(alone, tmp_path):
    with pytest.raises(Stop):
        found(checkpoint=tmp_path / "c", listen=stop_after(1))
    with pytest.raises(CheckpointError, match="labels: other than before"):
        found(np.where(FEW == 1, -1, FEW), checkpoint=tmp_path / "c")
    with dask.config.set(num_workers=2):
        assert found(checkpoint=tmp_path / "c") == alone


@pytest.mark.slow
def test_a_cluster(alone):
    with Client(
        processes=False, n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0"
    ):
        assert found() == alone
        assert found(FEW) == alone
