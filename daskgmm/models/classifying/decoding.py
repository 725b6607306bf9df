"""Classes in place of their numbers, in the form that predictions have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from daskgmm.models.classifying.class_outputs import LABEL, about_labels, no_class

Values = NDArray[Any]


def decoded(numbers: Any, classes: Values) -> Any:
    """Return classes in place of their numbers, of NumPy, Dask or xarray; lazily what is lazy.

    A number of -1, of a row that misses a value, is `no_class`, or None among names.
    """
    table = _table(classes)
    if hasattr(numbers, "dims"):
        named = numbers.copy(data=decoded(numbers.data, classes)).rename(LABEL)
        named.attrs = about_labels(classes.tolist())
        return named
    if hasattr(numbers, "map_partitions"):
        meta = pd.Series(table[:0], name=LABEL)
        return numbers.map_partitions(_of_series, table, meta=meta)
    if hasattr(numbers, "map_blocks"):
        return numbers.map_blocks(_of_block, table, dtype=table.dtype)
    return _of_block(numbers, table)


def _table(classes: Values) -> Values:
    """Return the classes, and last what stands for none."""
    if classes.dtype.kind in "iu":
        # No integer type holds all of uint64 and -1, but labels are below 2**53.
        signed = np.result_type(classes.dtype, np.int8) if classes.dtype != np.uint64 else np.int64
        return np.append(classes.astype(signed), np.array([no_class(classes)], signed))
    return np.append(classes.astype(object), np.array([None], object))


def _of_block(numbers: NDArray[Any], table: Values) -> Values:
    if not len(numbers) or table.dtype.kind != "O":
        return np.asarray(table[numbers])
    found = table[numbers]
    known = table[:-1]
    if (numbers >= 0).all():
        # Names without gaps have their own type, as scikit-learn's have.
        return np.asarray(found.tolist(), np.asarray(known.tolist()).dtype)
    return np.asarray(found)


def _of_series(numbers: Any, table: Values) -> Any:
    return pd.Series(table[numbers.to_numpy()], index=numbers.index, name=LABEL)
