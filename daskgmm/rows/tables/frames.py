"""Arrays of data frames of Dask and Polars, and of tables of Arrow; checks of those of pandas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.companions import WEIGHTS
from daskgmm.errors import DataError
from daskgmm.rows.checks.naming import check_among, check_numbers
from daskgmm.rows.checks.refusals import package_of
from daskgmm.rows.tables.arrow_columns import fill, fill_lists, fixed_length, list_type, number_type
from daskgmm.rows.tables.features import FeatureColumn, check_length, columns_of
from daskgmm.rows.tables.pandas_columns import column_type, converted_type, partition_array
from daskgmm.rows.tables.requiring import require
from daskgmm.rows.tables.text_columns import word_of

Names = tuple[str, ...] | None

ARROW_TABLES = ("Table", "RecordBatch")

POLARS_FRAMES = ("DataFrame", "LazyFrame")

COLUMNAR = frozenset({"pandas", "polars", "pyarrow", "xarray"})
"""Packages whose objects of one axis are columns."""

SELECTIONS = ("Projection", "Filter", "ToFrame")
"""Expressions of Dask data frames that keep the types of columns."""

LISTS = (list, tuple, np.ndarray)
"""Types of the values in a column of lists of pandas."""

PROBED_ROWS = 1000
"""Number of first rows of a frame that are searched for lists."""


def is_dask_frame(x: Any) -> bool:
    """Return whether x is a data frame or series of Dask, without importing it."""
    kind = type(x)  # a Delayed has every attribute
    return hasattr(kind, "to_dask_array") and hasattr(kind, "map_partitions")


def is_polars_frame(x: Any) -> bool:
    """Return whether x is a data frame of Polars, lazy or not, without importing it."""
    return package_of(x) == "polars" and type(x).__name__ in POLARS_FRAMES


def is_series(x: Any) -> bool:
    """Return whether x is a column or a labelled array of one axis, and no plain array."""
    packages = {kind.__module__.partition(".")[0] for kind in type(x).__mro__}
    axes = getattr(x, "ndim", 1 if hasattr(x, "__len__") else 0)
    return axes == 1 and not packages.isdisjoint(COLUMNAR)


def is_pandas_frame(x: Any) -> bool:
    """Return whether x is a data frame of pandas or a subclass, without importing it."""
    return any(
        kind.__module__.split(".")[0] == "pandas" and kind.__name__ == "DataFrame"
        for kind in type(x).__mro__
    )


def is_arrow_table(x: Any) -> bool:
    """Return whether x is a table or record batch of Arrow, without importing it."""
    return package_of(x) == "pyarrow" and type(x).__name__ in ARROW_TABLES


def check_pandas(x: Any) -> None:
    """Raise `DataError` if a column of a frame of pandas holds no numbers; it names the column.

    Objects and text that are written numbers pass, as scikit-learn converts them.
    """
    _refuse_lists(_lists_of_pandas(x))
    kinds = {
        str(name): (column_type(dtype) or converted_type(x.iloc[:, index]), str(dtype))
        for index, (name, dtype) in enumerate(zip(x.columns, x.dtypes, strict=True))
    }
    check_numbers(kinds, "X", "X.drop(columns=[{others}])")


def check_arrow(x: Any) -> None:
    """Raise `DataError` if a column of a table of Arrow holds no numbers; it names the column."""
    _refuse_lists(field.name for field in x.schema if list_type(field.type) is not None)
    types = {
        field.name: (number_type(field.type, nulls=False), str(field.type)) for field in x.schema
    }
    check_numbers(types, "X", "X.drop_columns([{others}])")


def _refuse_lists(names: Iterator[Any]) -> None:
    """Raise `DataError` for the first of the names of columns of lists, if any."""
    name = next(names, None)
    if name is not None:
        raise DataError(
            f"Column {name!r} of X holds lists. Give their numbers as a matrix, "
            f"numpy.stack(X[{name!r}]), beside other columns with numpy.column_stack; the columns "
            f"of Polars frames and of Parquet files, open_parquet(path, columns=[{name!r}]), may "
            "hold lists."
        )


def _lists_of_pandas(x: Any) -> Iterator[Any]:
    for place, (name, dtype) in enumerate(zip(x.columns, x.dtypes, strict=True)):
        values = x.iloc[:PROBED_ROWS, place] if dtype.kind == "O" else ()
        lists = list_type(getattr(dtype, "pyarrow_dtype", None))
        if lists is not None or any(isinstance(value, LISTS) for value in values):
            yield name


def frame_array(frame: Any, columns: Sequence[str] | None = None) -> tuple[Any, Names]:
    """Return a data frame of Dask as a lazy array of unknown length, and its columns' names.

    Missing values are NaN. All columns are one array, as arrays of single columns may differ in
    chunks: Dask reads several files as one partition where few of their columns are needed.
    """
    if frame.ndim != 2:
        raise DataError(
            "X is a Dask series, which has one axis; select a frame: frame[['a', 'b']], or "
            "series.to_frame()."
        )
    if columns is not None:
        check_among(columns, list(frame.columns), "X")
        frame = frame[list(columns)]
    names = tuple(frame.columns)
    dtype = partition_dtype(frame)
    meta = np.empty((0, len(names)), dtype)
    array = frame.map_partitions(partial(partition_array, dtype=dtype, names=names), meta=meta)
    return array, names if all(isinstance(name, str) for name in names) else None


def check_no_texts(series: Any) -> None:
    """Raise `DataError` for labels in a series of Dask that holds no numbers.

    Their distinct values are not known before all partitions are computed, and a column read by
    itself may come in other partitions than the rest of its frame.
    """
    if column_type(series.dtype) is None:
        name = str(series.name)
        if getattr(series.dtype, "kind", "") in "mM":
            raise DataError(
                f"labels is the column {name!r}, which holds {word_of(str(series.dtype))} "
                f"({series.dtype}), and a label is a whole number. Name a column of such labels."
            )
        raise DataError(
            f"labels is the column {name!r} of a data frame of Dask, and holds {series.dtype}; in "
            "these frames it holds numbers, as texts are not known before all partitions are read. "
            f"Fit to codes, known = frame[{name!r}].astype('category').cat.as_known() and "
            f"frame.assign({name}=known.cat.codes): known.cat.categories names them, and -1 is a "
            "missing one. Or write the frame with to_parquet and give the path, where texts are "
            "read."
        )


def series_array(series: Any, name: str = WEIGHTS) -> Any:
    """Return a series of Dask as a lazy array with one axis."""
    if series.ndim != 1:
        raise DataError(
            f"{name} is a Dask data frame; give one column of it, or its name if X has it."
        )
    array, _ = frame_array(series.to_frame())
    return array[:, 0]


def frame_dtype(frame: Any) -> np.dtype[Any]:
    """Return the type of a pandas frame as an array."""
    _refuse_lists(_lists_of_pandas(frame))
    kinds = {
        str(name): (column_type(dtype), str(dtype))
        for name, dtype in zip(frame.columns, frame.dtypes, strict=True)
    }
    check_numbers(kinds, "X", "X.drop(columns=[{others}])")
    dtypes = [dtype for dtype, _ in kinds.values() if dtype is not None]
    return np.result_type(*dtypes) if dtypes else np.dtype(np.float64)


def partition_dtype(frame: Any) -> np.dtype[Any]:
    """Return the type of all partitions of a data frame of Dask as arrays.

    Integers and booleans are float64 unless the frame is a part of one of pandas: a partition that
    misses some has floats, as after a left join, or where one file has nulls and the first none.
    """
    dtype = frame_dtype(frame._meta)
    made = frame.expr
    while type(made).__name__ in SELECTIONS:
        made = made.frame
    known = type(made).__name__ == "FromPandas" or dtype.kind == "f"
    return dtype if known else np.dtype(np.float64)


LONGER = ("Int128", "UInt128")
"""Types of Polars that Arrow has not."""


def check_collected(frame: Any) -> None:
    """Raise `TypeError` for a lazy frame of Polars, `DataError` for types that Arrow has not."""
    if type(frame).__name__ == "LazyFrame":
        raise TypeError(
            "X is a lazy frame of Polars, which has no rows yet: collect() it, or where it is "
            "larger than memory, sink_parquet(path) and give the path."
        )
    longer = [name for name, kind in frame.schema.items() if str(kind) in LONGER]
    if longer:
        raise DataError(
            f"Column {longer[0]!r} of X holds integers of 128 bits, which float64 rounds. Leave it "
            f"out, X.drop({longer!r}), or where it is a quantity subtract the first one and cast "
            f"it: X.with_columns(polars.col({longer!r}).cast(polars.Float64))."
        )


def polars_array(
    frame: Any, columns: Sequence[str] | None = None
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Return a data frame of Polars as an array of shape (n, d), and its columns' names."""
    check_collected(frame)
    require("pyarrow")
    names = frame.columns if columns is None else columns
    schema = frame.head(0).to_arrow().schema
    lists = {field.name for field in schema if list_type(field.type) is not None}
    wanted = columns_of(names, frame.columns, lists, "X")
    check_among(tuple(wanted), frame.columns, "X")
    table = frame.select(list(wanted)).to_arrow()
    features = tuple(
        FeatureColumn(name, _list_length(table[name], name, named) if name in lists else None)
        for name, named in wanted.items()
    )
    return _of_table(table, features), tuple(
        name for column in features for name in column.features
    )


def arrow_array(
    x: Any, columns: Sequence[str] | None = None
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Return a table or batch of Arrow as an array of shape (n, d), and its columns' names."""
    names = tuple(x.schema.names if columns is None else columns)
    check_among(names, x.schema.names, "X")
    chosen = x.select(list(names))
    check_arrow(chosen)
    table = require("pyarrow").table(dict(zip(names, chosen.columns, strict=True)))
    return _of_table(table, [FeatureColumn(name, None) for name in names]), names


def _list_length(column: Any, name: str, named: int | None) -> int:
    """Return the length of the first list with elements, or else that of the type or the names."""
    length = fixed_length(list_type(column.type)) or named
    length = next((len(value) for value in column if value.is_valid and len(value)), length)
    if not length:
        raise DataError(
            f"Nothing says how many numbers the lists of column {name!r} of X have: there are none."
        )
    check_length(name, length, named, "X")
    return length


def _of_table(table: Any, features: Sequence[FeatureColumn]) -> NDArray[Any]:
    """Return a table of Arrow as an array of shape (n, d); nulls become NaN."""
    if not features:
        raise DataError("X has no columns; give at least one.")
    kinds = {
        name: (_numbers_of(column), str(column.type))
        for name, column in zip(table.column_names, table.columns, strict=True)
    }
    check_numbers(kinds, "X", "X.drop([{others}])")
    dtype = np.result_type(*(dtype for dtype, _ in kinds.values() if dtype is not None))
    block = np.empty((sum(feature.width for feature in features), table.num_rows), dtype).T
    first = 0
    for feature, column in zip(features, table.columns, strict=True):
        start, stop = 0, first + feature.width
        for part in column.chunks:
            out = block[start : start + len(part), first:stop]
            if feature.length is None:
                fill(out[:, 0], part, feature.name)
            else:
                fill_lists(out, part, feature.name, partial(_row_of_x, start))
            start += len(part)
        first = stop
    return block


def _numbers_of(column: Any) -> np.dtype[Any] | None:
    """Return the type of the numbers in a column of Arrow, or in its lists."""
    lists = list_type(column.type)
    if lists is None:
        return number_type(column.type, nulls=column.null_count > 0)
    nulls = any(part.flatten().null_count for part in column.chunks)
    return number_type(lists.value_type, nulls=nulls)


def _row_of_x(first: int, row: int) -> str:
    return f"row {first + row} of X"
