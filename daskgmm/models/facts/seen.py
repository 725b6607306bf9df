"""The rows that the parameters of a mixture hold: their weight, and the rows they count for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any

from daskgmm.em.survey.weighing import Weighing
from daskgmm.errors import SettingError
from daskgmm.models.facts.criteria import rows_that_count

SEEN = ("n_seen_", "_rows_per_weight")
"""Attributes of a mixture from `step`, `update` or `partial_fit`: others have `fitted_on_`."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Rows that parameters are estimated from.

    Attributes
    ----------
    weight : float
        Sum of their weights; nan if it is not known.
    rows : float
        Rows of equal weight whose mean would be as uncertain, whatever the scale of the weights
        (Kish 1965, "Survey Sampling").
    """

    weight: float
    rows: float

    @classmethod
    def of(cls, weighing: Weighing) -> Seen:
        """Return those of rows at hand."""
        return cls(weighing.total, weighing.effective_rows)

    def scaled(self, factor: float) -> Seen:
        """Return the same rows with so many times the weight."""
        return Seen(factor * self.weight, self.rows)

    def less(self, weight: float) -> Seen:
        """Return what is left without a part of this weight; rows are taken to weigh the same."""
        left = max(0.0, self.weight - weight)
        return Seen(left, self.rows * left / self.weight if self.weight else 0.0)

    def __add__(self, other: Seen) -> Seen:
        """Return both: 1 / rows is the sum of the squared shares of the weight, over rows."""
        total = self.weight + other.weight
        parts = [(each.weight / total) ** 2 / each.rows for each in (self, other) if each.weight]
        return Seen(total, 1 / sum(parts) if parts else 0.0)

    def set_on(self, mixture: Any) -> None:
        """Set what a mixture holds."""
        mixture.n_seen_ = self.weight
        mixture._rows_per_weight = self.rows / self.weight


def seen_of(mixture: Any) -> Seen:
    """Return what a mixture holds; nan where that is not known.

    `n_seen_` may be set by hand: of a mixture without other facts it is a number of rows.

    Raises
    ------
    SettingError
        If `n_seen_` is no sum of weights.
    """
    known = getattr(mixture, "n_seen_", None)
    if known is None:
        facts = getattr(mixture, "fitted_on_", None) or {}
        return Seen(float(facts.get("weight", math.nan)), rows_that_count(facts))
    number = isinstance(known, Real) and not isinstance(known, bool)
    if not number or not 0 <= known < math.inf:
        raise SettingError(f"n_seen_ is {known!r}; give the sum of weights of the earlier rows.")
    weight = float(known)
    return Seen(weight, weight * float(getattr(mixture, "_rows_per_weight", 1.0)))
