"""Weights of rows, in the same chunks."""

from __future__ import annotations

from typing import Any

from daskgmm.rows.rows import Rows
from daskgmm.rows.source import Source
from daskgmm.rows.sources import source_of


def weights_for(rows: Rows, sample_weight: Any, beside: Source | None = None) -> Rows:
    """Return the weights of `rows` as blocks of one axis with the same `lengths`.

    A string is a column of `rows` if there is one of that name, else a path or URL, with the
    options of the source `beside`. A list goes with rows that are a list, element by element.
    Values are not checked here: NaN and negative weights are errors when they are read.
    """
    return source_of(sample_weight, None if beside is None else beside.options).weights(rows)


def split_weights(
    rows: Rows, sample_weight: Any, beside: Source | None = None
) -> tuple[Rows, Rows]:
    """Return the rows, without the column that is the weights, and `weights_for` them."""
    weights = weights_for(rows, sample_weight, beside)
    if isinstance(sample_weight, str) and sample_weight in rows.all_columns:
        return rows.without(sample_weight), weights
    return rows, weights
