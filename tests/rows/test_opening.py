from pathlib import Path

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import zarr

from daskgmm.errors import DataError, SourceError
from daskgmm.rows.arrays import ArrayRows
from daskgmm.rows.compositions.concatenated import ConcatenatedRows
from daskgmm.rows.lazy.dask_array import DaskRows
from daskgmm.rows.opening import as_rows, open_data
from daskgmm.rows.parquet.rows import open_parquet
from daskgmm.rows.stores.zarr_array import ZarrRows
from daskgmm.rows.stores.zarr_opening import open_zarr
from daskgmm.storage.address import Address

from .conformance import read_all

DATA = np.arange(20.0).reshape(10, 2)


@pytest.fixture
def path(tmp_path):
    array = zarr.create_array(str(tmp_path / "x.zarr"), shape=(10, 2), dtype="f8")
    array[:] = DATA
    return tmp_path / "x.zarr"


def test_dispatch(path, tmp_path):
    np.save(tmp_path / "x.npy", DATA)
    given = {
        ArrayRows: [DATA, tmp_path / "x.npy", str(tmp_path / "x.npy")],
        ZarrRows: [path, str(path), f"file://{path}", zarr.open(str(path), mode="r")],
        DaskRows: [da.from_array(DATA, chunks=(3, 2))],
        ConcatenatedRows: [[DATA], (DATA, path, da.from_array(DATA, chunks=(3, 2)))],
    }
    for kind, sources in given.items():
        for source in sources:
            rows = as_rows(source)
            assert type(rows) is kind
            np.testing.assert_array_equal(read_all(rows), np.concatenate([DATA] * 3)[: rows.n_rows])
            assert as_rows(rows) is rows


def test_home_directory(path, monkeypatch):
    monkeypatch.setenv("HOME", str(path.parent))
    assert open_zarr(Address.of("~/x.zarr")).shape == (10, 2)


def test_npy_is_mapped(tmp_path):
    np.save(tmp_path / "x.npy", DATA)
    assert isinstance(open_data(tmp_path / "x.npy"), np.memmap)


def test_npy_of_objects(tmp_path):
    np.save(tmp_path / "x.npy", np.array([[{}]], dtype=object), allow_pickle=True)
    with pytest.raises(SourceError, match=r"numpy\.save"):
        as_rows(tmp_path / "x.npy")


@pytest.mark.parametrize("name", ["nothing.zarr", "nothing.npy", "x.zarr/inner", "nothing.nc"])
def test_missing(path, name):
    with pytest.raises(SourceError, match=r"does not exist\. Check the path"):
        as_rows(path.parent / name)


def test_missing_url(tmp_path):
    with pytest.raises(SourceError, match="does not exist"):
        open_zarr(Address.of(f"file://{tmp_path}/nothing.zarr"))


def test_a_folder_of_parquet_files_at_a_url(tmp_path):
    """Its name says nothing; the advice opens it, in parts or not."""
    url = f"memory://daskgmm-tests/{tmp_path.name}"
    frame = pd.DataFrame({"a": np.arange(6.0)})
    frame[:3].to_parquet(f"{url}/0.parquet")
    frame[3:].to_parquet(f"{url}/part=1/0.parquet")
    with pytest.raises(SourceError, match=r"open_parquet\(url\), or write url/\*\*/\*\.parquet"):
        as_rows(url)
    for rows in (open_parquet(url, ["a"]), as_rows(f"{url}/**/*.parquet", columns=["a"])):
        assert rows.n_rows == 6


def test_not_a_zarr(tmp_path):
    Path(tmp_path / "file").write_text("x")
    for path in (tmp_path, tmp_path / "file"):
        with pytest.raises(SourceError, match="not a Zarr array"):
            open_zarr(Address.of(path))


def test_group_lists_its_arrays(tmp_path):
    group = zarr.create_group(str(tmp_path / "g.zarr"))
    for index in range(11):
        group.create_array(f"a{index:02}", shape=(index + 1, 2), dtype="f8")
    group.create_group("inner").create_array("deep", shape=(3, 2), dtype="f8")
    with pytest.raises(SourceError, match="Zarr group") as caught:
        open_zarr(Address.of(tmp_path / "g.zarr"))
    text = str(caught.value)
    assert f"{tmp_path}/g.zarr/a00" in text
    assert "a09 (10, 2)" in text
    assert "a10" not in text
    assert "and 2 more" in text


def test_empty_group(tmp_path):
    zarr.create_group(str(tmp_path / "g.zarr"))
    with pytest.raises(SourceError, match="without arrays"):
        open_zarr(Address.of(tmp_path / "g.zarr"))


def test_unknown_protocol():
    with pytest.raises(SourceError, match="Check the address"):
        open_zarr(Address.of("nonsense://bucket/x.zarr"))


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.zeros(3), "Expected 2D array, got 1D array instead"),
        (np.zeros(()), "Expected 2D array, got scalar array instead"),
        (np.zeros((2, 3, 4)), "rows x columns"),
        (np.zeros((3, 0)), r"Found array with 0 feature\(s\) \(shape=\(3, 0\)\) while a minimum"),
        (np.zeros((3, 2), "c16"), "Complex data not supported"),
        (np.array([["a", "b"]]), "select numeric columns"),
        (np.array([["a", 1]], dtype=object), "dtype object"),
        (np.zeros((3, 2), "M8[s]"), "datetime64"),
        (np.zeros((3, 2), "m8[s]"), "timedelta64"),
        (np.zeros((3, 2), [("a", "i4"), ("b", "f4")]), "structured"),
    ],
)
def test_refused_arrays(array, text):
    for x in (array, da.from_array(array, chunks=array.shape)):
        with pytest.raises(DataError, match=text):
            as_rows(x)


def test_zarr_of_three_axes(tmp_path):
    array = zarr.create_array(str(tmp_path / "x"), shape=(2, 3, 4), dtype="f8")
    with pytest.raises(DataError, match=r"dask.array.from_zarr"):
        as_rows(array)


@pytest.mark.parametrize("x", [[1.0, 2.0], [[1, 2], [3, 4]], ([1, 2],), [np.float64(1)], 3, None])
def test_not_handled_here(x):
    with pytest.raises(TypeError, match=r"numpy.asarray|give a NumPy array"):
        as_rows(x)


def test_empty_list():
    with pytest.raises(DataError, match="empty list"):
        as_rows([])
