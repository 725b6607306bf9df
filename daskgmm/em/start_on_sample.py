"""The start of a fit: the best of several candidates, found in memory.

Of many rows on a sample, the last two compared on all of them; of few rows on these.
"""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial

import numpy as np

from daskgmm.blas import one_blas_thread
from daskgmm.em.candidates import (
    Candidate,
    Part,
    candidates_worth,
    race,
    ranked,
    starts_worth,
    surviving,
)
from daskgmm.em.drawing import draw_rows, whole_draw
from daskgmm.em.events import Listener, StartFound
from daskgmm.em.loop import Fit, advanced, evaluate_many
from daskgmm.em.sample import SampleRule, drawn_rows
from daskgmm.em.settings import Settings
from daskgmm.em.start import Initial, start
from daskgmm.em.survey import Survey, survey_rows
from daskgmm.gaussian.structures import STRUCTURES, n_parameters
from daskgmm.passes.dataset import Dataset

CANDIDATES = 8
"""Starts that are tried on the sample for each initialisation asked for, where it is small."""

LEAST_BESIDE = 2
"""Starts beside scikit-learn's: fewer are not worth the comparison."""


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
    found = [(-survey.n_degenerate(fit.step, settings.reg_covar), fit) for fit in fits]
    best = max(found, key=lambda pair: (pair[0], pair[1].lower_bound))[1]
    listen(best.iterations[-1])
    return best


def worth_comparing(settings: Settings, n: int, d: int) -> int:
    """Return how many starts are tried beside scikit-learn's on n rows, taken whole; 0 for none."""
    if settings.init_params != "kmeans" or settings.max_iter == 0:
        return 0
    count = starts_worth(settings, n, n, d, CANDIDATES * settings.n_init)
    return count if count >= LEAST_BESIDE else 0


def best_of_all_rows(
    survey: Survey,
    settings: Settings,
    count: int,
    seed: int,
    random: np.random.RandomState,
    listen: Listener,
) -> Fit:
    """Return the best of scikit-learn's starts and of `count` others; the sample is all rows.

    Where scikit-learn's is as good as the best it is returned as it was made, so that EM takes
    the same way from it.
    """
    own = [Fit(start(survey, settings, Initial(), random)) for _ in range(settings.n_init)]
    began, draw = time.perf_counter(), whole_draw(survey, seed)
    m = len(draw.x)
    part = Part.of(draw, m, settings, last=True)
    try:
        found = surviving(partial(part.continued, Candidate(i, fit)) for i, fit in enumerate(own))
    except ValueError:
        return own[0]  # the fit itself says what is wrong, and where
    mine = ranked(found)[0]
    # The user's generator goes as far as scikit-learn's does, and no farther.
    seeds = np.random.RandomState(seed).randint(np.iinfo(np.int32).max, size=count).tolist()
    with suppress(ValueError):  # all others collapse
        found += race(draw, m, settings, seeds)[0]
    best, seconds = ranked(found)[0], time.perf_counter() - began
    listen(StartFound(m, len(own) + count, best.fit.lower_bound, seconds))
    gain = best.fit.lower_bound - mine.fit.lower_bound
    if best.degenerate == mine.degenerate and gain <= settings.gap_tolerance:
        return own[mine.seed]
    return Fit(best.fit.step)
