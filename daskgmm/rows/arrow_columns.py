"""Columns of Arrow as numbers of NumPy: which types are numbers, and what becomes of nulls."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.errors import DataError, SourceError


def require(package: str) -> Any:
    """Import a module of pyarrow, or say how to get it.

    Raises
    ------
    SourceError
        If pyarrow is not installed.
    """
    from importlib import import_module

    try:
        return import_module(package)
    except ImportError as error:
        raise SourceError(
            f"Tables are read with pyarrow, which cannot be imported ({error}). Install it: "
            "pip install 'daskgmm[parquet]'"
        ) from error


def number_type(arrow_type: Any, *, nulls: bool) -> np.dtype[Any] | None:
    """Return the NumPy type of a column of that type; None if it holds no numbers.

    Nulls become NaN, so integers and booleans with nulls become float64; floats keep their
    type, and decimals are float64, as is the type null, which writers give a column of which
    they have seen no value.
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
    """Write an array of Arrow into `out`, of the type that `number_type` gave or a wider one.

    Raises
    ------
    DataError
        If there are nulls where none were announced.
    """
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
    out[:] = column.to_numpy(zero_copy_only=False)
