"""Rows of datasets of h5py."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr
from distributed import Client, LocalCluster

from daskgmm import GaussianMixture
from daskgmm.errors import DataError, SettingError, SourceError
from daskgmm.rows.opening import as_rows
from daskgmm.rows.stores.hdf5 import HDF5Rows
from daskgmm.rows.stores.stored_rows import BLOCK_BYTES

from .conformance import RowsTests, read_all

h5py = pytest.importorskip("h5py")

X = np.random.default_rng(0).normal(5.0, 1.0, (4000, 3))
W = np.random.default_rng(1).random(4000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("deep/x", data=X, chunks=(500, 2))
        file.create_dataset("w", data=W)
    return tmp_path / "x.h5"


class TestOnDisk(RowsTests):
    def make(self, data: np.ndarray, tmp_path: Path) -> HDF5Rows:
        with h5py.File(tmp_path / "x.h5", "w") as file:
            file.create_dataset("x", data=data, chunks=(7, *data.shape[1:]))
        rows = HDF5Rows(h5py.File(tmp_path / "x.h5", "r")["x"], lengths=[7, 0, 1, 33])
        assert not rows.in_process
        return rows


class Watched(h5py.Dataset):
    """A dataset that notes how many rows are read at once."""

    def __array__(self, *args: Any, **options: Any) -> Any:
        raise AssertionError("the dataset was read as a whole")

    def __getitem__(self, key: Any, **options: Any) -> Any:
        found = super().__getitem__(key, **options)
        most.append(found.nbytes)
        return found


most: list[int] = []


@pytest.mark.parametrize("chunks", [None, (1000, 8)])
def test_it_is_read_in_pieces(tmp_path: Path, chunks: Any) -> None:
    data = np.random.default_rng(0).normal(size=(100_000, 8)).astype("f4")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("x", data=data, chunks=chunks)
        file.create_dataset("w", data=np.ones(len(data)))
    most.clear()
    with h5py.File(tmp_path / "x.h5") as file:
        x, w = Watched(file["x"].id), Watched(file["w"].id)
        mixture = GaussianMixture(1).fit(x, sample_weight=w)
        assert mixture.score(x) == pytest.approx(mixture.score(data))
        found = mixture.predict_to_zarr(x, tmp_path / "out.zarr")
        lazy = mixture.predict_proba(x)
        assert isinstance(lazy, da.Array)
        assert lazy.compute().shape == (100_000, 1)
    assert found.rows == len(data)
    assert 0 < max(most) <= BLOCK_BYTES < data.nbytes
    np.testing.assert_allclose(mixture.means_[0], data.mean(0), atol=1e-6)


def test_alone_in_lists_and_as_weights(path: Path) -> None:
    with h5py.File(path) as file:
        x, w = file["deep/x"], file["w"]
        plain = GaussianMixture(1).fit(X, sample_weight=W)
        for given, weights in ((x, w), ([x], [w]), (x, W), (da.from_array(X, chunks=900), w)):
            found = GaussianMixture(1).fit(given, sample_weight=weights)
            np.testing.assert_allclose(found.means_, plain.means_, rtol=1e-12)
        np.testing.assert_array_equal(
            np.asarray(plain.score_samples([X[:5], x])),
            np.concatenate([plain.score_samples(X[:5]), plain.score_samples(X)]),
        )


def test_what_its_attributes_declare(path: Path) -> None:
    with h5py.File(path, "a") as file:
        values = np.where(X > 5.5, -1, 10 * X).astype("i2")
        file["x"] = values
        file["x"].attrs.update({"_FillValue": np.array([-1], "i2"), "scale_factor": 0.1})
        found = read_all(as_rows(file["x"]))
    np.testing.assert_allclose(found, np.where(values == -1, np.nan, 0.1 * values))


def test_the_fill_value_of_hdf5_declares_nothing(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file.create_dataset("x", data=X.astype("i2"), fillvalue=5)
        assert (read_all(as_rows(file["x"])) == X.astype("i2")).all()


def test_segments_open_the_file_anew(path: Path) -> None:
    with h5py.File(path) as file:
        segment = pickle.dumps(as_rows(file["deep/x"]).segment(0, 1))
    copy = pickle.loads(segment)
    np.testing.assert_array_equal(np.concatenate(list(copy.stream())), X[: len(X)])
    path.unlink()
    with pytest.raises(SourceError, match=r"Rows 0 to .*/deep/x of .*seen under this path"):
        list(copy.stream())


def test_files_that_other_processes_cannot_open_stay_here(path: Path) -> None:
    with h5py.File(path, "a") as file:
        rows = as_rows(file["deep/x"])
        assert rows.in_process
        with pytest.raises(DataError, match=r"open it with h5py\.File\(path, 'r'\)"):
            pickle.dumps(rows.segment(0, 1))
        np.testing.assert_array_equal(read_all(rows), X)


@pytest.mark.usefixtures("impatient")
def test_closed_files(path: Path) -> None:
    with h5py.File(path) as file:
        x = file["deep/x"]
        rows = as_rows(x)
        labels = GaussianMixture(1).fit(X).predict(x)
    with pytest.raises(DataError, match="closed"):
        GaussianMixture(1).fit(x)
    with pytest.raises(SourceError, match="must stay open until all is read"):
        read_all(rows)
    with pytest.raises(SourceError, match="must stay open until all is read"):
        labels.compute()


@pytest.mark.parametrize(
    ("name", "message"),
    [("text", "not numeric"), ("one", "1D array"), ("three", "3D array"), ("record", "structured")],
)
def test_datasets_that_are_no_rows(path: Path, name: str, message: str) -> None:
    with h5py.File(path, "a") as file:
        file["text"] = np.full((3, 2), b"a")
        file["one"], file["three"] = np.ones(3), np.ones((3, 2, 2))
        file["record"] = np.zeros((3, 2), [("a", "f4")])
        with pytest.raises(DataError, match=message):
            GaussianMixture(1).fit(file[name])


def test_groups_and_empty_datasets(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file["nothing"] = h5py.Empty("f4")
        with pytest.raises(DataError, match="has no shape"):
            GaussianMixture(1).fit(file["nothing"])
        with pytest.raises(TypeError, match=r"h5py.*Give one of its datasets"):
            GaussianMixture(1).fit(file["deep"])


def test_predictions_are_not_written_over_the_file(path: Path) -> None:
    with h5py.File(path) as file:
        mixture = GaussianMixture(1).fit(file["deep/x"])
        assert mixture.fitted_on_["source"] == str(path)
        with pytest.raises(SettingError, match=r"x\.h5"):
            mixture.predict_to_zarr(file["deep/x"], path, overwrite=True)


@pytest.mark.slow
def test_on_a_cluster(path: Path) -> None:
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster),
        h5py.File(path) as file,
    ):
        here = as_rows(file["deep/x"]).in_process
        found = GaussianMixture(2, random_state=0).fit(file["deep/x"], sample_weight=file["w"])
        labels = found.predict(file["deep/x"]).compute()
        written = found.predict_to_zarr(file["deep/x"], path.with_name("out.zarr"))
    stored = zarr.open_array(path.with_name("out.zarr") / "label", mode="r")
    np.testing.assert_array_equal(stored[:], labels)
    assert not here
    assert written.rows == len(X)
