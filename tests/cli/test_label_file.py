"""Label files: the right labels at the right rows, whole or not there."""

import dask.array as da
import numpy as np
import pytest
import zarr

from daskgmm import GaussianMixture
from daskgmm.errors import DataError
from daskgmm.models import label_file
from daskgmm.models.label_file import in_chunks, label_dtype, write_labels
from tests.cli.data import clusters, write_zarr


@pytest.fixture
def mixture(rows):
    return GaussianMixture(3, random_state=0).fit(rows)


@pytest.mark.parametrize("size", [1, 7, 1000, 2999, 3000, 1 << 20])
@pytest.mark.parametrize("chunk", [1, 13, 1000, 5000])
def test_chunks_need_not_match(tmp_path, monkeypatch, rows, mixture, size, chunk):
    monkeypatch.setattr(label_file, "CHUNK_ROWS", size)
    rows = rows[: 100 if min(size, chunk) == 1 else None]
    source = zarr.open_array(write_zarr(tmp_path / "x", rows, (chunk, 3)), mode="r")
    counts = write_labels(mixture, source, tmp_path / "labels")
    labels, expected = zarr.open_array(tmp_path / "labels", mode="r"), mixture.predict(rows)
    assert labels.chunks == (min(size, len(rows)),)
    np.testing.assert_array_equal(labels[:], expected)
    np.testing.assert_array_equal(counts, np.bincount(expected, minlength=3))


def test_any_source(tmp_path, rows, mixture):
    np.save(tmp_path / "x.npy", rows)
    expected = mixture.predict(rows)
    sources = (rows, tmp_path / "x.npy", da.from_array(rows, chunks=(700, 2)), [rows[:5], rows[5:]])
    for i, source in enumerate(sources):
        write_labels(mixture, source, tmp_path / str(i))
        np.testing.assert_array_equal(zarr.open_array(tmp_path / str(i))[:], expected)


def test_many_components(tmp_path):
    """300 components need two bytes."""
    x = np.arange(300.0)[:, None]
    mixture = GaussianMixture(300, means_init=x, covariance_type="spherical")
    mixture.set_params(precisions_init=np.full(300, 100.0), max_iter=2, tol=1e9)
    mixture.set_params(weights_init=np.full(300, 1 / 300)).fit(x)
    write_labels(mixture, x, tmp_path / "labels")
    labels = zarr.open_array(tmp_path / "labels", mode="r")
    assert labels.dtype == np.uint16
    np.testing.assert_array_equal(labels[:], np.arange(300))


def test_dtype():
    sizes = {1: "u1", 2: "u1", 256: "u1", 257: "u2", 65536: "u2", 65537: "u4"}
    assert {k: label_dtype(k).str[1:] for k in sizes} == sizes


def test_progress_counts_batches(tmp_path, rows, mixture):
    seen = []
    write_labels(mixture, rows, tmp_path / "l", lambda done, total: seen.append((done, total)))
    total = seen[-1][1]
    assert seen == [(i + 1, total) for i in range(total)]


def test_cut_anew():
    parts = [np.arange(start, stop) for start, stop in ((0, 3), (3, 3), (3, 4), (4, 15))]
    cut = [chunk.tolist() for chunk in in_chunks(iter(parts), 4, np.dtype(int))]
    assert cut == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [12, 13, 14]]
    assert list(in_chunks(iter([]), 4, np.dtype(int))) == []


class StoppedError(Exception):
    """Stands for whatever may stop a pass."""


@pytest.mark.parametrize("error", [KeyboardInterrupt, StoppedError])
def test_nothing_is_left_of_a_broken_pass(tmp_path, rows, mixture, error):
    def stop(done, total):
        assert next(path.name for path in tmp_path.iterdir()).startswith("labels.partial-")
        raise error

    with pytest.raises(error):
        write_labels(mixture, rows, tmp_path / "labels", stop)
    assert not list(tmp_path.iterdir())


def test_existing(tmp_path, rows, mixture):
    out = tmp_path / "labels"
    write_labels(mixture, rows, out)
    with pytest.raises(FileExistsError, match="exists"):
        write_labels(mixture, rows, out)
    write_labels(mixture, rows[:10], out, overwrite=True)
    assert zarr.open_array(out, mode="r").shape == (10,)
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("kind", ["file", "folder", "group"])
def test_only_arrays_are_overwritten(tmp_path, rows, mixture, kind):
    out = tmp_path / "labels"
    if kind == "file":
        out.write_text("precious")
    elif kind == "folder":
        out.mkdir()
    else:
        zarr.create_group(out)
    with pytest.raises(FileExistsError, match="no Zarr array"):
        write_labels(mixture, rows, out, overwrite=True)
    assert out.exists()


def test_refused(tmp_path, rows, mixture):
    with pytest.raises(ValueError, match="to_zarr"):
        write_labels(mixture, rows, "s3://bucket/labels")
    with pytest.raises(FileNotFoundError, match="no folder"):
        write_labels(mixture, rows, tmp_path / "no" / "labels")
    with pytest.raises(ValueError, match="4 features"):
        write_labels(mixture, clusters(10, 4), tmp_path / "labels")
    unknown = da.from_array(rows, chunks=(700, 3))
    unknown = unknown[unknown[:, 0] > 0]
    with pytest.raises(DataError, match="compute_chunk_sizes"):
        write_labels(mixture, unknown, tmp_path / "labels")
    rows[1234, 2] = np.nan
    with pytest.raises(DataError, match="NaN"):
        write_labels(mixture, rows, tmp_path / "labels")
    assert not list(tmp_path.iterdir())
