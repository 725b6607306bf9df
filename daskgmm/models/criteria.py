"""What a fit says of its own quality, in the few numbers that a model card has."""

from __future__ import annotations

import math
from typing import Any

IN_THE_LAST_PASS = "in the last pass of the fit, before its last step"
AT_THE_PARAMETERS = "at these parameters, on all rows"


def criteria_of_fit(
    lower_bound: float, n_parameters: int, weight: float | None
) -> dict[str, float | int | str]:
    """Return the criteria that the last pass of a fit measured.

    Parameters
    ----------
    lower_bound : float
        Mean log-likelihood, nats a row.
    n_parameters : int
    weight : float or None
        Of all rows together, their number if they have none; None if unknown: aic and bic are
        nan then.
    """
    n = math.nan if not weight else float(weight)
    total = lower_bound * n
    return {
        "log_likelihood": lower_bound,
        "n_parameters": n_parameters,
        "aic": 2 * n_parameters - 2 * total,
        "bic": n_parameters * math.log(n) - 2 * total,
        "measured": IN_THE_LAST_PASS,
    }


def criteria_of_sweep(table: dict[str, list[Any]], index: int) -> dict[str, float | int | str]:
    """Return the criteria of one model of a sweep: a row of its table."""
    names = ("log_likelihood", "n_parameters", "aic", "bic", "icl", "heldout", "heldout_se")
    return {**{name: table[name][index] for name in names}, "measured": AT_THE_PARAMETERS}
