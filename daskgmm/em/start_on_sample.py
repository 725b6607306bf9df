"""The start of a fit to many rows: candidates on a sample, the last two compared on all rows."""

from __future__ import annotations

import time

import numpy as np

from daskgmm.blas import one_blas_thread
from daskgmm.em.candidates import Candidate, candidates_worth, race
from daskgmm.em.drawing import draw_rows, whole_draw
from daskgmm.em.events import Listener, StartFound
from daskgmm.em.loop import Fit, advanced, evaluate_many
from daskgmm.em.sample import SampleRule, drawn_rows
from daskgmm.em.settings import Settings
from daskgmm.em.survey import Survey, survey_rows
from daskgmm.gaussian.structures import STRUCTURES, n_parameters
from daskgmm.passes.dataset import Dataset

CANDIDATES = 8
"""Starts that are tried on the sample for each initialisation asked for, where it is small."""


def best_candidate(
    data: Dataset,
    survey: Survey,
    settings: Settings,
    seed: int,
    random: np.random.RandomState,
    listen: Listener,
) -> Fit:
    """Return the best start, with the iteration that compared it: two passes."""
    d = data.n_features
    p = n_parameters(STRUCTURES[settings.structure], settings.n_components, d)
    m = drawn_rows(p, d, settings.sample_rows)
    draw = draw_rows(data, survey, seed, m, listen)
    if len(draw.x) < m / 2:
        # A few rows carry nearly all weight or distance: the others need a uniform sample.
        rule = SampleRule(seed, m, survey.weighed_rows)
        draw = whole_draw(survey_rows(data, rule, listen), seed)
        m = len(draw.x)
    began = time.perf_counter()
    count = candidates_worth(settings, m, draw.rows, d, CANDIDATES * settings.n_init)
    seeds = random.randint(np.iinfo(np.int32).max, size=count).tolist()
    with one_blas_thread():
        finalists, _ = race(draw, m, settings, seeds)
    seconds = time.perf_counter() - began
    listen(StartFound(len(draw.x), count, finalists[0].fit.lower_bound, seconds))
    if settings.max_iter == 0:
        return Fit(finalists[0].fit.step)
    return compared(data, survey, finalists, settings, listen)


def compared(
    data: Dataset,
    survey: Survey,
    finalists: list[Candidate],
    settings: Settings,
    listen: Listener,
) -> Fit:
    """Return the better of the candidates on all rows, after the pass that tells."""
    fits = [Fit(each.fit.step) for each in finalists]
    evaluated = evaluate_many(data, survey, fits, [settings] * len(fits), listen)
    fits = [
        advanced(fit, each, settings, float("-inf"), 0)
        for fit, each in zip(fits, evaluated, strict=True)
    ]
    sound = [not survey.degenerate(fit.step, settings.reg_covar) for fit in fits]
    best = max(zip(sound, fits, strict=True), key=lambda each: (each[0], each[1].lower_bound))[1]
    listen(best.iterations[-1])
    return best
