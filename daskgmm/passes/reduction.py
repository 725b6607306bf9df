"""Reduction of partial results in an order that depends on their number alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from daskgmm.errors import DataError

Result = TypeVar("Result")

FAN_IN = 8
"""Number of results that one task on a cluster merges: a power of two, so that groups of groups
form the same sums as the binary tree."""


def reduce_in_order(results: Iterable[Result], merge: Callable[[Result, Result], Result]) -> Result:
    """Merge results of consecutive batches in a binary tree over their indices.

    The sums depend on the number of results alone. At most log2(batches) partial results are in
    memory.
    """
    levels: list[tuple[int, Result]] = []
    for result in results:
        level, merged = 0, result
        while levels and levels[-1][0] == level:
            merged = merge(levels.pop()[1], merged)
            level += 1
        levels.append((level, merged))
    if not levels:
        raise DataError("X has no rows, and a pass needs some. Give at least one row.")
    total = levels.pop()[1]
    while levels:
        total = merge(levels.pop()[1], total)
    return total


def groups_of(items: Sequence[Result]) -> Iterator[Sequence[Result]]:
    """Yield consecutive items in groups of `FAN_IN`; the last may be smaller."""
    for first in range(0, len(items), FAN_IN):
        yield items[first : first + FAN_IN]


def in_order(results: Iterable[tuple[int, Result]]) -> Iterator[Result]:
    """Yield results in the order of their indices, each as soon as all before it have arrived."""
    early: dict[int, Result] = {}
    due = 0
    for index, result in results:
        early[index] = result
        while due in early:
            yield early.pop(due)
            due += 1
