"""Predictions for data frames of Dask: lazy, partition by partition, with their index."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from daskgmm.errors import DataError
from daskgmm.models.predictions.in_memory import output_of, predict_values
from daskgmm.models.predictions.prediction import Predictor
from daskgmm.passes.executors.executor import check_lazy
from daskgmm.rows.layout import check_rows
from daskgmm.rows.naming import check_among
from daskgmm.rows.tables.frames import partition_dtype
from daskgmm.rows.tables.pandas_columns import partition_array

LABELS = "component"
"""What the series of labels is called; others are called as the output."""


def predict_frame(
    predictor: Predictor, name: str, frame: Any, columns: Sequence[str] | None
) -> Any:
    """Return predictions as a lazy series, or for posteriors a frame, with the same index."""
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
    output = output_of(predictor, name, dtype)
    nothing = np.empty((0, *output.shape), output.dtype)
    label = partial(predict_partition, predictor, name, dtype, tuple(frame.columns))
    return frame.map_partitions(label, meta=_labelled(name, nothing))


def predict_partition(
    predictor: Predictor, name: str, dtype: np.dtype[Any], names: tuple[Any, ...], frame: Any
) -> Any:
    """Return the predictions of a pandas frame as a series or frame with its index."""

    def place(row: int) -> str:
        return f"row {row} of a partition (index {frame.index[row]})"

    found = predict_values(predictor, name, partition_array(frame, dtype, names), place)
    return _labelled(name, found, frame.index)


def _labelled(name: str, found: Any, index: Any = None) -> Any:
    import pandas as pd

    if found.ndim == 1:
        return pd.Series(found, index, name=LABELS if name == "label" else name)
    names = [f"component_{component}" for component in range(found.shape[1])]
    return pd.DataFrame(found, index, names)
