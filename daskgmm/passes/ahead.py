"""Read-ahead: the next block is read while the last one is worked on."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")

END = object()


def read_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """Yield the items; while the caller has one, a thread of its own fetches the next.

    Two items are alive at most: the one that was yielded, and the one that is fetched. An
    error of the iterator is raised where its item would have come.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="daskgmm-read") as reader:
        coming = reader.submit(next, items, END)
        while (item := coming.result()) is not END:
            coming = reader.submit(next, items, END)
            yield item  # type: ignore[misc]
            del item
