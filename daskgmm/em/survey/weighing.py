"""Sums of the weights of rows, and the number of rows that they count for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.errors import DataError

LARGEST_WEIGHT = 1e150

EXACT = 2.0**53
"""Beyond it all floats are whole numbers, which says nothing of them."""

RELATIVE, COUNTS = "relative", "counts"


@dataclass(frozen=True, slots=True)
class Weighing:
    """The weights of some rows, those of weight 0 left out.

    Attributes
    ----------
    rows : int
    total : float
        Sum of the weights.
    heaviest : float
        The largest weight; 0 without rows.
    squares : float
        Sum of the squared weights, in units of the largest one's square: no scale of the weights
        overflows, and of equal weights it is their number.
    whole : bool
        Whether all weights are whole numbers, as counts are.
    """

    rows: int = 0
    total: float = 0.0
    heaviest: float = 0.0
    squares: float = 0.0
    whole: bool = True

    @property
    def effective_rows(self) -> float:
        r"""Rows of equal weight whose mean would be as uncertain.

        :math:`(\sum_n w_n)^2 / \sum_n w_n^2` (Kish 1965, "Survey Sampling"); the number of rows if
        all weigh the same, at least 1, and the same for any scale of the weights.
        """
        if self.squares == self.rows:
            return float(self.rows)
        return (self.total / self.heaviest) ** 2 / self.squares

    def counted(self, weights_are: str | None) -> float:
        """Return n, the number of rows that criteria count; weights are relative by default."""
        return self.total if weights_are == COUNTS else self.effective_rows


def weigh(weights: NDArray[Any] | None, rows: int) -> Weighing:
    """Return what the weights of some rows add up to; without weights each counts once."""
    if weights is None:
        return Weighing(rows, float(rows), min(1.0, rows), float(rows))
    weights = weights[weights > 0].astype(np.float64)
    if not len(weights):
        return Weighing()
    heaviest = float(weights.max())
    shares = weights / heaviest
    whole = heaviest <= EXACT and bool((weights == np.rint(weights)).all())
    return Weighing(len(weights), float(weights.sum()), heaviest, float(shares @ shares), whole)


def merge_weighings(one: Weighing, other: Weighing) -> Weighing:
    """Return what the weights of both sets of rows add up to."""
    heaviest = max(one.heaviest, other.heaviest)
    squares = sum(
        each.squares * (each.heaviest / heaviest) ** 2 for each in (one, other) if each.rows
    )
    return Weighing(
        one.rows + other.rows,
        one.total + other.total,
        heaviest,
        float(squares),
        one.whole and other.whole,
    )


def check_weights(weights: NDArray[Any], place: Callable[[int], str]) -> None:
    """Raise `DataError` at the first weight that is no usable number; `place` says where."""
    # In float32, the largest weight would be infinity.
    weights = np.asarray(weights, np.float64)
    fine = (weights >= 0) & (weights <= LARGEST_WEIGHT)
    if fine.all():
        return
    row = int(np.argmin(fine))
    value = float(weights[row])
    what = "NaN" if np.isnan(value) else "infinity" if np.isinf(value) else f"{value:g}"
    kind = "a negative value" if value < 0 else what
    raise DataError(
        f"Input sample_weight contains {kind} in {place(row)}. "
        "Weights must be finite, not negative and at most 1e150; 0 leaves a row out."
    )


def check_meaning(weights_are: str | None) -> None:
    """Raise ValueError unless it is a meaning of weights, or None."""
    if weights_are not in (None, RELATIVE, COUNTS):
        raise ValueError(
            f"weights_are is {weights_are!r}; give {RELATIVE!r} (shares, areas, probabilities: any "
            f"scale) or {COUNTS!r} (how many observed rows each row stands for)."
        )


def check_some(weighing: Weighing, weighted: bool) -> None:
    """Raise `DataError` if there are no rows, or, where they are weighted, none that counts."""
    if weighing.rows == 0:
        what = "rows of positive weight" if weighted else "rows"
        raise DataError(f"X has no {what}, so it has no likelihood. Give at least one row.")
