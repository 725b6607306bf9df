"""Values of one type written as another: only if each of them stays what it is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def write_exactly(out: NDArray[Any], values: NDArray[Any]) -> bool:
    """Write values into `out`; return whether its type holds all of them.

    Types of which one holds all values of the other are not looked at further, and int64 counts
    as held by float64.
    """
    if np.can_cast(values.dtype, out.dtype):
        out[:] = values
        return True
    with np.errstate(over="ignore", invalid="ignore"):
        out[:] = values
    return np.array_equal(out, values, equal_nan=True)
