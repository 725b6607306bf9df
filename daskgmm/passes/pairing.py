"""Blocks of rows, each with the weights of its rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.errors import DataError
from daskgmm.gaussian.block import Block


def paired(
    blocks: Iterator[NDArray[Any]], weights: Iterator[NDArray[Any]] | None
) -> Iterator[Block]:
    """Pair blocks of rows with as many weights; the borders of their blocks may differ."""
    if weights is None:
        for x in blocks:
            yield Block(x, None)
        return
    rest: NDArray[Any] = np.empty(0)
    for x in blocks:
        parts = [rest]
        while sum(map(len, parts)) < len(x):
            try:
                parts.append(next(weights))
            except StopIteration:
                raise DataError(
                    "sample_weight has fewer entries than there are rows. "
                    "Give one weight for each row."
                ) from None
        joined = parts[-1] if not len(rest) and len(parts) == 2 else np.concatenate(parts)
        yield Block(x, joined[: len(x)])
        rest = joined[len(x) :]
    if len(rest) or any(len(more) for more in weights):
        raise DataError(
            "sample_weight has more entries than there are rows. Give one weight for each row."
        )
