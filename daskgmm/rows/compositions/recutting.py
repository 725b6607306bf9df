"""Streams of blocks that are cut anew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Recut:
    """A stream of blocks of which any number of entries may be taken next."""

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
