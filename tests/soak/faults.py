"""What goes wrong around a driver: its store, its clock, its disk."""

import asyncio
import os
import random
import time
from contextlib import contextmanager

from zarr.storage import WrapperStore

THROTTLED, SHORT, WRONG, SLOW = "throttled", "short reads", "wrong bytes", "slow tails"

RATES = {THROTTLED: 0.001, SHORT: 0.0005, WRONG: 0.0005, SLOW: 0.002}
"""Shares of the reads of chunks, of which 30 are one read of rows, with three retries."""

TAIL_SECONDS = 0.3

RANDOM = random.Random()
"""Of each process its own: processes of one seed would fail together."""
os.register_at_fork(after_in_child=RANDOM.seed)


class FaultyStore(WrapperStore):
    """A store whose reads of chunks fail now and then, at most one way at once."""

    async def get(self, key, prototype, byte_range=None):
        found = await super().get(key, prototype, byte_range)
        if "c/" not in key or found is None:
            return found
        fault = drawn(RATES)
        if fault == THROTTLED:
            raise OSError("503 SlowDown: reduce your request rate")
        if fault == SLOW:
            await asyncio.sleep(RANDOM.expovariate(1 / TAIL_SECONDS))
        content = found.to_bytes()
        if fault == SHORT:
            content = content[: len(content) // 2]
        elif fault == WRONG:
            place = RANDOM.randrange(len(content))
            content = content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :]
        return prototype.buffer.from_bytes(content)


def drawn(rates):
    """Return one of the names by its rate, or None."""
    at = RANDOM.random()
    for name, rate in rates.items():
        if at < rate:
            return name
        at -= rate
    return None


@contextmanager
def clock_that_jumps():
    """Set the time of day back and forth by up to a day, as a virtual machine's may be."""
    true, ahead = time.time, [0.0]

    def jumping():
        if RANDOM.random() < 0.05:
            ahead[0] = RANDOM.uniform(-86400.0, 86400.0)
        return true() + ahead[0]

    time.time = jumping
    try:
        yield
    finally:
        time.time = true


@contextmanager
def refusing_disk(number):
    """Refuse a part of what this process flushes to the disk, with an error of this number."""
    flush = os.fsync

    def refusing(file):
        if RANDOM.random() < 0.3:
            raise OSError(number, os.strerror(number))
        flush(file)

    os.fsync = refusing
    try:
        yield
    finally:
        os.fsync = flush
