"""Predictions that go on with another kernel than they were begun with say so, as fits do."""

import warnings

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

from daskgmm import GaussianMixture
from daskgmm.gaussian import BACKENDS
from daskgmm.gaussian.kernels.numpy_backend import NumpyBackend

X = np.random.default_rng(0).normal(size=(2000, 2))
OTHER = "numpy-too"


class Killed(Exception):
    """A process that ended."""


@pytest.fixture(autouse=True)
def other_kernel(monkeypatch):
    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-6)
    monkeypatch.setitem(BACKENDS, OTHER, NumpyBackend())


def mixture_of_two():
    return GaussianMixture.from_parameters([0.5, 0.5], [[-1.0, 0.0], [1.0, 0.0]], np.ones(2))


def to_zarr(mixture, out, **options):
    mixture.predict_to_zarr(
        da.from_array(X, chunks=(100, 2)), out, ["label"], chunks=100, **options
    )


def to_parquet(mixture, out, **options):
    frame = dd.from_pandas(pd.DataFrame(X, columns=["a", "b"]), npartitions=20)
    mixture.predict_to_parquet(frame, out, ["label"], **options)


def die(done, total):
    assert total > 5
    if done == 3:
        raise Killed


@pytest.mark.parametrize("write", [to_zarr, to_parquet])
@pytest.mark.parametrize("kernel", ["numpy", OTHER])
def test_it_is_told(write, kernel, tmp_path):
    mixture, out = mixture_of_two(), tmp_path / "out"
    with dask.config.set({"num_workers": 1, "daskgmm.backend": "numpy"}):
        with pytest.raises(Killed):
            write(mixture, out, progress=die)
        with dask.config.set({"daskgmm.backend": kernel}), warnings.catch_warnings():
            warnings.simplefilter("error")
            if kernel == "numpy":
                write(mixture, out)
                return
            # Only what differs is named, and not the versions that are the same.
            told = (
                rf"was written with kernel numpy; this is kernel {kernel}\. The run resumes, but "
                "not necessarily with the same bits"
            )
            with pytest.warns(UserWarning, match=told):
                write(mixture, out)
    assert out.exists()


def test_what_has_no_batch_written_goes_on_silently(tmp_path):
    mixture = mixture_of_two()

    def die_at_once(done, total):
        raise Killed

    with dask.config.set({"num_workers": 1, "daskgmm.backend": "numpy"}):
        with pytest.raises(Killed):
            to_zarr(mixture, tmp_path / "out", progress=die_at_once)
        with dask.config.set({"daskgmm.backend": OTHER}), warnings.catch_warnings():
            warnings.simplefilter("error")
            to_zarr(mixture, tmp_path / "out")
