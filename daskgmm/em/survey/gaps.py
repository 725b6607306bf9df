"""Columns that hold missing values, and in how many rows, for messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.counting import counted
from daskgmm.gaussian.block import Block
from daskgmm.passes.batches import Batch
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.over_batches import map_batches
from daskgmm.passes.transform import IDENTITY

NAMED_COLUMNS = 8
"""Most columns that a message names."""


def gaps_in_words(missing: NDArray[np.int64], columns: Sequence[str] | None) -> str:
    """Return which columns miss values, and in how many rows, those of most rows first.

    Parameters
    ----------
    missing : ndarray of shape (d,)
        Rows that miss the value of each column.
    columns : sequence of str or None
        Their names.
    """
    order = [int(place) for place in np.argsort(-missing, kind="stable") if missing[place]]
    found = [
        f"{name_of(place, columns)}: {counted(int(missing[place]), 'row')}"
        for place in order[:NAMED_COLUMNS]
    ]
    more = len(order) - len(found)
    return ", ".join([*found, *([f"and {counted(more, 'column')} more"] if more else [])])


def name_of(place: int, columns: Sequence[str] | None) -> str:
    """Return a column by its number, and by its name if it has one."""
    return f"column {place}" if columns is None else f"column {place} ({columns[place]!r})"


def missing_by_column(data: Dataset) -> NDArray[np.int64]:
    """Return the rows that miss the value of each column (d,), in a pass of its own."""
    counts: Any = map_batches(replace(data, transform=IDENTITY), _missing, name="daskgmm_gaps")
    found: NDArray[np.int64] = sum(counts, np.zeros(data.rows.n_features, np.int64))
    return found


def _missing(batch: Batch, blocks: Iterator[Block]) -> Any:
    return sum(np.isnan(block.x).sum(axis=0, dtype=np.int64) for block in blocks)
