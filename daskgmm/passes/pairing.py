"""Blocks of rows, each with what goes beside its rows."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.companions import Companions, entry_of
from daskgmm.errors import DataError
from daskgmm.gaussian.block import Block


def paired(
    blocks: Iterator[NDArray[Any]], beside: Companions[Iterator[NDArray[Any]]]
) -> Iterator[Block]:
    """Pair blocks of rows with as many entries of companions; the borders of blocks may differ."""
    streams = beside.map(_Recut)
    for x in blocks:
        m = len(x)
        of_rows = streams.map(partial(_Recut.take, m=m))
        for argument, part in of_rows.named():
            if len(part) < m:
                raise _wrong_number(argument, "fewer")
        yield Block(x, of_rows)
    for argument, stream in streams.named():
        if stream.holds_more():
            raise _wrong_number(argument, "more")


class _Recut:
    """A stream of blocks that are cut anew."""

    def __init__(self, blocks: Iterator[NDArray[Any]]) -> None:
        self._blocks = blocks
        self._rest: NDArray[Any] = np.empty(0)

    def take(self, m: int) -> NDArray[Any]:
        """Return the next m entries, or those that are left."""
        parts, held = [self._rest], len(self._rest)
        while held < m and (block := next(self._blocks, None)) is not None:
            parts.append(block)
            held += len(block)
        given = [part for part in parts if len(part)] or parts[:1]
        joined = given[0] if len(given) == 1 else np.concatenate(given)
        self._rest = joined[m:]
        return joined[:m]

    def holds_more(self) -> bool:
        """Return whether entries are left."""
        return len(self._rest) > 0 or any(len(more) for more in self._blocks)


def _wrong_number(argument: str, than: str) -> DataError:
    return DataError(
        f"{argument} has {than} entries than there are rows. Give one {entry_of(argument)} for "
        "each row."
    )
