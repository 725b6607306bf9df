"""Models of a sweep as fitted estimators."""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any

from sklearn.base import clone

from daskgmm.em.models.choice import model_of
from daskgmm.em.objective import Objective
from daskgmm.em.selection.state import Model, SweepState
from daskgmm.em.survey.survey import Survey
from daskgmm.models.facts.criteria import criteria_of_sweep
from daskgmm.models.fitting.estimator import MixtureEstimator
from daskgmm.models.inputs.rows import LABELS
from daskgmm.models.settings.factors import settings_of

SHARED_ATTRIBUTES = ("n_features_in_", "coordinates_", "fitted_on_", *LABELS)
"""Fitted attributes that all models of a sweep have in common."""


def mixtures_of(
    state: SweepState, estimator: MixtureEstimator, table: dict[str, list[Any]]
) -> list[MixtureEstimator | None]:
    """Return an estimator for each row of the table; None for what failed."""
    survey = state.survey.mapped(state.coordinates)
    fitted = [_mixture(model, estimator, survey) for model in state.models]
    for index, (model, mixture) in enumerate(zip(state.models, fitted, strict=True)):
        labelled = model.settings.labelling is not None
        mixture._criteria = criteria_of_sweep(table, index, labelled=labelled)
    return [*fitted, *[None] * len(state.failures)]


def _mixture(model: Model, estimator: MixtureEstimator, survey: Survey) -> MixtureEstimator:
    settings = model.settings
    own: dict[str, Any] = {"n_components": settings.n_components, **settings_of(settings.structure)}
    if not isinstance(estimator.random_state, Integral | None):
        own["random_state"] = model.seed
    mixture: MixtureEstimator = clone(estimator)
    set_those_taken(mixture, own)
    for name in SHARED_ATTRIBUTES:
        if hasattr(estimator, name):
            setattr(mixture, name, getattr(estimator, name))
    # The table says what is wrong with it, and its card.
    resting = survey.resting(model.fit.step, settings.reg_covar)
    mixture._keep(model.fit, -math.inf, model_of(settings, survey), resting)
    mixture._ended_with = Objective.of(settings, estimator.n_features_in_)
    return mixture


def set_those_taken(estimator: MixtureEstimator, settings: dict[str, Any]) -> None:
    """Set those of the settings that the estimator's constructor takes."""
    taken = settings.keys() & estimator.get_params().keys()
    estimator.set_params(**{name: settings[name] for name in taken})
