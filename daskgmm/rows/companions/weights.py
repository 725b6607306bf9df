"""Weights and labels of rows, in the same chunks."""

from __future__ import annotations

from typing import Any

from daskgmm.companions import WEIGHTS, Companions
from daskgmm.rows.rows import Rows
from daskgmm.rows.source import Source
from daskgmm.rows.sources import source_of


def weights_for(
    rows: Rows, sample_weight: Any, beside: Source | None = None, name: str = WEIGHTS
) -> Rows:
    """Return the weights of `rows` as blocks of one axis with the same `lengths`.

    A string is a column of `rows` if there is one of that name, else a path or URL, with the
    options of the source `beside`. A list goes with rows that are a list, element by element.
    Values are not checked here: NaN and negative weights are errors when they are read. Labels are
    taken in the same way: `name` is that of the argument.
    """
    options = None if beside is None else beside.options
    return source_of(sample_weight, options).weights(rows, name)


def split_companions(
    rows: Rows, given: Companions[Any], beside: Source | None = None
) -> tuple[Rows, Companions[Rows]]:
    """Return rows without the columns that go beside them, and all that does as rows."""
    found = given.map_named(lambda name, part: weights_for(rows, part, beside, name))
    left = rows
    for part in given:
        if isinstance(part, str) and part in rows.all_columns:
            left = left.without(part)
    return left, found
