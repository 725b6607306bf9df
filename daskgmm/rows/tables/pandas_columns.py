"""Conversion of columns of pandas to arrays of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.errors import DataError
from daskgmm.rows.tables.exact_cast import write_exactly


def column_type(dtype: Any) -> np.dtype[Any] | None:
    """Return the NumPy type of a pandas column; None if it holds no numbers."""
    plain = isinstance(dtype, np.dtype)
    # Intervals have a subtype too, and are no numbers.
    sparse = dtype.subtype if type(dtype).__name__ == "SparseDtype" else None
    stored = dtype if plain else getattr(dtype, "numpy_dtype", sparse)
    if not isinstance(stored, np.dtype) or stored.kind not in "biuf":
        return None
    return stored if plain or stored.kind == "f" else np.dtype(np.float64)


def _may_be_numbers(dtype: Any) -> bool:
    """Return whether values decide about a type: objects, text, Arrow's null and decimals."""
    if isinstance(dtype, np.dtype):
        return dtype.kind == "O"
    return type(dtype).__name__ == "StringDtype" or str(dtype).startswith(("null", "decimal"))


def converted_type(column: Any) -> np.dtype[Any] | None:
    """Return the type of a column of objects or text as numbers; None if it holds others."""
    if not _may_be_numbers(column.dtype):
        return None
    try:
        column.to_numpy(dtype=object, na_value=np.nan).astype(np.float64)
    except (TypeError, ValueError):
        return None
    return np.dtype(np.float64)


def partition_array(
    frame: Any, dtype: np.dtype[Any], names: Sequence[Any] | None = None
) -> NDArray[Any]:
    """Return a pandas frame as an array of shape (m, d); missing values become NaN.

    The columns lie one after another in memory, as in pandas and in a tile.
    """
    if names is not None:
        frame = _in_order(frame, list(names))
    block = np.empty((frame.shape[1], len(frame)), dtype).T
    for index in range(frame.shape[1]):
        _write(block[:, index], frame.iloc[:, index])
    return block


def _in_order(frame: Any, names: list[Any]) -> Any:
    """Return a partition with its columns in that order; one column may have any name."""
    columns = list(frame.columns)
    if columns == names or len(names) == len(columns) == 1:
        return frame
    if len(set(columns)) != len(columns) or set(columns) != set(names):
        raise DataError(
            f"A partition of the data frame has the columns {columns}, where the frame says "
            f"{names}. Make the partitions with these columns, or give the frame the right meta."
        )
    return frame[names]


def _write(out: NDArray[Any], column: Any) -> None:
    if not len(column):
        # The type of a partition without rows is a guess of its writer.
        return
    dtype = column_type(column.dtype)
    if dtype is None:
        dtype = converted_type(column)
        if dtype is None:
            raise DataError(
                f"Column {column.name!r} of a partition of the data frame is of type "
                f"{column.dtype} and holds what is not a number, where the frame says that there "
                "are numbers. Convert it, or give the frame the right meta."
            )
        values = column.to_numpy(dtype=object, na_value=np.nan).astype(dtype)
    elif isinstance(column.dtype, np.dtype):
        values = column.to_numpy()
    else:
        values = column.to_numpy(dtype=dtype, na_value=np.nan)
    if not write_exactly(out, values):
        raise DataError(
            f"Column {column.name!r} of a partition of the data frame holds {column.dtype} values "
            f"that do not fit {out.dtype}, the type of all columns by what the frame says of them. "
            f"Give it a type that does: frame.astype({{{column.name!r}: 'float64'}})."
        )
