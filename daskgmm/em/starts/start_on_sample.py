"""The start of a fit: the best of several candidates, found in memory.

Of many rows on a sample, the last two compared on all of them; of few rows on these.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from functools import partial

import numpy as np

from daskgmm.blas import one_blas_thread
from daskgmm.em.events import StartFound
from daskgmm.em.iterations.advance import advanced
from daskgmm.em.iterations.evaluation import Evaluated, evaluate
from daskgmm.em.iterations.progress import Fit, best_of
from daskgmm.em.k_means import unwarned
from daskgmm.em.models.choice import model_of
from daskgmm.em.settings import Settings
from daskgmm.em.starts.candidates import (
    FINALISTS,
    NOISE_SHARE,
    TOGETHER,
    Candidate,
    Part,
    SomeRows,
    candidates_worth,
    ended_alike,
    noise_of,
    race,
    ranked,
    starts_worth,
)
from daskgmm.em.starts.drawing import Draw, draw_rows, whole_draw
from daskgmm.em.starts.start import Initial, start
from daskgmm.em.starts.trimming import trimmed
from daskgmm.em.survey.first_pass import survey_rows
from daskgmm.em.survey.sample import SampleRule, Starts, drawn_rows
from daskgmm.em.survey.survey import TrainingSet
from daskgmm.gaussian.m_step import IllDefinedError, Maximised
from daskgmm.gaussian.tails.tails import TAILS
from daskgmm.names import FLOAT64

CANDIDATES = 8
"""Starts that are tried on the sample for each initialisation asked for, where it is small."""

AS_GOOD, ROUNDING = 0.1, 1e-9
"""Part of `tol`, and nats per row, by which scikit-learn's start may end lower and be as good: the
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
    p = settings.n_free(d)
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
        clean = _of_clean_rows(draw, settings, seeds, finalists)
        finalists = ranked([*finalists, *clean])[:FINALISTS]
    seconds = time.perf_counter() - began
    rows.listen(StartFound(len(draw.x), count, finalists[0].fit.lower_bound, seconds))
    if settings.max_iter == 0:
        return Fit(finalists[0].fit.step)
    return compared(rows, finalists, settings)


def most_together(settings: Settings, starts: Starts, d: int, n: int | None) -> int:
    """Return how many starts in d features advance together at most; 0 where none is estimated."""
    if not starts.rows:
        return 0
    rows = starts.rows if n is None else n
    if starts.drawn or n is None:
        asked = CANDIDATES * settings.n_init
        return candidates_worth(settings, starts.rows, rows, d, asked)
    return max(1, min(TOGETHER, worth_comparing(settings, rows, d)))


def compared(rows: TrainingSet, finalists: list[Candidate], settings: Settings) -> Fit:
    """Return the better of the candidates on all rows, after the pass that tells."""
    fits = [Fit(each.fit.step) for each in finalists]
    evaluated = evaluate(rows, fits, [settings] * len(fits))
    if len({each.iterated.in_float32 for each in evaluated if isinstance(each, Evaluated)}) > 1:
        # What float32 was right for is told lower: bounds are compared in one precision.
        settings = replace(settings, precision=FLOAT64)
        evaluated = evaluate(rows, fits, [settings] * len(fits))
    fits = [
        advanced(fit, each, settings, float("-inf"), together=len(fits))
        for fit, each in zip(fits, evaluated, strict=True)
        if isinstance(each, Evaluated)
    ]
    failures = [each for each in evaluated if isinstance(each, IllDefinedError)]
    if not fits:
        raise failures[0]
    return best_of(fits, rows.survey, settings)


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
    again = deepcopy(random)  # for the same start with no room for outliers
    first = Fit(start(rows.survey, settings, Initial(), random))
    began, draw = time.perf_counter(), whole_draw(rows.survey, seed)
    last = Part.of(draw, 1.0, settings, last=True)
    own = _as_fitted(last, settings).tried(Candidate(seed, first))
    if own is None:
        return first  # the fit itself says what is wrong, and where
    # The user's generator goes as far as scikit-learn's does, and no farther.
    seeds = np.random.RandomState(seed).randint(np.iinfo(np.int32).max, size=count).tolist()
    others, tried = _others(draw, settings, seeds, own)
    begin = partial(start, rows.survey, initial=Initial(), random=again)
    others += _of_clean_rows(draw, settings, seeds, [own, *others], begin)
    driven = last.all_continued(ranked(others)[:FINALISTS])
    best, seconds = ranked([own, *driven])[0], time.perf_counter() - began
    gain = best.fit.lower_bound - own.fit.lower_bound
    as_good = ROUNDING if _is_stuck(own) else max(AS_GOOD * settings.tol, ROUNDING)
    is_own = best.degenerate == own.degenerate and gain <= as_good
    # Where scikit-learn has no such model EM need not take its way once more.
    anew = is_own and model_of(settings, rows.survey).is_free
    rows.listen(StartFound(draw.m, 1 + tried, best.fit.lower_bound, seconds, anew))
    if anew:
        return first
    return Fit(own.fit.step if is_own else best.fit.step)


def _of_clean_rows(
    draw: Draw,
    settings: Settings,
    seeds: list[int],
    others: Sequence[Candidate],
    first: Callable[[Settings], Maximised] | None = None,
) -> list[Candidate]:
    """Return the best fit of Gaussians alone, with room for outliers; none if there is to be none.

    `first` makes one more start with these settings.

    All other starts leave rows out, which costs a good maximum where there is no outlier. Heavy
    tails alone are likelier with a component on outliers than without: there the rows that
    the others keep have to be as likely as in any of these (Neykov et al. 2007).
    """
    if settings.outliers is None:
        return []
    tail = TAILS.get(settings.outliers)
    with suppress(ValueError):  # all of these collapse
        gaussian = replace(settings, outliers=None)
        found, _ = race(draw, gaussian, seeds)
        if first is not None:
            begun = Candidate(seeds[0], Fit(first(gaussian)))
            last = Part.of(draw, 1.0, gaussian, last=True)
            found += _as_fitted(last, gaussian).all_continued([begun])
        best = ranked(found)[0]
        part = Part.of(draw, 1.0, settings, last=True)
        clean = part.without_outliers(best)
        if clean is None:
            return []
        if tail is None or tail.splits:
            return [clean]
        own, *rest = _kept(draw, settings).bounds([clean, *others])
        return [clean] if all(own >= bound for bound in rest) else []
    return []


def _kept(draw: Draw, settings: Settings) -> Part:
    """Return the rows of the sample that starts do not leave out."""
    sample = Part.of(draw, 1.0, settings).rows.survey.sample
    assert sample is not None, "a part is a sample"
    kept, _ = trimmed(sample, settings.n_components)
    assert kept.weights is not None, "rows of a part are counted"
    return Part.of_rows(SomeRows(kept.x, kept.weights), settings, draw)


def _as_fitted(last: Part, settings: Settings) -> Part:
    """Return the part with the tolerance of the fit.

    It may end on a plateau that candidates are driven over, or go on where these end.
    """
    most = min(OWN_ITER, last.settings.max_iter)
    return replace(last, settings=replace(last.settings, tol=settings.tol, max_iter=most))


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
