"""Read-ahead: every block once, in order, few at a time, while others are worked on."""

import threading
import time
import weakref

import numpy as np
import pytest

from daskgmm.gaussian.block import Block
from daskgmm.passes.read_ahead import READ_BYTES, read_ahead

LARGE = READ_BYTES // 8


def blocks(count, entries=LARGE, seconds=0.0):
    for number in range(count):
        time.sleep(seconds)
        yield Block(np.full((entries, 1), float(number)))


@pytest.mark.parametrize("count", [0, 1, 2, 7])
@pytest.mark.parametrize("entries", [1, LARGE // 3, LARGE])
def test_blocks_come_once_and_in_order(count, entries):
    with read_ahead(blocks(count, entries)) as ahead:
        found = [int(block.x[0, 0]) for block in ahead]
    assert found == list(range(count))


def test_reading_and_working_overlap():
    began = time.perf_counter()
    with read_ahead(blocks(10, seconds=0.05)) as ahead:
        for _ in ahead:
            time.sleep(0.05)
    assert time.perf_counter() - began < 0.05 * 14  # one after the other it would be 20


def test_two_large_blocks_are_alive_at_most():
    held, most = [], []

    def watched():
        for block in blocks(20):
            held.append(weakref.ref(block.x))
            most.append(sum(each() is not None for each in held))
            yield block
            del block

    with read_ahead(watched()) as ahead:
        for block in ahead:
            time.sleep(0.002)
            del block
    assert len(held) == 20
    # The one that is fetched, the one at work, and no more.
    assert max(most) == 2


def test_an_error_comes_where_its_block_would_have():
    def failing():
        yield from blocks(3)
        raise OSError("the disk is full of cheese")

    found = []
    with read_ahead(failing()) as ahead, pytest.raises(OSError, match="cheese"):
        found.extend(int(block.x[0, 0]) for block in ahead)
    assert found == [0, 1, 2]


def test_who_stops_early_leaves_no_thread():
    before = threading.active_count()
    with read_ahead(blocks(10)) as ahead:
        next(ahead)
    assert threading.active_count() == before
