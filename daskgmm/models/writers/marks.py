"""Knowing rows again: digests of those that batches begin with, taken as they are read."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from daskgmm.gaussian.block import Block
from daskgmm.models.writers.tally import Tally
from daskgmm.passes.batches import Batch
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.over_batches import map_batches
from daskgmm.passes.task import Task

MARKED_ROWS = 1024
"""Rows that a digest is made of."""

COMPARED = 3
"""Batches of an interrupted run of which a block is read again, to know the data again."""


def marked(blocks: Iterator[Block]) -> tuple[str, Iterator[Block]]:
    """Return a digest of the first rows, and all the blocks."""
    before: list[Block] = []
    for block in blocks:
        before.append(block)
        if len(block.x):
            break
    rows = (np.ascontiguousarray(block.x[:MARKED_ROWS]).tobytes() for block in before)
    return hashlib.sha256(b"".join(rows)).hexdigest()[:16], itertools.chain(before, blocks)


def first_mark(batch: Batch, blocks: Iterator[Block]) -> str:
    """Return the digest of a batch and read no further."""
    return marked(blocks)[0]


def same_values(
    data: Dataset, tally: Tally, tasks_of: Callable[[Dataset], list[Task[Any]] | None]
) -> bool:
    """Return whether some batches that are done begin as they did when they were."""
    done = sorted(tally.done)
    if not done:
        return True
    some = {done[i] for i in np.linspace(0, len(done) - 1, COMPARED).astype(int)}
    probe = tuple(batch for batch in data.batches if batch.index in some)
    some_of = replace(data, batches=probe)
    found = map_batches(some_of, first_mark, None, "daskgmm_compare", tasks_of(some_of))
    pairs = zip(probe, found, strict=True)
    return all(tally.marks.get(batch.index) == mark for batch, mark in pairs)
