"""The start of a fit: the best of several candidates, found in memory.

Of many rows on a sample, the last two compared on all of them; of few rows on these.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace

import numpy as np

from daskgmm.blas import one_blas_thread
from daskgmm.em.events import StartFound
from daskgmm.em.loop import Evaluated, Fit, advanced, best_of, evaluate
from daskgmm.em.models import model_of
from daskgmm.em.sample import SampleRule, drawn_rows
from daskgmm.em.settings import Settings
from daskgmm.em.starts.candidates import (
    FINALISTS,
    NOISE_SHARE,
    TOGETHER,
    Candidate,
    Part,
    candidates_worth,
    ended_alike,
    noise_of,
    race,
    ranked,
    starts_worth,
)
from daskgmm.em.starts.clustering import unwarned
from daskgmm.em.starts.drawing import Draw, draw_rows, whole_draw
from daskgmm.em.starts.start import Initial, start
from daskgmm.em.survey import TrainingSet, survey_rows
from daskgmm.gaussian.m_step import IllDefinedError

CANDIDATES = 8
"""Starts that are tried on the sample for each initialisation asked for, where it is small."""

AS_GOOD, ROUNDING = 0.1, 1e-9
"""Part of `tol`, and nats a row, by which scikit-learn's start may end lower and be as good: the
second if it has not converged, as on a plateau."""

OWN_ITER = 100
"""Iterations in which a fit from scikit-learn's start is to converge: its default `max_iter`.
Not those of this fit, as a start is the same whether a fit is made at once or goes on later."""

LEAST_BESIDE = 2
"""Starts beside scikit-learn's: fewer are not worth the comparison."""


def best_candidate(
    rows: TrainingSet, settings: Settings, seed: int, random: np.random.RandomState
) -> Fit:
    """Return the best start, with the iteration that compared it: two passes."""
    d, n = rows.data.n_features, rows.survey.weighed_rows
    p = settings.n_parameters(d)
    m = min(drawn_rows(p, d, settings.sample_rows), n)
    draw = draw_rows(rows, seed, m)
    if len(draw.x) < m / 2:
        # A few rows carry nearly all weight or distance: the others need a uniform sample.
        draw = whole_draw(survey_rows(rows.data, SampleRule(seed, m, n), rows.listen), seed)
    began = time.perf_counter()
    count = candidates_worth(settings, draw.m, draw.rows, d, CANDIDATES * settings.n_init)
    seeds = random.randint(np.iinfo(np.int32).max, size=count).tolist()
    with one_blas_thread(), unwarned():
        finalists, _ = race(draw, settings, seeds)
        clean = _of_clean_rows(draw, settings, seeds)
        finalists = ranked([*finalists, *clean])[:FINALISTS]
    seconds = time.perf_counter() - began
    rows.listen(StartFound(len(draw.x), count, finalists[0].fit.lower_bound, seconds))
    if settings.max_iter == 0:
        return Fit(finalists[0].fit.step)
    return compared(rows, finalists, settings)


def compared(rows: TrainingSet, finalists: list[Candidate], settings: Settings) -> Fit:
    """Return the better of the candidates on all rows, after the pass that tells."""
    fits = [Fit(each.fit.step) for each in finalists]
    evaluated = evaluate(rows, fits, [settings] * len(fits))
    fits = [
        advanced(fit, each, settings, float("-inf"), 0)
        for fit, each in zip(fits, evaluated, strict=True)
        if isinstance(each, Evaluated)
    ]
    failures = [each for each in evaluated if isinstance(each, IllDefinedError)]
    if not fits:
        raise failures[0]
    best = best_of(fits, rows.survey, settings)
    rows.listen(best.iterations[-1])
    return best


def worth_comparing(settings: Settings, n: int, d: int) -> int:
    """Return how many starts are tried beside scikit-learn's on n rows, taken whole; 0 for none."""
    if settings.init_params != "kmeans" or settings.max_iter == 0:
        return 0
    count = starts_worth(settings, n, n, d, CANDIDATES)
    return count if count >= LEAST_BESIDE else 0


def best_of_all_rows(
    rows: TrainingSet, settings: Settings, count: int, seed: int, random: np.random.RandomState
) -> Fit:
    """Return the best of scikit-learn's start and of `count` others; the sample is all rows.

    Where a fit from scikit-learn's ends as well as any it is returned as it was made, so that EM
    takes the same way from it.
    """
    first = Fit(start(rows.survey, settings, Initial(), random))
    began, draw = time.perf_counter(), whole_draw(rows.survey, seed)
    last = Part.of(draw, 1.0, settings, last=True)
    # With the tolerance of the fit, which may end on a plateau that candidates are driven over.
    most = min(OWN_ITER, last.settings.max_iter)
    as_fitted = replace(last, settings=replace(last.settings, tol=settings.tol, max_iter=most))
    own = as_fitted.tried(Candidate(seed, first))
    if own is None:
        return first  # the fit itself says what is wrong, and where
    # The user's generator goes as far as scikit-learn's does, and no farther.
    seeds = np.random.RandomState(seed).randint(np.iinfo(np.int32).max, size=count).tolist()
    others, tried = _others(draw, settings, seeds, own)
    others += _of_clean_rows(draw, settings, seeds)
    driven = last.all_continued(ranked(others)[:FINALISTS])
    best, seconds = ranked([own, *driven])[0], time.perf_counter() - began
    rows.listen(StartFound(draw.m, 1 + tried, best.fit.lower_bound, seconds))
    gain = best.fit.lower_bound - own.fit.lower_bound
    as_good = ROUNDING if _is_stuck(own) else max(AS_GOOD * settings.tol, ROUNDING)
    if best.degenerate == own.degenerate and gain <= as_good:
        # Where scikit-learn has no such model EM need not take its way once more.
        return first if model_of(settings, rows.survey).has_chart else Fit(own.fit.step)
    return Fit(best.fit.step)


def _of_clean_rows(draw: Draw, settings: Settings, seeds: list[int]) -> list[Candidate]:
    """Return the best fit of Gaussians alone, with room for outliers; none if there is to be none.

    All other starts leave rows out, which costs a good maximum where there is no outlier.
    """
    if settings.outliers is None:
        return []
    with suppress(ValueError):  # all of these collapse
        (best, *_), _ = race(draw, replace(settings, outliers=None), seeds)
        part = Part.of(draw, 1.0, settings, last=True)
        return [found for found in [part.without_outliers(best)] if found is not None]
    return []


def _is_stuck(own: Candidate) -> bool:
    """Return whether a fit has not converged in as many iterations as it should."""
    return not own.fit.converged and len(own.fit.iterations) >= OWN_ITER


def _others(
    draw: Draw, settings: Settings, seeds: list[int], own: Candidate
) -> tuple[list[Candidate], int]:
    """Return the best of other starts, and how many were tried: none if the first end as `own`."""
    alike = 2 * NOISE_SHARE * noise_of(settings, draw.m, draw.x.shape[1])
    found: list[Candidate] = []
    for first in range(0, len(seeds), TOGETHER):
        with suppress(ValueError):  # all of these collapse
            found += race(draw, settings, seeds[first : first + TOGETHER], thorough=False)[0]
        if not _is_stuck(own) and len(found) > 1 and ended_alike((own, *found), alike):
            return [], min(first + TOGETHER, len(seeds))
    return found, len(seeds)
