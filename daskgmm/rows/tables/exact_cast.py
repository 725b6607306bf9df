"""Conversion of values to another type that must hold each of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def write_exactly(out: NDArray[Any], values: NDArray[Any]) -> bool:
    """Write values into `out`; return whether its type holds all of them.

    Values are not compared if the type holds all values of theirs; float64 is taken to hold int64.
    """
    if np.can_cast(values.dtype, out.dtype):
        out[:] = values
        return True
    with np.errstate(over="ignore", invalid="ignore"):
        out[:] = values
    return np.array_equal(out, values, equal_nan=True)
