"""Read-ahead: the next blocks are read while the last ones are worked on."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from daskgmm.gaussian.block import Block

READ_BYTES = 1 << 20
"""Small blocks are fetched together up to this size: handing over one takes 0.1 ms."""


@contextmanager
def read_ahead(blocks: Iterator[Block]) -> Iterator[Iterator[Block]]:
    """Begin to read at once; in the context, yield an iterator over the same blocks.

    While the caller works on some, a thread of its own fetches what comes next. Of blocks
    larger than `READ_BYTES` two are alive at most: the one that was yielded, and the one that
    is fetched. An error of the iterator is raised instead of the blocks fetched with it.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="daskgmm-read") as reader:
        yield _follow(reader, blocks, reader.submit(_fetch, blocks))


def _follow(
    reader: ThreadPoolExecutor, blocks: Iterator[Block], coming: Future[list[Block]]
) -> Iterator[Block]:
    while fetched := coming.result():
        coming = reader.submit(_fetch, blocks)
        fetched.reverse()
        while fetched:
            yield fetched.pop()


def _fetch(blocks: Iterator[Block]) -> list[Block]:
    """Return the next blocks, at least one unless there is none."""
    fetched, nbytes = [], 0
    for block in blocks:
        fetched.append(block)
        nbytes += block.x.nbytes
        if nbytes >= READ_BYTES:
            break
    return fetched
