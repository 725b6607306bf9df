"""The prior of a fit, as standard errors need it: its hyperparameters may be those of all rows."""

from __future__ import annotations

from typing import Any

from daskgmm.em.events import silence
from daskgmm.em.models.model import MixtureModel
from daskgmm.em.objective import Objective
from daskgmm.em.survey.first_pass import survey_rows
from daskgmm.gaussian.charts.prior_scores import PriorScores
from daskgmm.gaussian.charts.score_chart import ScoreChart
from daskgmm.passes.dataset import Dataset


def has_its_prior(mixture: Any) -> bool:
    """Return whether the prior that a mixture is set to is that of its fit, if this is known."""
    ended = mixture._ended_with
    if ended is None:
        return True
    now = Objective.of(mixture._settings(), mixture.n_features_in_)
    if None in (ended.prior, now.prior):
        return bool(ended.prior == now.prior)
    return ended.density is None or ended.density == now.density


def prior_scores(
    mixture: Any, data: Dataset, chart: ScoreChart, weights_are: str | None
) -> PriorScores | None:
    """Return the slope and curvature of the prior of a fit to these rows; None without one.

    A pass surveys the rows. Hyperparameters that it tells are taken as known.
    """
    if getattr(mixture, "prior", None) is None:
        return None
    settings = mixture._settings()
    if data.weights is not None:
        settings = settings.weighed(weights_are)
    model = MixtureModel.of(settings, survey_rows(data, None, silence))
    assert model.prior is not None, "it is set"
    return PriorScores.of(chart, model.prior)
