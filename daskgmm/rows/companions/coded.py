"""Labels as codes: numbers of classes in place of what is stored."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.companions import LABELS
from daskgmm.errors import DataError
from daskgmm.rows.compositions.mapped import MappedRows
from daskgmm.rows.rows import Rows

UNKNOWN_CLASS = -1
"""The label, and the code, of a row of unknown class; NaN is another label of one."""


def codes_of(labels: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.int32]:
    """Return the place of each label (m,) among sorted classes (c,), -1 of an unknown one.

    NaN is unknown even where -1 is a class.
    """
    places = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
    found = classes[places] == labels
    # A comparison with itself is false for NaN alone.
    foreign = ~found & (labels != UNKNOWN_CLASS) & (labels == labels)
    if foreign.any():
        raise DataError(
            f"{LABELS} have changed while they were read: {labels[foreign][0]} is not one of the "
            "classes that were there. Write them elsewhere, or wait."
        )
    return np.where(found, places, UNKNOWN_CLASS).astype(np.int32)


def coded_rows(labels: Rows, classes: NDArray[Any]) -> Rows:
    """Return labels of rows as codes of sorted classes (c,)."""
    # The wider type: plans count the bytes of what is read.
    dtype = max(labels.dtype, np.dtype(np.int32), key=lambda kind: kind.itemsize)
    return MappedRows(labels, partial(codes_of, classes=classes), dtype)
