"""The columns of Parquet files that are features, and the lengths of the lists in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from functools import partial

import numpy as np

from daskgmm.errors import DataError
from daskgmm.rows.checks.naming import check_among
from daskgmm.rows.parquet.footers import Footer, check_stored_alike
from daskgmm.rows.parquet.segment import Piece, Query, read_groups, row_of_file
from daskgmm.rows.tables.arrow_columns import odd_list, odd_list_message
from daskgmm.rows.tables.features import FeatureColumn, check_length, columns_of


def feature_columns(footers: Sequence[Footer], names: Sequence[str]) -> tuple[FeatureColumn, ...]:
    """Return the columns that hold features, which are named as columns or elements of lists."""
    first = footers[0]
    lists = {name for name, column in first.columns.items() if column.values is not None}
    wanted = columns_of(names, first.columns, lists, str(first.address))
    for footer in footers:
        check_among(tuple(wanted), tuple(footer.columns), str(footer.address))
    check_stored_alike(footers, wanted)
    _check_lists(footers, lists, wanted)
    return tuple(
        FeatureColumn(name, _length(footers, name, count) if name in lists else None)
        for name, count in wanted.items()
    )


def _length(footers: Sequence[Footer], name: str, named: int | None) -> int:
    """Return the length of all lists of a column; read values to name the row of an odd one."""
    length = _usual_length(footers, name)
    for footer in footers:
        for group, (rows, stored) in enumerate(_counts(footer, name)):
            if rows and stored != rows * (length or 0):
                _refuse_odd_list(footer, group, name, length)
    length = length or named
    if length is None:
        raise DataError(
            f"{footers[0].address} has no rows, so nothing says how many numbers the lists of "
            f"column {name!r} have; leave the column out."
        )
    check_length(name, length, named, str(footers[0].address))
    return length


def _usual_length(footers: Sequence[Footer], name: str) -> int | None:
    """Return the length of lists by the type of the column, or that of most rows by footers.

    Nulls and empty lists are stored as one value, so length 1 is the last choice.
    """
    for footer in footers:
        if length := footer.columns[name].length:
            return length
    lengths: Counter[int] = Counter()
    for footer in footers:
        for rows, stored in _counts(footer, name):
            if rows and stored % rows == 0:
                lengths[stored // rows] += rows
    longer = (length for length, _ in lengths.most_common() if length > 1)
    return next(longer, 1 if lengths else None)


def _counts(footer: Footer, name: str) -> Iterator[tuple[int, int]]:
    """Yield the numbers of rows and of stored values of a column of lists, by row group."""
    return zip(footer.rows, footer.columns[name].values or (), strict=False)


def _check_lists(footers: Sequence[Footer], lists: Container[str], names: Iterable[str]) -> None:
    """Raise `DataError` if a column holds lists in one file and numbers in another."""
    for name in names:
        for footer in footers:
            column = footer.columns[name]
            if sum(footer.rows) and (column.values is not None) != (name in lists):
                raise DataError(
                    f"Column {name!r} is {footers[0].columns[name].kind} in "
                    f"{footers[0].address} and {column.kind} in {footer.address}; give "
                    "files that agree, or leave the column out."
                )


def _refuse_odd_list(footer: Footer, group: int, name: str, length: int | None) -> None:
    """Find the row whose list has another length than others, and raise `DataError`."""
    piece = Piece(footer.address, group, (footer.rows[group],), footer.version, footer.constants)
    query = Query((), np.dtype(np.float64), carried=(name,))
    row = sum(footer.rows[:group])
    for batch in read_groups(piece, query, lambda group, block, batch: batch):
        lists = getattr(batch.column(name), "storage", batch.column(name))
        if length is None:
            length = next((len(value) for value in lists if value.is_valid), None)
        if (odd := odd_list(lists, length or 0)) is not None:
            place = partial(row_of_file, footer.address, row)
            raise DataError(odd_list_message(lists, odd, length or 0, name, place))
        row += batch.num_rows
