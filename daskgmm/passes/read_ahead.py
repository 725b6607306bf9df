"""Read-ahead: a thread reads the next blocks during the arithmetic on the last ones."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from daskgmm.gaussian.block import Block

READ_BYTES = 1 << 20
"""Bytes up to which small blocks are read together: the hand-over of one takes 0.1 ms."""


@contextmanager
def read_ahead(blocks: Iterator[Block]) -> Iterator[Iterator[Block]]:
    """Start to read at once; in the context, yield an iterator over the same blocks.

    At most two blocks larger than `READ_BYTES` are alive: the one last yielded and the one being
    read. An error of the iterator is raised instead of the blocks read together with it.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="daskgmm-read") as reader:
        yield _follow(reader, blocks, reader.submit(_read, blocks))


def _follow(
    reader: ThreadPoolExecutor, blocks: Iterator[Block], coming: Future[list[Block]]
) -> Iterator[Block]:
    while group := coming.result():
        coming = reader.submit(_read, blocks)
        group.reverse()
        while group:
            yield group.pop()


def _read(blocks: Iterator[Block]) -> list[Block]:
    """Return the next blocks; an empty list at the end."""
    group, nbytes = [], 0
    for block in blocks:
        group.append(block)
        nbytes += block.x.nbytes
        if nbytes >= READ_BYTES:
            break
    return group
