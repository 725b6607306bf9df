"""Predictions for data frames of Dask: lazy, partition by partition, with their index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from daskgmm.errors import DataError
from daskgmm.models.predictions.forms.in_memory import (
    Names,
    apart,
    nothing_of,
    outputs_of,
    predict_values,
)
from daskgmm.models.predictions.output import Output
from daskgmm.models.predictions.place import Place
from daskgmm.models.predictions.prediction import Predictor
from daskgmm.passes.batches import UNKNOWN_CHUNK_SPAN
from daskgmm.passes.executors.executor import check_lazy
from daskgmm.rows.checks.layout import check_rows
from daskgmm.rows.checks.naming import check_among
from daskgmm.rows.tables.frames import partition_dtype
from daskgmm.rows.tables.pandas_columns import partition_array

LABELS = "component"
"""What the series of labels is called; others are called as the output."""


def predict_frame(
    predictor: Predictor, names: Names, frame: Any, columns: Sequence[str] | None
) -> tuple[Any, ...]:
    """Return outputs as lazy series, or frames of those with columns, with the same index."""
    check_lazy(frame)
    if frame.ndim == 2 and columns is not None:
        check_among(columns, list(frame.columns), "X")
        frame = frame[list(columns)]
    # The number of rows is a computation of its own.
    check_rows((np.nan, *frame.shape[1:]), np.dtype(np.float64))
    dtype, expected = partition_dtype(frame), predictor.width
    if len(frame.columns) != expected:
        raise DataError(
            f"X has {len(frame.columns)} features, but the mixture is expecting {expected} "
            "features as input."
        )
    outputs, nothing = outputs_of(predictor, names, dtype), nothing_of(predictor, names, dtype)
    predict = partial(predict_partition, predictor, names, dtype, tuple(frame.columns))
    beside = () if predictor.seed is None else (_numbers(frame.npartitions),)
    together = frame.map_partitions(
        predict, *beside, meta=_framed(outputs, nothing), align_dataframes=False
    )
    if len(names) == 1:
        return (together,)
    return tuple(together[_columns(each)] for each in outputs)


def predict_partition(
    predictor: Predictor,
    names: Names,
    dtype: np.dtype[Any],
    columns: tuple[Any, ...],
    frame: Any,
    number: Any = (0,),
) -> Any:
    """Return outputs of a pandas frame as a series, or as a frame of all, with its index.

    `number` is a series of one value, that of the partition.
    """

    def say(row: int) -> str:
        return f"row {row} of a partition (index {frame.index[row]})"

    place = Place(say, partial(np.add, int(np.asarray(number)[0]) * UNKNOWN_CHUNK_SPAN))
    found = predict_values(predictor, names, partition_array(frame, dtype, columns), place)
    return _framed(outputs_of(predictor, names, dtype), found, frame.index)


def _numbers(count: int) -> Any:
    """Return the numbers of partitions, one in each.

    Of a partition that is computed alone, the `partition_info` of Dask says that it is the first.
    """
    import dask.dataframe as dd

    return dd.from_map(_number, range(count), meta=_number(0))


def _number(partition: int) -> Any:
    import pandas as pd

    return pd.Series([partition])


def _framed(outputs: Sequence[Output], found: Any, index: Any = None) -> Any:
    import pandas as pd

    if len(outputs) == 1 and found.ndim == 1:
        return pd.Series(found, index, name=_columns(outputs[0]))
    columns: dict[Any, Any] = {}
    names = tuple(each.name for each in outputs)
    for each, values in zip(outputs, apart(found, names), strict=True):
        called = _columns(each)
        columns |= (
            {called: values} if values.ndim == 1 else dict(zip(called, values.T, strict=True))
        )
    return pd.DataFrame(columns, index)


def _columns(output: Output) -> Any:
    """Return what the column of an output is called, or the list of its columns."""
    if not output.classes and output.name in ("label", "posterior"):
        output = replace(output, name=LABELS)
    return output.columns if output.dims else output.columns[0]
