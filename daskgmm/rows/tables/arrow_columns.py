"""Conversion of columns of Arrow, with lists and nulls, to arrays of NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.errors import DataError
from daskgmm.rows.tables.exact_cast import write_exactly
from daskgmm.rows.tables.requiring import require


def number_type(arrow_type: Any, *, nulls: bool) -> np.dtype[Any] | None:
    """Return the NumPy type of a column of that type; None if it holds no numbers.

    Nulls become NaN, so integers and booleans with nulls become float64; floats keep their type.
    Decimals are float64, and so is the type null, which writers give to a column without values.
    """
    types = require("pyarrow").types
    if types.is_decimal(arrow_type) or types.is_null(arrow_type):
        return np.dtype(np.float64)
    if not (
        types.is_floating(arrow_type)
        or types.is_integer(arrow_type)
        or types.is_boolean(arrow_type)
    ):
        return None
    dtype = np.dtype(arrow_type.to_pandas_dtype())
    return np.dtype(np.float64) if nulls and dtype.kind != "f" else dtype


def fill(out: NDArray[Any], column: Any, name: str) -> None:
    """Write an array of Arrow into `out`, of the type that `number_type` gave or a wider one."""
    pyarrow = require("pyarrow")
    types, kind = pyarrow.types, column.type
    floating = types.is_floating(kind)
    if column.null_count and out.dtype.kind != "f":
        raise DataError(
            f"Column {name!r} holds nulls, but the statistics stored with it say that there are "
            "none. Write the table again."
        )
    if types.is_decimal(kind) or types.is_null(kind) or (column.null_count and not floating):
        column = column.cast(pyarrow.float64(), safe=False)
    if not write_exactly(out, column.to_numpy(zero_copy_only=False)):
        raise DataError(
            f"Column {name!r} holds {kind} values that do not fit {out.dtype}, the type that was "
            "found when it was opened. Open it again."
        )


def list_type(arrow_type: Any) -> Any:
    """Return the type of lists that a column of that type holds; None if it holds none.

    Tensors of one shape are stored as lists.
    """
    if arrow_type is None:
        return None
    types = require("pyarrow").types
    stored = getattr(arrow_type, "storage_type", arrow_type)
    if types.is_list(stored) or types.is_large_list(stored) or types.is_fixed_size_list(stored):
        return stored
    return None


def fixed_length(lists: Any) -> int | None:
    """Return the length of all lists of a type; None if the type does not have it."""
    fixed = require("pyarrow").types.is_fixed_size_list(lists)
    return int(lists.list_size) if fixed else None


def fill_lists(out: NDArray[Any], column: Any, name: str, where: Callable[[int], str]) -> None:
    """Write an array of lists of Arrow into `out`, a list in each row of shape (length,).

    Nulls in a list become NaN.
    """
    lists = getattr(column, "storage", column)
    if not len(lists):
        return
    if (row := odd_list(lists, out.shape[1])) is not None:
        raise DataError(odd_list_message(lists, row, out.shape[1], name, where))
    values = np.empty(out.size, out.dtype)
    fill(values, lists.flatten(), name)
    out[:] = values.reshape(out.shape)


def odd_list(lists: Any, length: int) -> int | None:
    """Return the first row that holds no list of that length, or None if all do."""
    lengths = require("pyarrow.compute").list_value_length(lists).fill_null(-1)
    odd = np.flatnonzero(lengths.to_numpy(zero_copy_only=False) != length)
    return int(odd[0]) if len(odd) else None


def odd_list_message(
    lists: Any, row: int, length: int, name: str, where: Callable[[int], str]
) -> str:
    """Return the message for a row without a list of the length of the others."""
    value = lists[row]
    what = f"a list of {len(value)}" if value.is_valid else "a null"
    return (
        f"Column {name!r} holds {what} in {where(row)}, and lists of {length} numbers elsewhere. "
        "Lists become a feature for each of their numbers, so all need the same length: leave out "
        "such rows, or fill them, and write the table again."
    )
