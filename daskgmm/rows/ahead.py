"""Reads ahead of stores that answer late: several at once, bounded in bytes for a process."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import TypeVar

import dask
from dask.utils import parse_bytes

Result = TypeVar("Result")

READ_AHEAD = "daskgmm.read-ahead"
"""Name in Dask's configuration of the bytes that reads ahead may take in a process."""

AHEAD_BYTES = 128 << 20
"""Bytes by default: 64 MiB of rows, more than a line of 1 GB/s brings in 50 ms."""

FETCHED_BYTES = 4 << 20
"""Decoded bytes of a read of several small blocks, whose chunks Zarr fetches concurrently."""

COPIES = 2
"""Memory of a read under way, in multiples of its decoded bytes: as stored, and decoded. One that
ended takes them once: tasks whose turn has not come keep such, and others need bytes under way."""

MOST_THREADS = 64
"""Reads of a task under way at once: small ones would be a thousand."""


def configured_ahead() -> int:
    """Return the bytes that reads ahead may take in a process; 0 for one read at a time."""
    return int(parse_bytes(dask.config.get(READ_AHEAD, AHEAD_BYTES)))


class Budget:
    """Bytes that all reads ahead of a process have taken together."""

    def __init__(self) -> None:
        self._lock, self.taken = Lock(), 0

    def take(self, nbytes: int, limit: int) -> bool:
        """Take bytes, unless that were more than `limit` in all; return whether they are taken."""
        with self._lock:
            if self.taken + nbytes > limit:
                return False
            self.taken += nbytes
            return True

    def give_back(self, nbytes: int) -> None:
        """Give bytes back."""
        with self._lock:
            self.taken -= nbytes


BUDGET = Budget()


def fetched(
    reads: Iterable[Callable[[], Result]], nbytes: int, limit: int, budget: Budget = BUDGET
) -> Generator[Result]:
    """Call functions that read, as many at once as the budget has bytes for; yield in their order.

    Where it has none, a function is called when its result is due: a task never waits for another.

    Parameters
    ----------
    reads : iterable of callable
    nbytes : int
        Decoded bytes of the result of each.
    limit : int
        Bytes that reads ahead may take in this process.
    budget : Budget
    """
    cost, left = COPIES * nbytes, iter(reads)
    if cost > limit:
        for read in left:
            yield read()
        return
    waiting: deque[Future[Result]] = deque()
    threads = min(limit // cost, MOST_THREADS)
    with ThreadPoolExecutor(threads, thread_name_prefix="daskgmm-fetch") as pool:
        try:
            while True:
                while len(waiting) < COPIES * threads and budget.take(cost, limit):
                    if (coming := next(left, None)) is None:
                        budget.give_back(cost)
                        break
                    waiting.append(pool.submit(_decoded, coming, nbytes, budget))
                if waiting:
                    yield _first(waiting, nbytes, budget)
                elif (coming := next(left, None)) is not None:
                    yield coming()
                else:
                    return
        finally:
            pool.shutdown(cancel_futures=True)
            budget.give_back(sum(cost if each.cancelled() else nbytes for each in waiting))


def _decoded(read: Callable[[], Result], nbytes: int, budget: Budget) -> Result:
    """Return what was read; it takes its own bytes from now on, and no longer those as stored."""
    try:
        return read()
    finally:
        budget.give_back((COPIES - 1) * nbytes)


def _first(waiting: deque[Future[Result]], nbytes: int, budget: Budget) -> Result:
    """Return the next result; from now on it is the caller's."""
    try:
        return waiting.popleft().result()
    finally:
        budget.give_back(nbytes)
