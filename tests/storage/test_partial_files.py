"""Files that are written aside: whose writer was killed are removed, others are left."""

import fcntl
import os
import time

import pytest

from daskgmm.storage.local import ABANDONED_SECONDS, BEGUN_SECONDS, replace_file

ASIDE = ".fit.ckpt.0.partial"


@pytest.mark.parametrize(
    ("age", "locked", "left"),
    [
        (0.0, False, True),  # it may be about to be locked
        (2 * BEGUN_SECONDS, False, False),
        (2 * BEGUN_SECONDS, True, True),
        (2 * ABANDONED_SECONDS, True, True),  # of a process that is stopped
    ],
)
def test_a_file_of_another_writer(tmp_path, age, locked, left):
    path = tmp_path / ASIDE
    path.write_bytes(b"half")
    written = time.time() - age
    os.utime(path, (written, written))
    with path.open("rb") as file:
        if locked:
            fcntl.flock(file, fcntl.LOCK_EX)
        replace_file(tmp_path / "fit.ckpt", b"whole")
    assert path.exists() == left
    assert (tmp_path / "fit.ckpt").read_bytes() == b"whole"


def test_the_clock_of_this_machine_tells_no_age(tmp_path, monkeypatch):
    """A disk of the network has its own, and this one may jump."""
    monkeypatch.setattr("time.time", lambda: 4e9)
    monkeypatch.setattr("daskgmm.storage.local.fcntl", None)  # no locks: age alone tells
    (tmp_path / ASIDE).write_bytes(b"half")
    replace_file(tmp_path / "fit.ckpt", b"whole")
    assert (tmp_path / ASIDE).exists()
