"""Reads that are tried again: stores throttle, time out and fail over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, TypeVar

import dask

from daskgmm.errors import SourceError

Result = TypeVar("Result")

RETRIES = 3
"""Times that a read is tried again: with waits of 0.2, 0.4 and 0.8 s, what a store that
throttles or fails over needs."""

FIRST_WAIT = 0.2
"""Seconds before the second try; doubled for each one after it, up to `LONGEST_WAIT`."""

LONGEST_WAIT = 30.0


def configured_retries() -> int:
    """Return how often a read is tried again: ``daskgmm.retries`` of Dask's configuration."""
    return int(dask.config.get("daskgmm.retries", RETRIES))


def retried(read: Callable[[], Result], retries: int) -> Result:
    """Return what `read` returns; call it again up to `retries` times if a store fails.

    Only `OSError` (`daskgmm.errors.SourceError` is one) is tried again: what is wrong with
    the data themselves stays wrong. Nor is what was tried so often inside of `read` already.
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
    """Yield what the iterator that `make` returns does, each item tried again as in `retried`.

    An iterator that has failed is made anew, and what it yielded before is passed over: so it
    must yield the same each time.
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
