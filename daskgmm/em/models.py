"""Choice of the model: a mixture, one with room for outliers, or the posterior of one."""

from __future__ import annotations

from daskgmm.em.model import MixtureModel, Model
from daskgmm.em.robust_model import RobustModel
from daskgmm.em.settings import Settings
from daskgmm.em.survey import Survey
from daskgmm.em.variational import BayesianModel


def model_of(settings: Settings, survey: Survey) -> Model:
    """Return the model that a fit with these settings has for the rows surveyed."""
    if settings.outliers is not None:
        return RobustModel.of(settings, survey)
    kind = MixtureModel if settings.bayesian is None else BayesianModel
    return kind.of(settings, survey)
