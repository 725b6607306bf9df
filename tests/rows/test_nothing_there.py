"""Files of no bytes, empty folders and absent URLs: what, where, and what to do, of every kind."""

import fsspec
import pytest

from daskgmm import GaussianMixture
from daskgmm.errors import SourceError

FILES = ["x.csv", "x.csv.gz", "x.tsv", "x.parquet", "x.npy", "x.nc", "x.h5"]


def told(path, **settings):
    with pytest.raises(SourceError) as refused:
        GaussianMixture(1).fit(str(path), **settings)
    return str(refused.value)


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_no_bytes(name, tmp_path):
    path = tmp_path / name
    path.touch()
    assert told(path).startswith(f"{path} is an empty file: it has 0 bytes. A full disk, or")
    assert "Write it again, or give another path." in told(path)


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz", "x.parquet", "x.nc"])
def test_a_file_of_no_bytes_at_a_url(name):
    url = f"memory://nothing/{name}"
    fsspec.filesystem("memory").pipe_file(f"/nothing/{name}", b"")
    assert f"nothing/{name} is an empty file: it has 0 bytes." in told(url)


def test_one_of_several_files_of_no_bytes(tmp_path):
    (tmp_path / "a.parquet").touch()
    assert told(tmp_path).startswith(f"{tmp_path / 'a.parquet'} is an empty file")


@pytest.mark.parametrize("name", ["x.zarr", "x.parquet", "x"])
def test_an_empty_folder(name, tmp_path):
    (tmp_path / name).mkdir()
    assert told(tmp_path / name).startswith(f"{tmp_path / name} is an empty folder. A full disk")


@pytest.mark.parametrize("content", [b"\n\n", b"\xef\xbb\xbf"])
def test_a_file_of_empty_lines(content, tmp_path):
    (tmp_path / "x.csv").write_bytes(content)
    assert "has no line with values. The first line names the columns" in told(tmp_path / "x.csv")


def test_what_holds_something_is_not_empty(tmp_path):
    (tmp_path / "x.npy").write_bytes(b"no array")
    assert "cannot be mapped into memory" in told(tmp_path / "x.npy")
    (tmp_path / "x.zarr").mkdir()
    (tmp_path / "x.zarr" / "notes.txt").touch()
    assert "exists but is not a Zarr array" in told(tmp_path / "x.zarr")


@pytest.mark.parametrize("name", ["x.csv", "x.tsv.gz", "x.npy", "x.nc", "x.txt"])
def test_an_absent_file_at_a_url_is_no_matter_of_zarr(name):
    message = told(f"memory://absent/{name}")
    assert message.startswith(f"memory://absent/{name} does not exist. Check the address")
    assert "Zarr" not in message
