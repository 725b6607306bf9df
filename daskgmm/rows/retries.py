"""Retries of reads, as stores throttle, time out and fail over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, TypeVar

import dask

from daskgmm.errors import SourceError

Result = TypeVar("Result")

RETRIES = 3
"""Number of retries of a read, after 0.2, 0.4 and 0.8 s: stores that throttle or fail over need
so long."""

FIRST_WAIT = 0.2
"""Seconds before the first retry; doubled before each further one, up to `LONGEST_WAIT`."""

LONGEST_WAIT = 30.0


def configured_retries() -> int:
    """Return the number of retries: ``daskgmm.retries`` of Dask's configuration."""
    return int(dask.config.get("daskgmm.retries", RETRIES))


def retried(read: Callable[[], Result], retries: int) -> Result:
    """Return what `read` returns; call it again up to `retries` times if a store fails.

    Only an `OSError` (a `SourceError` is one) leads to a retry: wrong data stay wrong. One whose
    retries are used up inside `read` does not.
    """
    for attempt in range(retries):
        try:
            return read()
        except OSError as error:
            if isinstance(error, SourceError) and error.tried_again:
                raise
            time.sleep(min(FIRST_WAIT * 2**attempt, LONGEST_WAIT))
    try:
        return read()
    except SourceError as error:
        error.tried_again = retries > 0
        raise


def retried_stream(make: Callable[[], Iterator[Result]], retries: int) -> Iterator[Result]:
    """Yield the items of the iterator that `make` returns, each with retries as in `retried`.

    After an error `make` is called again and the items that were yielded are skipped, so that it
    must yield the same items each time.
    """
    items, done = make(), 0
    end = object()

    def following() -> Any:
        nonlocal items
        try:
            return next(items, end)
        except OSError:
            items = islice(make(), done, None)
            raise

    while (item := retried(following, retries)) is not end:
        done += 1
        yield item
