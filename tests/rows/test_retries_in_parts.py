"""A read of many chunks that fails is read again chunk by chunk, so that each has the retries."""

from dataclasses import replace

import numpy as np
import pytest
import zarr

from daskgmm.rows import retries
from daskgmm.rows.opening import as_rows
from daskgmm.rows.retries import retried_in_parts

ROWS = np.arange(640)[:, None]
CHUNK = 10


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(retries, "FIRST_WAIT", 0.0)


def store(share, seed=0):
    """Return a function that reads rows, and fails if one of their chunks does, as `share` do."""
    random, reads = np.random.default_rng(seed), []

    def read(start, stop):
        reads.append((start, stop))
        if (random.random(-(-stop // CHUNK) - start // CHUNK) < share).any():
            raise OSError("503 SlowDown")
        return ROWS[start:stop]

    read.reads = reads
    return read


@pytest.mark.parametrize(("start", "stop"), [(0, 640), (3, 637), (15, 16), (5, 25)])
def test_rows_of_a_store_that_fails_a_little(start, stop):
    """One read of 64 chunks in six hundred comes about."""
    read = store(0.1)
    np.testing.assert_array_equal(retried_in_parts(read, start, stop, CHUNK, 9), ROWS[start:stop])
    assert all(first % CHUNK == 0 for first, _ in read.reads if first != start)


def test_a_store_that_works_is_read_once():
    read = store(0.0)
    retried_in_parts(read, 0, 640, CHUNK, 3)
    assert read.reads == [(0, 640)]


def test_a_store_that_is_gone_is_given_up_at_the_first_chunk():
    read = store(1.0)
    with pytest.raises(OSError, match="SlowDown"):
        retried_in_parts(read, 0, 640, CHUNK, 3)
    assert read.reads == [(0, 640), *[(0, CHUNK)] * 3]


def test_without_retries_there_is_one_read():
    read = store(1.0)
    with pytest.raises(OSError, match="SlowDown"):
        retried_in_parts(read, 0, 640, CHUNK, 0)
    assert len(read.reads) == 1


def test_parts_are_chunks_of_the_store_also_where_numbers_are_packed(tmp_path):
    """Bytes of unpacked numbers are four times those stored, and a chunk was read in quarters."""
    attributes = {"scale_factor": 0.1}
    place = tmp_path / "x.zarr"
    zarr.create_array(place, data=np.ones((640, 2), "i2"), chunks=(CHUNK, 2), attributes=attributes)
    segment = as_rows(place).segment(0, 1)
    assert segment.chunk == CHUNK
    reads = []

    def failing(start, stop):
        reads.append((start, stop))
        if len(reads) == 1:
            raise OSError("503 SlowDown")
        return np.ones((stop - start, 2), "i2")

    (block,) = replace(segment, read=failing).stream(retries=3)
    assert reads[1:] == [(start, start + CHUNK) for start in range(0, 640, CHUNK)]
    np.testing.assert_array_equal(block, np.full((640, 2), 0.1))
