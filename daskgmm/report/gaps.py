"""Values that rows miss, counted by column: one read, a chunk at a time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from daskgmm.counting import counted
from daskgmm.errors import DataError, SourceError
from daskgmm.passes.task import Progress
from daskgmm.rows.csv.table import MOST_BYTES
from daskgmm.rows.rows import Rows
from daskgmm.rows.source import Source
from daskgmm.rows.sources import source_of

GAPS = "rows without a value; see --missing drop and --missing marginalise"
"""What stands above the columns that have gaps."""

LISTED_VARIABLES = 100
"""Largest number of variables or columns that are listed."""

NOT_COUNTED = ("gaps", "not counted, as data this large are not read; --gaps counts them")


def gaps_of(rows: Rows, progress: Progress | None = None) -> dict[str, int]:
    """Return the number of values that are NaN, by column; columns without names have numbers.

    Parameters
    ----------
    rows : Rows
        Each chunk is read once.
    progress : callable, optional
        Called with the number of chunks done and their total.
    """
    found, total = np.zeros(rows.n_features, np.int64), len(rows.lengths)
    for chunk in range(total):
        for block in rows.segment(chunk, chunk + 1).stream():
            found += np.isnan(block).sum(axis=0)
        if progress is not None:
            progress(chunk + 1, total)
    names = rows.columns or [f"column {place}" for place in range(rows.n_features)]
    return dict(zip(names, found.tolist(), strict=True))


def gaps_in(source: Source, asked: bool, progress: Progress | None = None) -> list[tuple[str, str]]:
    """Return lines on the gaps of arrays; of large ones and of URLs only if they are asked for.

    There are none of data that need more to be said before they are rows.
    """
    try:
        rows = source_of(source.open(), source.options).rows()
    except (DataError, SourceError):
        return []
    if rows.dtype.kind != "f" or rows.n_rows is None or not rows.n_rows:
        return []
    nbytes = rows.n_rows * rows.n_features * rows.dtype.itemsize
    if not asked and (nbytes > MOST_BYTES or source.address.is_url):
        return [NOT_COUNTED]
    return told(gaps_of(rows, progress), rows.n_rows) or [("gaps", "none")]


def told(nulls: Mapping[str, int], rows: int) -> list[tuple[str, str]]:
    """Return a line for each column that has gaps, with the rows that miss its value."""
    gaps = [(name, count) for name, count in nulls.items() if count]
    if not gaps:
        return []
    lines = [(f"  {name}", f"{counted(n, 'row')} ({n / rows:.2%})") for name, n in gaps]
    more = len(lines) - LISTED_VARIABLES
    rest = [("  ...", f"and {counted(more, 'column')} more")] if more > 0 else []
    return [("gaps in", GAPS), *lines[:LISTED_VARIABLES], *rest]
