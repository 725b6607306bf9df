"""Labels on disk: enough bytes for them, and nothing written of data that change."""

import errno
import os

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import zarr

from daskgmm import GaussianMixture
from daskgmm.errors import DataError, OutputError
from daskgmm.models.predictions.made_outputs import Outputs
from daskgmm.models.predictions.output import Asked
from daskgmm.models.writers import part_writing, writing

X = np.random.default_rng(0).normal(size=(1000, 2))


@pytest.mark.filterwarnings("ignore::daskgmm.errors.DegenerateComponentWarning")
def test_many_components(tmp_path):
    """300 components need two bytes."""
    x = np.arange(300.0)[:, None]
    mixture = GaussianMixture(300, means_init=x, covariance_type="spherical")
    mixture.set_params(precisions_init=np.full(300, 100.0), max_iter=2, tol=1e9)
    mixture.set_params(weights_init=np.full(300, 1 / 300)).fit(x)
    mixture.predict_to_zarr(x, tmp_path / "p.zarr")
    labels = zarr.open_array(tmp_path / "p.zarr" / "label", mode="r")
    assert labels.dtype == np.int16
    np.testing.assert_array_equal(labels[:], np.arange(300))


def test_types_of_labels():
    sizes = {1: "i1", 2: "i1", 128: "i1", 129: "i2", 32768: "i2", 32769: "i4"}
    found = {
        k: Outputs.of(["label"], Asked(k, "float32", 1, True)).arrays[0].dtype.str[1:]
        for k in sizes
    }
    assert found == sizes


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, DataError])
def test_what_is_left_of_a_run_that_ended(tmp_path, error):
    """Nothing at its name; and nothing at all where the same call would end again."""
    x = np.random.default_rng(0).normal(size=(1000, 2))
    mixture = GaussianMixture(2, random_state=0).fit(x)

    def stop(done, total):
        raise error

    with pytest.raises(error):
        mixture.predict_to_zarr(x, tmp_path / "p.zarr", progress=stop)
    left = {path.name for path in tmp_path.iterdir()}
    kept = {"p.zarr.partial", "p.zarr.partial.progress.json"}
    assert left == (set() if error is DataError else kept)


@pytest.mark.parametrize("form", ["zarr", "parquet"])
def test_a_full_disk_leaves_the_old_predictions_and_the_same_call_goes_on(
    tmp_path, monkeypatch, form
):
    frame = dd.from_pandas(pd.DataFrame(X, columns=["a", "b"]), npartitions=4)
    x, out = (X if form == "zarr" else frame), tmp_path / f"p.{form}"
    mixture = GaussianMixture(2, random_state=0).fit(x)
    write = getattr(mixture, f"predict_to_{form}")
    write(x, out)
    old = contents(out)
    done = []

    def full(*arguments):
        done.append(arguments)
        if len(done) > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return whole(*arguments)

    kind = writing.Putting if form == "zarr" else part_writing.PartWriting
    whole = kind._put
    cut = {"chunks": 100} if form == "zarr" else {}
    with dask.config.set({"daskgmm.retries": 0}), monkeypatch.context() as patch:
        patch.setattr(kind, "_put", lambda *arguments: full(*arguments))
        message = rf"p\.{form} cannot be written, as the disk is full.*before is whole.*resumes"
        with pytest.raises(OutputError, match=message):
            write(x, out, ("label", "posterior"), overwrite=True, **cut)
    assert contents(out) == old
    assert write(x, out, ("label", "posterior"), overwrite=True, **cut).rows == len(X)
    assert {path.name for path in tmp_path.iterdir()} == {out.name}


def test_a_full_disk_before_anything_is_written(tmp_path, monkeypatch):
    """There is nothing to go on with, and none is named."""

    def full(path, content):
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr("daskgmm.storage.address.replace_file", full)
    with pytest.raises(OutputError, match=r"as the disk is full: OSError.*quota") as caught:
        GaussianMixture(2, random_state=0).fit(X).predict_to_zarr(X, tmp_path / "p.zarr")
    assert "written so far" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_data_that_change_while_they_are_read(tmp_path):
    x = np.random.default_rng(0).normal(size=(1000, 2))
    mixture = GaussianMixture(2, random_state=0).fit(x)
    shrinking = da.from_array(x, chunks=(100, 2)).map_blocks(
        lambda block: block[:-1], dtype=x.dtype, meta=np.empty((0, 2))
    )
    with pytest.raises(DataError, match="99, 2"):
        mixture.predict_to_zarr(shrinking, tmp_path / "p.zarr")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_named_by_what_samples_rows(tmp_path, monkeypatch):
    mixture, out = GaussianMixture(2, random_state=0).fit(X), tmp_path / "sample.zarr"
    mixture.sample_to_zarr(100, out, seed=0)
    old = contents(out)

    def full(*given, **how):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("zarr.storage._local._put", full)
    with pytest.raises(OutputError, match=r"to .*sample\.zarr: .*No space.*The disk is full"):
        mixture.sample_to_zarr(100, out, seed=1, overwrite=True)
    assert contents(out) == old
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
