"""Identity of a sweep, which a checkpoint must agree with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from daskgmm.em.checkpoints.fingerprint import (
    MAX_ITER,
    PRIOR,
    plain_digest,
    prior_digest,
    rows_identity,
)
from daskgmm.em.selection.races import SweepRequest
from daskgmm.em.settings import Settings
from daskgmm.em.survey.weighing import COUNTS
from daskgmm.models.sweeps.groups import Groups
from daskgmm.passes.dataset import Dataset


def identity_of(data: Dataset, request: SweepRequest, random_state: Any) -> dict[str, Any]:
    """Return what a checkpoint of a sweep must agree with: settings, and rows."""
    shared, groups = request.settings[0].identity, request.groups
    # No choices of a sweep's user, and what nothing but its end depends on.
    for name in ("structure", "init_params", "accelerated", MAX_ITER):
        del shared[name]
    return {
        **shared,
        "n_components": request.sizes,
        "covariance_type": sorted({each.structure for each in request.settings}),
        "n_init": len(request.seeds),
        # Of the draws that do not depend on n_init, which is compared by itself.
        "random_state": None
        if random_state is None
        else plain_digest([request.sample_seed, request.seeds[0]]),
        "groups": groups.digest if isinstance(groups, Groups) else None,
        # What is said by default may be said as well.
        "weights_are": COUNTS if request.weights_are == COUNTS else None,
        **_prior_identity(request.settings, data.rows.n_features),
        **rows_identity(data),
    }


def _prior_identity(settings: Sequence[Settings], columns: int) -> dict[str, str]:
    if settings[0].prior is None:
        return {}
    return {PRIOR: plain_digest(sorted(str(prior_digest(each, columns)) for each in settings))}
