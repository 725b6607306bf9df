"""Blocks of rows, each with what goes beside its rows."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from numpy.typing import NDArray

from daskgmm.companions import Companions, entry_of
from daskgmm.errors import DataError
from daskgmm.gaussian.block import Block
from daskgmm.rows.compositions.recutting import Recut


def paired(
    blocks: Iterator[NDArray[Any]], beside: Companions[Iterator[NDArray[Any]]]
) -> Iterator[Block]:
    """Pair blocks of rows with as many entries of companions; the borders of blocks may differ."""
    streams = beside.map(Recut)
    for x in blocks:
        m = len(x)
        of_rows = streams.map(partial(Recut.take, m=m))
        for argument, part in of_rows.named():
            if len(part) < m:
                raise _wrong_number(argument, "fewer")
        yield Block(x, of_rows)
    for argument, stream in streams.named():
        if stream.holds_more():
            raise _wrong_number(argument, "more")


def _wrong_number(argument: str, than: str) -> DataError:
    return DataError(
        f"{argument} has {than} entries than there are rows. Give one {entry_of(argument)} for "
        "each row."
    )
