"""Retries of reads, as stores throttle, time out and fail over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice, pairwise
from typing import Any, TypeVar

import dask
import numpy as np
from numpy.typing import NDArray

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


def retried(read: Callable[[], Result], retries: int, tried: int = 0) -> Result:
    """Return what `read` returns; call it again up to `retries` times if a store fails.

    So often it was `tried` before. Only an `OSError` (a `SourceError` is one) leads to a retry:
    wrong data stay wrong. One whose retries are used up inside `read` does not.
    """
    for attempt in range(tried, retries):
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


def retried_in_parts(
    read: Callable[[int, int], NDArray[Any]], start: int, stop: int, chunk: int, retries: int
) -> NDArray[Any]:
    """Return what `read` returns for the rows `start` to `stop`, each chunk with these retries.

    A read of many chunks fails if one of them does, so that a store that fails a little would use
    up the retries of the whole. After a first failure each chunk is read by itself.

    Parameters
    ----------
    read : callable
    start, stop : int
    chunk : int
        Rows of a chunk of the store.
    retries : int
    """
    inner = range(start - start % chunk + chunk, stop, chunk)
    if retries == 0 or not inner:
        return retried(partial(read, start, stop), retries)
    try:
        return read(start, stop)
    except OSError as error:
        if isinstance(error, SourceError) and error.tried_again:
            raise
    time.sleep(FIRST_WAIT)
    bounds = (start, *inner, stop)
    return np.concatenate(
        [retried(partial(read, *part), retries, tried=1) for part in pairwise(bounds)]
    )


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
