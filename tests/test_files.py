"""Files that are replaced in one step."""

import os
import threading
import time

import pytest

from daskgmm.files import read_bytes, read_head, replace_bytes


def test_readers_see_whole_contents_while_two_write(tmp_path):
    path = tmp_path / "fit.ckpt"
    contents = [bytes([letter]) * 50_000 for letter in b"ab"]
    replace_bytes(path, contents[0])

    def write(content):
        for _ in range(50):
            replace_bytes(path, content)

    writers = [threading.Thread(target=write, args=(content,)) for content in contents]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert read_bytes(path) in contents
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
    replace_bytes(path, b"content")
    assert not old.exists()
    assert new.exists()
    assert other.exists()


def test_a_file_that_is_not_there(tmp_path):
    assert read_bytes(tmp_path / "none") is None
    assert read_bytes("memory://daskgmm-none") is None


def test_a_url():
    replace_bytes("memory://daskgmm-test/file", b"content")
    assert read_bytes("memory://daskgmm-test/file") == b"content"


@pytest.mark.parametrize("place", ["memory://daskgmm-test/head", "head"])
def test_the_head_of_a_file(place, tmp_path):
    path = place if "://" in place else tmp_path / place
    assert read_head(path, 2) is None
    for content in (b"", b"a", b"content"):
        replace_bytes(path, content)
        assert read_head(path, 2) == content[:2]


def test_storage_options(tmp_path):
    """Those of the local file system: make the folder, or do not."""
    url = f"file://{tmp_path}/new/file"
    with pytest.raises(FileNotFoundError):
        replace_bytes(url, b"content", {"auto_mkdir": False})
    replace_bytes(url, b"content", storage_options={"auto_mkdir": True})
    assert read_bytes(url, storage_options={"auto_mkdir": False}) == b"content"
