"""Places where nothing can be written are refused before the first pass, and by name."""

import errno
import http.server
import os
import threading
from pathlib import Path
from typing import ClassVar

import fsspec
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from daskgmm import GaussianMixture, csv_to_parquet
from daskgmm.em.checkpoints.checkpoint import Checkpoint, State
from daskgmm.errors import CheckpointError, DaskGMMError, ModelFileError, OutputError
from daskgmm.models.model_file import check_free, save_new
from daskgmm.report.sweep import checked_output
from daskgmm.storage.address import Address
from daskgmm.storage.local import check_place
from tests.cli.data import filled_up_at

X = np.arange(40.0).reshape(20, 2)

MIXTURE = GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], np.eye(2)[None])

NO_FILES = (errno.EROFS, errno.EACCES, errno.EPERM, errno.EDQUOT, errno.ENOSPC)


def unread(path):
    """Return rows that cannot be read: a pass over them would be another error."""
    import dask.array as da

    def fail(block):
        raise AssertionError("read")

    return da.from_array(X, chunks=5).map_blocks(fail, dtype=X.dtype, meta=X[:0])


WRITES = {
    "checkpoint": lambda path: GaussianMixture(1).fit(unread(path), checkpoint=path),
    "model": lambda path: check_free(Address.of(path), overwrite=False),
    "sample": lambda path: MIXTURE.sample_to_zarr(10, path),
    "Zarr": lambda path: MIXTURE.predict_to_zarr(unread(path), path),
    "Parquet": lambda path: MIXTURE.predict_to_parquet(_frame(path), path),
    "convert": lambda path: csv_to_parquet(_csv(), path),
    "picture": lambda path: checked_output(str(path), "--plot", overwrite=False),
}

NAMES = {"sample": "s.zarr", "Zarr": "p.zarr", "Parquet": "p.parquet", "convert": "c.parquet"}


def _frame(path):
    import dask.dataframe as dd

    return dd.from_dask_array(unread(path), columns=["a", "b"])


def _csv():
    Path("x.csv").write_text("a,b\n1,2\n")
    return "x.csv"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture(params=NO_FILES, ids=errno.errorcode.get)
def takes_no_file(request, folder, monkeypatch):
    """Permissions do not bind who runs tests as root, nor may all of them mount."""
    whole = Path.open

    def refusing(path, mode="r", *arguments, **named):
        if path.parent == folder and mode[0] in "xwa":
            raise OSError(request.param, os.strerror(request.param), str(path))
        return whole(path, mode, *arguments, **named)

    monkeypatch.setattr(Path, "open", refusing)
    return os.strerror(request.param)


@pytest.mark.parametrize("kind", WRITES)
def test_a_folder_that_takes_no_file(kind, folder, takes_no_file):
    path = folder / NAMES.get(kind, "m.json")
    with pytest.raises(DaskGMMError) as caught:
        WRITES[kind](path)
    said = str(caught.value)
    assert f"{path} cannot be written, as no file can be made for it in {folder}" in said
    assert takes_no_file in said
    assert "choose another place" in said
    assert "partial" not in said
    assert not list(folder.iterdir())


@pytest.mark.parametrize("kind", WRITES)
def test_a_file_where_a_folder_should_be(kind, folder):
    (folder / "x").write_text("")
    path = folder / "x" / NAMES.get(kind, "m.json")
    with pytest.raises((OSError, DaskGMMError), match="x is a file, so there is no place in it"):
        WRITES[kind](path)


def test_a_name_that_is_too_long_for_a_file_aside(folder):
    """The file itself would find room, but not what it is written as until it is whole."""
    path = folder / f"{'m' * 240}.json"
    path.write_text("{}")
    with pytest.raises(OutputError, match="File name too long"):
        check_place(path, path.name, OutputError)


def test_a_place_that_is_checked_stays_empty(folder):
    check_place(folder / "m.json", "m.json", OutputError)
    Checkpoint(Address.of(folder / "c.json"), State)
    assert not list(folder.iterdir())


def test_the_target_of_a_link_is_looked_at(folder):
    (folder / "m.json").symlink_to(folder / "no" / "m.json")
    with pytest.raises(CheckpointError, match=r"There is no folder .*out/no for"):
        Checkpoint(Address.of(folder / "m.json"), State)


def test_a_model_whose_place_is_gone_is_written_elsewhere(folder):
    """A file system may be mounted anew for reading alone while a fit runs."""
    folder.rmdir()
    with pytest.raises(OutputError, match=r"There is no folder .*out.*is in (.*)\.$") as caught:
        save_new(MIXTURE, Address.of(folder / "m.json"), overwrite=False)
    kept = str(caught.value).rpartition(" is in ")[2].removesuffix(".")
    assert GaussianMixture.load(kept).means_.tolist() == MIXTURE.means_.tolist()
    assert [path.name for path in Path.cwd().iterdir()] == [Path(kept).name]


def test_a_model_that_finds_no_place_at_all(folder, monkeypatch):
    def read_only(descriptor):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("os.fsync", read_only)
    with pytest.raises(ModelFileError, match="The file system is read-only: mount it for writing"):
        save_new(MIXTURE, Address.of(folder / "m.json"), overwrite=False)
    assert not list(folder.iterdir())


def test_a_disk_that_is_full_in_one_place_alone(folder, monkeypatch):
    monkeypatch.setattr("os.fsync", filled_up_at("m.json"))
    with pytest.raises(OutputError, match=r"The disk is full.*The model of this run is in"):
        save_new(MIXTURE, Address.of(folder / "m.json"), overwrite=False)


def test_a_disk_that_becomes_read_only_under_predictions(folder, monkeypatch):
    """What an error of the disk leads to; the same call goes on when it is mended."""

    def read_only(path, content):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patch:
        patch.setattr("daskgmm.storage.address.replace_file", read_only)
        with pytest.raises(OutputError, match=r"p\.zarr cannot be written, as the file system is"):
            MIXTURE.predict_to_zarr(X, folder / "p.zarr")
    assert MIXTURE.predict_to_zarr(X, folder / "p.zarr").rows == len(X)


class ReadOnly(MemoryFileSystem):
    """Shows what is there and takes no file, as a bucket does with credentials to read alone."""

    protocol = "readonly"

    def _refuse(self, *args, **kwargs):
        raise PermissionError("Access Denied")

    pipe_file = put_file = rm_file = rm = _refuse


class AddOnly(MemoryFileSystem):
    """Takes files and lets none be removed."""

    protocol = "addonly"
    store: ClassVar = {}
    pseudo_dirs: ClassVar = [""]

    def rm_file(self, path):
        raise PermissionError("Access Denied")


fsspec.register_implementation("readonly", ReadOnly, clobber=True)
fsspec.register_implementation("addonly", AddOnly, clobber=True)


@pytest.mark.parametrize("kind", [kind for kind in WRITES if kind != "picture"])
def test_a_url_that_takes_no_file(kind, folder):
    url = f"readonly://bucket/{NAMES.get(kind, 'm.json')}"
    with pytest.raises(DaskGMMError) as caught:
        WRITES[kind](url)
    said = str(caught.value)
    assert f"No file can be written at {url}: PermissionError: Access Denied." in said
    assert "--storage-option" in said
    assert "choose another place" in said


@pytest.fixture
def web():
    """A server that sends no file and takes none."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("kind", ["checkpoint", "model", "Zarr", "Parquet"])
@pytest.mark.filterwarnings("ignore:Unclosed:ResourceWarning")
def test_a_web_server_takes_no_file(kind, folder, web):
    with pytest.raises(DaskGMMError, match=f"No file can be written at {web}/") as caught:
        WRITES[kind](f"{web}/{NAMES.get(kind, 'm.json')}")
    assert "choose another place" in str(caught.value)


def test_a_url_that_is_checked_stays_empty(folder):
    for url in ("memory://place/m.json", "memory://place/z.zarr/"):
        Address.of(url).check_place(OutputError)
    Checkpoint(Address.of("memory://place/c.json"), State)
    check_free(Address.of("memory://place/m.json"), overwrite=False)
    assert not Address.of("memory://place").names()


def test_a_store_whose_files_stay_is_no_store_that_takes_none(folder):
    address = Address.of("addonly://place/m.json")
    address.check_place(OutputError)
    (left,) = Address.of("addonly://place").names()
    assert left.startswith("m.json.")


def test_a_url_of_a_local_file_is_a_path(folder):
    with pytest.raises(CheckpointError, match="There is no folder"):
        Checkpoint(Address.of(f"file://{folder}/no/c.json"), State)
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        check_free(Address.of(f"file://{folder}/no/m.json"), overwrite=False)
