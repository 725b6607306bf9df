"""Files that are replaced in one step."""

import os
import threading
import time

import pytest

from daskgmm.storage.address import Address


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
