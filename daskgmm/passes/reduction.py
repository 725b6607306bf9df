"""Partial results into one, in an order that depends on their number alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

Result = TypeVar("Result")


def reduce_in_order(results: Iterable[Result], merge: Callable[[Result, Result], Result]) -> Result:
    """Merge results of consecutive batches in a binary tree over their indices.

    Whoever computed them, and in whatever order they arrived, the same sums are formed.
    At most log2(batches) partial results are held.

    Raises
    ------
    ValueError
        If there are no results.
    """
    levels: list[tuple[int, Result]] = []
    for result in results:
        level, merged = 0, result
        while levels and levels[-1][0] == level:
            merged = merge(levels.pop()[1], merged)
            level += 1
        levels.append((level, merged))
    if not levels:
        raise ValueError("There are no batches to reduce.")
    total = levels.pop()[1]
    while levels:
        total = merge(levels.pop()[1], total)
    return total
