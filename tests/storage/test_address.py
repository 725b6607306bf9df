"""Files at paths and URLs: replaced in one step, sent to other processes, named in errors."""

import os
import pickle
import threading
import time

import pytest

from daskgmm.errors import ModelFileError, SourceError
from daskgmm.storage.address import Address


@pytest.mark.slow
def test_readers_see_whole_contents_while_two_write(tmp_path):
    path = tmp_path / "fit.ckpt"
    contents = [bytes([letter]) * 50_000 for letter in b"ab"]
    Address.of(path).replace(contents[0])

    def write(content):
        for _ in range(50):
            Address.of(path).replace(content)

    writers = [threading.Thread(target=write, args=(content,)) for content in contents]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert Address.of(path).read() in contents
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_writer_left_is_removed_later(tmp_path):
    path = tmp_path / "fit[1].ckpt"
    old, new, other = (
        tmp_path / name
        for name in (".fit[1].ckpt.0.partial", ".fit[1].ckpt.1.partial", ".fit1.ckpt.0.partial")
    )
    for left in (old, new, other):
        left.write_bytes(b"x")
    for left in (old, other):
        os.utime(left, (time.time() - 3600,) * 2)
    Address.of(path).replace(b"content")
    assert not old.exists()
    assert new.exists()
    assert other.exists()


def test_a_file_that_is_not_there(tmp_path):
    assert Address.of(tmp_path / "none").read() is None
    assert Address.of("memory://daskgmm-none").read() is None


def test_a_url():
    Address.of("memory://daskgmm-test/file").replace(b"content")
    assert Address.of("memory://daskgmm-test/file").read() == b"content"


@pytest.mark.parametrize("place", ["memory://daskgmm-test/head", "head"])
def test_the_head_of_a_file(place, tmp_path):
    path = place if "://" in place else tmp_path / place
    assert Address.of(path).read_head(2) is None
    for content in (b"", b"a", b"content"):
        Address.of(path).replace(content)
        assert Address.of(path).read_head(2) == content[:2]


def test_storage_options(tmp_path):
    """Those of the local file system: make the folder, or do not."""
    url = f"file://{tmp_path}/new/file"
    with pytest.raises(FileNotFoundError):
        Address.of(url, {"auto_mkdir": False}).replace(b"content")
    Address.of(url, {"auto_mkdir": True}).replace(b"content")
    assert Address.of(url, {"auto_mkdir": False}).read() == b"content"


SECRET = {"key": "hunter22", "client_kwargs": {"endpoint_url": "http://127.0.0.1:9"}}


@pytest.mark.parametrize("place", ["memory://daskgmm-test/folder", "folder"])
def test_a_folder(place, tmp_path):
    folder = Address.of(place if "://" in place else tmp_path / place)
    assert folder.names() == set()
    assert not folder.exists()
    if folder.path is not None:
        folder.path.mkdir()
    local = tmp_path / "local"
    local.write_bytes(b"content")
    folder.child("a").replace(b"a")
    folder.child("b").put(local)
    assert folder.names() == {"a", "b"}
    assert folder.child("b").read() == b"content"
    folder.child("a").remove()
    assert folder.names() == {"b"}
    folder.remove()
    assert not folder.exists()


@pytest.mark.parametrize(
    "url", ["s3://bucket/x", "data/x", "https://me:hunter22@host/x?k=hunter22"]
)
def test_no_text_of_an_address_has_a_secret(url):
    address = Address.of(url, SECRET)
    assert "hunter22" not in f"{address} {address!r} {[address.child('y')]}"


@pytest.mark.parametrize("url", ["memory://daskgmm-test/x", "simplecache::memory://x", "data/x"])
def test_options_travel_to_other_processes(url):
    address = Address.of(url, SECRET)
    copy = pickle.loads(pickle.dumps(address))
    assert copy == address
    assert copy.options == SECRET
    assert copy.is_url == ("://" in url)


@pytest.mark.parametrize(
    ("url", "path"),
    [("data/x", "data/x"), ("file:///data/x", "/data/x"), ("local:///data/x", "/data/x")],
)
def test_paths_on_this_machine(url, path):
    assert str(Address.of(url).path) == path
    assert Address.of(f"simplecache::{Address.of(path).path}://x").path is None


def failed(error):
    address = Address.of("s3://bucket/x", SECRET)
    with (
        pytest.raises(Exception) as caught,  # noqa: PT011 - of several kinds
        address.explain(SourceError, f"{address} cannot be opened", "Check the address."),
    ):
        raise error
    return caught.value


def test_errors_of_libraries_are_explained():
    cause = OSError("no route to host\nand more")
    error = failed(cause)
    assert str(error) == (
        "s3://bucket/x cannot be opened: OSError: no route to host and more. Check the address."
    )
    assert type(error) is SourceError
    assert error.__cause__ is cause


def test_explained_errors_repeat_no_option():
    error = failed(PermissionError("the key hunter22 is unknown."))
    assert "PermissionError: the key *** is unknown. Check" in str(error)
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_a_missing_package_is_to_be_installed():
    assert str(failed(ImportError("no s3fs"))).endswith("no s3fs. Install that package.")


@pytest.mark.parametrize("error", [ModelFileError("it is torn"), MemoryError("no more")])
def test_errors_of_daskgmm_and_of_memory_stay(error):
    assert failed(error) is error
