"""Choice of the model: a mixture, one with room for outliers, or the posterior of one."""

from __future__ import annotations

from daskgmm.em.models.model import MixtureModel, Model
from daskgmm.em.models.robust_model import RobustModel
from daskgmm.em.models.variational import BayesianModel
from daskgmm.em.settings import Settings
from daskgmm.em.survey.survey import Survey


def model_of(settings: Settings, survey: Survey) -> Model:
    """Return the model that a fit with these settings has for the rows surveyed."""
    if settings.outliers is not None:
        return RobustModel.of(settings, survey)
    kind = MixtureModel if settings.bayesian is None else BayesianModel
    return kind.of(settings, survey)
