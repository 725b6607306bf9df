"""Predictions for data frames of Dask: lazy, partition by partition, with their index."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from daskgmm.errors import DataError
from daskgmm.models.prediction import Kind, Predictor, result_type
from daskgmm.passes.executor import check_lazy
from daskgmm.rows.frames import partition_dtype
from daskgmm.rows.layout import check_rows
from daskgmm.rows.naming import check_among
from daskgmm.rows.pandas_columns import partition_array

NAMES: dict[Kind, str] = {"labels": "component", "log_densities": "log_density"}
"""What the series are called."""


def predict_frame(
    predictor: Predictor, kind: Kind, frame: Any, columns: Sequence[str] | None
) -> Any:
    """Return predictions as a lazy series, or for responsibilities a frame, with the same index.

    Parameters
    ----------
    columns : sequence of str or None
        The features, by name; None to take the columns as they come.

    Raises
    ------
    DataError
        If a column is missing or holds no numbers, or there is another number of columns.
    """
    check_lazy(frame)
    if frame.ndim == 2 and columns is not None:
        check_among(columns, list(frame.columns), "X")
        frame = frame[list(columns)]
    # The number of rows is a computation of its own.
    check_rows((np.nan, *frame.shape[1:]), np.dtype(np.float64))
    dtype, expected = partition_dtype(frame), predictor.n_columns
    if len(frame.columns) != expected:
        raise DataError(
            f"X has {len(frame.columns)} features, but the mixture is expecting {expected} "
            "features as input."
        )
    label = partial(predict_partition, predictor, kind, dtype, tuple(frame.columns))
    return frame.map_partitions(label, meta=_labelled(kind, _nothing(predictor, kind, dtype)))


def predict_partition(
    predictor: Predictor, kind: Kind, dtype: np.dtype[Any], names: tuple[Any, ...], frame: Any
) -> Any:
    """Return the predictions of a pandas frame as a series or frame with its index."""

    def place(row: int) -> str:
        return f"row {row} of a partition (index {frame.index[row]})"

    found = predictor(kind, partition_array(frame, dtype, names), place)
    return _labelled(kind, found, frame.index)


def _nothing(predictor: Predictor, kind: Kind, dtype: np.dtype[Any]) -> Any:
    if kind == "labels":
        return np.empty(0, np.int64)
    k = predictor.parameters.n_components
    return np.empty((0, k) if kind == "responsibilities" else 0, result_type(dtype))


def _labelled(kind: Kind, found: Any, index: Any = None) -> Any:
    import pandas as pd

    if kind != "responsibilities":
        return pd.Series(found, index, name=NAMES[kind])
    names = [f"component_{component}" for component in range(found.shape[1])]
    return pd.DataFrame(found, index, names)
