"""Cells whose candidates are chosen anew where EM has converged, as long as that gains enough."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np

from daskgmm.blas import one_blas_thread
from daskgmm.em.cells import with_candidates
from daskgmm.em.iterations.advance import advanced
from daskgmm.em.iterations.evaluation import Evaluated, evaluate
from daskgmm.em.iterations.progress import Fit
from daskgmm.em.models.choice import model_of
from daskgmm.em.settings import Settings
from daskgmm.em.survey.first_pass import survey_rows
from daskgmm.em.survey.sample import SampleRule, sample_capacity
from daskgmm.em.survey.survey import TrainingSet

LOGGER = logging.getLogger("daskgmm")


def renewed(rows: TrainingSet, fit: Fit, settings: Settings, initialisation: int) -> Fit:
    """Return a fit that has converged as it is, or one pass later with other candidates.

    Two passes tell: one draws another sample, one measures what its candidates gain over all rows.
    They are kept if that is `tol` or more, so that the lower bound never falls.
    """
    if fit.cells is None or settings.n_candidates is None:
        return fit
    if len(fit.iterations) >= settings.max_iter:
        return fit
    columns = rows.data.rows.n_features
    capacity = settings.sample_rows or sample_capacity(settings.n_parameters(columns), columns)
    # Another sample than that of the start, and the same one where a fit goes on.
    rule = SampleRule(1 + len(fit.iterations), capacity, rows.survey.weighed_rows)
    sample = survey_rows(rows.data, rule, rows.listen).sample
    assert sample is not None, "there is a rule"
    model, parameters = model_of(settings, rows.survey), fit.step.parameters
    with one_blas_thread():
        cells = with_candidates(fit.cells, sample, model, parameters, settings.n_candidates)
    if np.array_equal(cells.candidates, fit.cells.candidates):
        return fit
    trial = replace(fit, cells=cells, search=None, converged=False)
    (found,) = evaluate(rows, [trial], [settings])
    if not isinstance(found, Evaluated):
        return fit
    gain = found.iterated.lower_bound - fit.lower_bound
    LOGGER.info("candidates chosen anew gain %.1e nats per row", gain)
    if not gain >= settings.tol:
        return fit
    return advanced(trial, found, settings, fit.lower_bound, initialisation)
