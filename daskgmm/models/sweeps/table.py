"""Table of a sweep: a row for each model, with what follows from its size and likelihood."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from daskgmm.em.selection.measuring import Measured
from daskgmm.em.selection.state import SweepState
from daskgmm.em.settings import Settings
from daskgmm.gaussian.floor import n_degenerate
from daskgmm.models.facts.criteria import Criteria
from daskgmm.models.facts.degeneracy import reason_of
from daskgmm.names import FAILED, FITTED, SAMPLE


def table_of(
    state: SweepState, measured: Measured, weights_are: str | None, names: Sequence[str]
) -> dict[str, list[Any]]:
    """Return the table: the models in their order, then what failed; `names` are of columns."""
    floor = state.survey.mapped(state.coordinates).floor(state.models[0].settings.reg_covar)
    n, d = state.survey.counted(weights_are), state.models[0].fit.step.parameters.n_features
    rows = []
    for index, model in enumerate(state.models):
        settings, step, held = model.settings, model.fit.step, model.held_out
        mean, entropy = (
            float(total[index]) / measured.weight
            for total in (measured.log_likelihoods, measured.entropies)
        )
        resting = floor.resting(step)
        rows.append(
            _row(settings, model.seed, n, d, mean, entropy)
            | {"status": FITTED if model.on_all_rows else SAMPLE}
            | ({} if held is None else {"heldout": held.mean, "heldout_se": held.error})
            | {"passes": model.passes, "converged": model.fit.converged}
            | {"degenerate": n_degenerate(step, resting), "reason": reason_of(step, resting, names)}
        )
    for failure in state.failures:
        row = _row(failure.settings, failure.seed, n, d)
        rows.append(row | {"status": FAILED, "reason": failure.reason})
    kinds = Counter[tuple[int, str]]()
    for row in rows:
        kind = row["n_components"], row["covariance_type"]
        kinds[kind] += 1
        row["start"] = kinds[kind]
    return {name: [row[name] for row in rows] for name in rows[0]}


def _row(
    settings: Settings,
    seed: int,
    n: float,
    d: int,
    mean: float = math.nan,
    entropy: float = math.nan,
) -> dict[str, Any]:
    """Return a row of the table with what follows from a model's size and its likelihood."""
    p = settings.n_free(d)
    criteria = Criteria(mean, p, n, entropy)
    return {
        "n_components": settings.n_components,
        "covariance_type": settings.structure,
        "start": 0,
        "seed": seed,
        "status": "",
        "log_likelihood": mean,
        "n_parameters": p,
        "n": n,
        "aic": criteria.aic,
        "bic": criteria.bic,
        "icl": criteria.icl,
        "heldout": math.nan,
        "heldout_se": math.nan,
        "passes": 0,
        "converged": False,
        "degenerate": 0,
        "reason": "",
    }
