"""Checks of the values of blocks of rows, with the place of what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.counting import counted
from daskgmm.em.survey.gaps import gaps_in_words, name_of
from daskgmm.em.survey.known_noise import check_noise
from daskgmm.em.survey.weighing import check_weights
from daskgmm.errors import DataError
from daskgmm.gaussian.block import Block
from daskgmm.passes.batches import Batch

LARGEST_VALUE = 1e150
"""Squares of larger values overflow."""

IF_MISSING = (
    "If it stands for a missing value, say so where X is stored (the attributes _FillValue or "
    "missing_value of an array) or put NaN in its place, and leave out such rows with "
    "missing='drop' (--missing drop)."
)
"""What to do about a number that may mean that there is none."""


def check_block(
    batch: Batch,
    before: int,
    block: Block,
    columns: tuple[str, ...] | None,
    *,
    gaps: bool = False,
) -> None:
    """Raise `DataError` at the first bad value or weight of a block, `before` rows into its batch.

    NaN is no bad value where there may be `gaps`.
    """

    def place(row: int) -> str:
        return batch.place(int(block.numbers(before)[row]))

    if block.weights is not None:
        check_weights(block.weights, place)
    if block.beside.noise is not None:
        check_noise(block.beside.noise, block.weights, block.x.shape[1], place, columns)
    with np.errstate(invalid="ignore"):
        fine = largest(block.x) <= LARGEST_VALUE
    if not fine:
        check_values(block.x.T, place, columns, gaps=gaps)


def largest(x: NDArray[Any]) -> float:
    """Return the largest absolute value of x; NaN if one of them is."""
    if not x.size:
        return 0.0
    return float(max(float(x.max()), -float(x.min())))


def check_values(
    z: NDArray[Any],
    place: Callable[[int], str],
    columns: tuple[str, ...] | None,
    *,
    gaps: bool = False,
) -> None:
    """Raise `DataError` at the first value of z (d, b) that is no usable number, if any.

    NaN is usable where there may be `gaps`.
    """
    # In float32, 1e150 would be infinity.
    with np.errstate(over="ignore"):  # of longer numbers, to infinity
        z = np.asarray(z, np.float64)
    bad = ~(np.abs(z) <= LARGEST_VALUE)
    if gaps:
        bad &= ~np.isnan(z)
    if not bad.any():
        return
    row = int(np.argmax(bad.any(axis=0)))
    column = int(np.argmax(bad[:, row]))
    value = z[column, row]
    what = "NaN" if np.isnan(value) else f"{value:g}".replace("inf", "infinity")
    if np.isnan(value):
        gaps_found = gaps_in_words(np.isnan(z).sum(axis=1), columns)
        advice = (
            f"Of {counted(z.shape[1], 'row')} read there, a value is missing in {gaps_found}. "
            "Leave out such rows: missing='drop' (--missing drop). Or fit a mixture to what rows "
            "have: missing='marginalise' (--missing marginalise)."
        )
    elif np.isinf(value):
        advice = "Remove or replace infinite values first."
    else:
        advice = f"Rescale the column: squares of values beyond 1e150 overflow. {IF_MISSING}"
    raise DataError(
        f"Input X contains {what} in {place(row)}, {name_of(column, columns)}. {advice}"
    )
