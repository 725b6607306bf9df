"""Values that rows miss, and infinite ones, counted by column: one read, a chunk at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import dask.array as da
import numpy as np
import zarr

from daskgmm.counting import counted
from daskgmm.errors import DataError, SourceError
from daskgmm.passes.task import Progress
from daskgmm.rows.csv.table import MOST_BYTES
from daskgmm.rows.kinds.parquet import ParquetFiles
from daskgmm.rows.opening import as_rows
from daskgmm.rows.parquet.footers import Footer, null_counts
from daskgmm.rows.parquet.rows import ParquetRows
from daskgmm.rows.rows import Rows
from daskgmm.rows.source import Source
from daskgmm.rows.sources import source_of
from daskgmm.rows.tables.requiring import require

STAY = "rows without a value: these gaps stay"
"""What stands above columns whose gaps were filled, where a row had no value to tell them by."""

GAPS = "rows without a value; see --missing drop and --missing marginalise"
"""What stands above the columns that have gaps."""

LISTED_VARIABLES = 100
"""Largest number of variables or columns that are listed."""

TOO_LARGE = "not counted, as data this large are not read; --gaps counts them"

NOT_COUNTED = ("gaps", TOO_LARGE)

NAN_NOT_COUNTED = ("NaN", TOO_LARGE)
"""What is said of floats in Parquet, beside their nulls."""


@dataclass(frozen=True, slots=True)
class Gaps:
    """What is said of gaps, and columns that cannot be fitted for what they hold.

    Attributes
    ----------
    lines : list of (str, str)
    without : tuple of str
        Columns without any value.
    infinite : dict of int
        Rows with an infinite value, by column.
    """

    lines: list[tuple[str, str]] = field(default_factory=list)
    without: tuple[str, ...] = ()
    infinite: dict[str, int] = field(default_factory=dict)

    @property
    def unfit(self) -> dict[str, str]:
        """Why columns cannot be fitted, by their name."""
        found = dict.fromkeys(self.without, "no value in any row")
        return found | {
            name: f"infinite in {counted(n, 'row')}" for name, n in self.infinite.items()
        }

    @classmethod
    def of(
        cls,
        missing: Mapping[str, int],
        infinite: Mapping[str, int],
        rows: int,
        *more: tuple[str, str],
    ) -> Gaps:
        """Return what is said of columns that miss a value in so many rows of all."""
        without = tuple(name for name, count in missing.items() if rows and count == rows)
        known = {name: count for name, count in infinite.items() if count}
        return cls([*told(missing, rows), *more], without, known)


def gaps_of(
    rows: Rows, progress: Progress | None = None, names: Sequence[str] | None = None
) -> tuple[dict[str, int], dict[str, int]]:
    """Return the numbers of values that are NaN, and infinite, by column.

    Columns without names have numbers.

    Parameters
    ----------
    rows : Rows
        Each chunk is read once.
    progress : callable, optional
        Called with the number of chunks done and their total.
    names : sequence of str, optional
        Of the columns; by default those of the rows.
    """
    found, total = np.zeros((2, rows.n_features), np.int64), len(rows.lengths)
    for chunk in range(total):
        for block in rows.segment(chunk, chunk + 1).stream():
            found += np.isnan(block).sum(axis=0), np.isinf(block).sum(axis=0)
        if progress is not None:
            progress(chunk + 1, total)
    names = names or rows.columns or [f"column {place}" for place in range(rows.n_features)]
    missing, infinite = (dict(zip(names, each, strict=True)) for each in found.tolist())
    return missing, infinite


def gaps_in(source: Source, asked: bool, progress: Progress | None = None) -> Gaps:
    """Return what is said of the gaps of arrays.

    Large ones and those at URLs are read only if that is asked for. There are none of data that
    need more to be said before they are rows.
    """
    try:
        rows = source_of(source.open(), source.options).rows()
    except (DataError, SourceError):
        return Gaps()
    return _counted(source, rows, asked, progress)


def gaps_in_points(
    source: Source,
    array: zarr.Array[Any],
    names: Sequence[str],
    asked: bool,
    progress: Progress | None = None,
) -> Gaps:
    """Return what is said of the gaps of an array whose last axis has features of these names."""
    lazy = da.from_zarr(array)
    points = lazy.rechunk({-1: -1}).reshape(-1, lazy.shape[-1])
    return _counted(source, as_rows(points), asked, progress, names)


def _counted(
    source: Source,
    rows: Rows,
    asked: bool,
    progress: Progress | None,
    names: Sequence[str] | None = None,
) -> Gaps:
    """Count the gaps of rows, unless they are dear and that is not asked for."""
    if rows.dtype.kind != "f" or rows.n_rows is None or not rows.n_rows:
        return Gaps()
    if not asked and _is_dear(source, rows):
        return Gaps([NOT_COUNTED])
    found = Gaps.of(*gaps_of(rows, progress, names), rows.n_rows)
    return found if found.lines else replace(found, lines=[("gaps", "none")])


def gaps_in_files(files: ParquetFiles, asked: bool, progress: Progress | None = None) -> Gaps:
    """Return what is said of the gaps of Parquet files: nulls by the footers, and NaN by a read.

    Footers count no NaN, which engines other than pandas write beside nulls. Large files and those
    behind URLs are read only if that is asked for.
    """
    nulls, names = null_counts(files.footers), files.footers[0].features
    n_rows = sum(sum(footer.rows) for footer in files.footers)
    unknown = [name for name in names if _may_hold_more(files.footers, name, nulls)]
    if not unknown or not n_rows:
        return Gaps.of(nulls, {}, n_rows)
    try:
        rows = ParquetRows(files.footers, unknown)
    except DataError:  # of types that differ between the files
        return Gaps.of(nulls, {}, n_rows)
    if not asked and _is_dear(files, rows):
        return Gaps.of(nulls, {}, n_rows, NAN_NOT_COUNTED)
    missing, infinite = gaps_of(rows, progress)
    counts = nulls | missing
    return Gaps.of({name: counts[name] for name in names if name in counts}, infinite, n_rows)


def _may_hold_more(footers: Sequence[Footer], name: str, nulls: Mapping[str, int]) -> bool:
    """Return whether a column of numbers may have gaps that the footers do not count."""
    if any(name not in footer.columns or name in footer.constants for footer in footers):
        return False
    kinds = [footer.columns[name] for footer in footers]
    types = [each.dtype for each in kinds if each.dtype is not None and each.values is None]
    counted_all = name in nulls and all(dtype.kind != "f" for dtype in types)
    return len(types) == len(footers) and not counted_all


def _is_dear(source: Source, rows: Rows) -> bool:
    """Return whether rows of known number are too many to be read by the way."""
    nbytes = (rows.n_rows or 0) * rows.n_features * rows.dtype.itemsize
    return nbytes > MOST_BYTES or source.address.is_url


def missing_in(column: Any) -> int:
    """Return the number of values of a column of Arrow that are null or NaN."""
    compute = require("pyarrow.compute")
    return int(compute.sum(compute.is_null(column, nan_is_null=True)).as_py() or 0)


def infinite_in(column: Any) -> int:
    """Return the number of infinite values of a column of Arrow."""
    if not require("pyarrow").types.is_floating(column.type):
        return 0
    compute = require("pyarrow.compute")
    return int(compute.sum(compute.is_inf(column)).as_py() or 0)


def told(nulls: Mapping[str, int], rows: int) -> list[tuple[str, str]]:
    """Return a line for each column that has gaps, with the rows that miss its value."""
    gaps = [(name, count) for name, count in nulls.items() if count]
    if not gaps:
        return []
    lines = [(f"  {name}", f"{counted(n, 'row')} ({n / rows:.2%})") for name, n in gaps]
    more = len(lines) - LISTED_VARIABLES
    rest = [("  ...", f"and {counted(more, 'column')} more")] if more > 0 else []
    return [("gaps in", GAPS), *lines[:LISTED_VARIABLES], *rest]
