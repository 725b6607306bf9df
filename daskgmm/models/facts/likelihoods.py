"""What a fit reached: the log likelihood, and what EM raised where that is another number."""

from __future__ import annotations

import math
from typing import Any

from daskgmm.em.objective import objective_name


def likelihoods_of(mixture: Any) -> list[tuple[str, float]]:
    """Return the names and values, in nats a row, of what a fitted mixture reached.

    That is the log likelihood of `criteria_`, without noise and prior, where it is known. With a
    prior, or where it is not known, `lower_bound_` follows by the name of the objective.
    """
    # Without the warning about the meaning of weights, which `fit` has given.
    mean = float(mixture._known_criteria().get("log_likelihood", math.nan))
    bound = float(getattr(mixture, "lower_bound_", math.nan))
    ended = mixture._ended_with
    prior, noise = (None, 0.0) if ended is None else (ended.prior, ended.noise)
    found = [("log likelihood", mean)] if math.isfinite(mean) else []
    if not found or prior is not None:
        found.append((objective_name(prior, noise), bound))
    return found
