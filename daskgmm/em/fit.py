"""A whole fit: survey, starts, iterations, the best of them."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import Any

import numpy as np

from daskgmm.blas import one_blas_thread
from daskgmm.counting import counted
from daskgmm.em.checkpoints.checking import check_fit, check_survey
from daskgmm.em.checkpoints.checkpoint import Checkpoint, State
from daskgmm.em.checkpoints.fingerprint import fit_identity, generator_state
from daskgmm.em.events import (
    Event,
    FitEnded,
    FitStarted,
    Listener,
    PassEnded,
    together,
)
from daskgmm.em.iterations.loop import iterate
from daskgmm.em.iterations.progress import Fit, best_of
from daskgmm.em.k_means import unwarned
from daskgmm.em.request import Request
from daskgmm.em.settings import Settings
from daskgmm.em.starts.nested import truncated_start
from daskgmm.em.starts.start import start
from daskgmm.em.starts.start_on_sample import best_candidate, best_of_all_rows, worth_comparing
from daskgmm.em.survey.far_values import warn_of_far_values
from daskgmm.em.survey.first_pass import completed
from daskgmm.em.survey.id_columns import warn_of_ids
from daskgmm.em.survey.long_integers import warn_of_long_integers
from daskgmm.em.survey.survey import Survey, TrainingSet
from daskgmm.errors import CheckpointError
from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.gaussian.m_step import Maximised
from daskgmm.passes.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Fitted:
    """Result of a fit; the survey is of the rows as read, without a sample.

    `before` is the lower bound of the earlier fit that it went on from; minus infinity if there is
    none of these rows.
    """

    best: Fit
    survey: Survey
    coordinates: Coordinates | None
    before: float = -math.inf


After = Callable[[bool, Callable[[], Fitted]], None]
"""Called after each iteration: whether it was the last of its start, and what makes the result so
far. `StopFit` ends the fit there."""


class StopFit(Exception):  # noqa: N818  # no error
    """Raised after an iteration to end the fit with what it has found."""


class InterruptedFit(KeyboardInterrupt):
    """A fit was ended after an iteration; `found` is what it had by then."""

    def __init__(self, found: Fitted) -> None:
        super().__init__()
        self.found = found


def fit(data: Dataset, request: Request, listen: Listener, after: After | None = None) -> Fitted:
    """Fit a mixture to rows and return the best of `n_init` runs of EM.

    An interruption after the first iteration is an `InterruptedFit`, caused by it; so is a
    `StopFit`.
    """
    began, passes = time.perf_counter(), 0

    def count(event: Event) -> None:
        nonlocal passes
        passes += isinstance(event, PassEnded)

    listen = together(count, listen)
    checkpoint = kept = None
    if request.checkpoint is not None:
        checkpoint = Checkpoint(request.checkpoint, State)
        kept = checkpoint.load(_identity(data, request), partial(_check, data, request))
    _check_kept(kept, request)
    listen(_announce(data, request.settings, kept))
    found = _run(data, request, listen, after, checkpoint, kept)
    best, seconds = found.best, time.perf_counter() - began
    listen(FitEnded(best.lower_bound, best.converged, len(best.iterations), passes, seconds))
    return found


@dataclass(frozen=True, slots=True)
class _Ready:
    """Rows after the survey, in the coordinates of the fit, and the starts that are to be made."""

    rows: TrainingSet
    request: Request
    survey: Survey
    coordinates: Coordinates | None
    seed: int
    first: int

    @property
    def numbers(self) -> range:
        """Numbers of the starts."""
        return range(self.first, 1 if self.request.is_large(self.rows) else self.request.n_starts)

    @property
    def before(self) -> float:
        """The lower bound of the fit that this one goes on from."""
        resume = self.request.resume
        return -math.inf if resume is None else resume.lower_bound

    def sampled(self) -> _Ready:
        """Return it with the sample that a start needs."""
        return replace(self, rows=self.request.with_sample(self.rows, self.seed))

    def begun(self, number: int, best: Fit | None) -> State:
        """Return the state of the fit when a start is made."""
        begin = _begin(self.rows, self.request, self.seed, number)
        drawn = generator_state(self.request.random)
        return State(self.survey, self.coordinates, self.seed, drawn, number, begin, best)

    def better(self, one: Fit | None, other: Fit) -> Fit:
        """Return the fit of the higher lower bound, the first of equal ones.

        One with components that rest on the floor is worse than any without.
        """
        if one is None or one.lower_bound == -math.inf:
            return other
        return best_of((one, other), self.rows.survey, self.request.settings)

    def fitted(self, candidates: Sequence[Fit]) -> Fitted:
        """Return the best of some fits; there is one after an iteration."""
        best = reduce(self.better, candidates)
        return Fitted(best, self.survey, self.coordinates, self.before)


@dataclass(slots=True)
class _SoFar:
    """The best of the starts that have ended, and the latest state of the one under way."""

    best: Fit | None
    latest: Fit | None

    @property
    def candidates(self) -> list[Fit]:
        """Those of them that have an iteration."""
        known = [each for each in (self.best, self.latest) if each is not None]
        return [each for each in known if each is self.best or each.iterations]


def _run(
    data: Dataset,
    request: Request,
    listen: Listener,
    after: After | None,
    checkpoint: Checkpoint[State] | None,
    state: State | None,
) -> Fitted:
    """Run EM from each start, the first from the state that was kept, if any; keep every state."""
    ready = _prepared(data, request, listen, state)
    settings = ready.request.settings
    # Completed: else each run that goes on would survey rows again.
    state = None if state is None else replace(state, survey=ready.survey)
    so_far = _SoFar(*((None, None) if state is None else (state.best, state.current)))

    def found() -> Fitted:
        return ready.fitted(so_far.candidates)

    def keep(state: State, current: Fit) -> None:
        so_far.latest = current
        if checkpoint is not None:
            checkpoint.save(replace(state, current=current), listen)
        if after is not None and current.iterations:
            after(current.ended(settings.max_iter), found)

    try:
        for number in ready.numbers:
            if state is None:
                ready = ready.sampled()
                state = ready.begun(number, so_far.best)
                keep(state, state.current)
                for made in state.current.iterations:  # by the pass that compared starts
                    listen(made)
            going = partial(keep, state)
            # Without a name: one that lost would keep its points while the next one runs.
            so_far.best = ready.better(
                so_far.best,
                iterate(ready.rows, state.current, settings, going, ready.before, number),
            )
            state = None
    except (KeyboardInterrupt, StopFit) as reason:
        if not so_far.candidates:
            raise
        # As `max_iter` would have ended it: iterations do not depend on how many there may be.
        unfinished = found()
        ended = replace(unfinished.best, converged=False)
        raise InterruptedFit(replace(unfinished, best=ended)) from reason
    return found()


def _prepared(data: Dataset, request: Request, listen: Listener, state: State | None) -> _Ready:
    """Survey the rows, unless a checkpoint has their survey, and choose the coordinates."""
    if state is None:
        seed, first = _sample_seed(request.random), 0
        survey = request.surveyed(data, seed, listen)
    else:
        seed, first = state.sample_seed, state.initialisation
        survey = completed(data, state.survey, listen)
        request = request.going_on(state.random_state)
    warn_of_far_values(survey, data.rows.columns)
    warn_of_long_integers(survey, data.rows)
    warn_of_ids(survey, data.rows.columns)
    request = request.on_rows(survey)
    coordinates = request.coordinates(survey) if state is None else state.coordinates
    request = replace(request, initial=request.initial.mapped(coordinates))
    rows = TrainingSet(data, survey, listen).mapped(coordinates)
    return _Ready(rows, request, survey.without_sample(), coordinates, seed, first)


def _begin(rows: TrainingSet, request: Request, seed: int, initialisation: int) -> Fit:
    """Return the start of an initialisation: on all rows the first is the best of several.

    The others are scikit-learn's, each followed to its end: so more of them are never worse.
    """
    settings, random, survey = request.settings, request.random, rows.survey
    resume = request.resume
    going_on = None if resume is None else Maximised(resume.parameters)
    if settings.n_candidates is not None:
        with one_blas_thread(), unwarned():
            return truncated_start(survey, settings, request.initial, random, going_on)
    if resume is not None and going_on is not None:
        return Fit(going_on, search=resume.search)
    if request.is_large(rows):
        return best_candidate(rows, settings, seed, random)
    count = 0
    if request.draws and initialisation == 0:
        count = worth_comparing(settings, survey.weighed_rows, len(survey.shift))
    with one_blas_thread(), unwarned():
        if count:
            return best_of_all_rows(rows, settings, count, seed, random)
        return Fit(start(survey, settings, request.initial, random))


def _identity(data: Dataset, request: Request) -> dict[str, Any]:
    resumed = None if request.resume is None else request.resume.parameters
    random = request.random if request.seeded else None
    return fit_identity(data, request.settings, request.initial, resumed, random, request.seed)


def _check(data: Dataset, request: Request, state: State) -> None:
    """Raise `ValueError` for a state that no fit like this one can have kept."""
    coordinates, d = state.coordinates, data.rows.n_features
    check_survey(state.survey, coordinates, data.rows)
    if (coordinates is not None) != request.settings.is_mapped:
        raise ValueError("it has coordinates, or none, unlike the fit")
    for each in (state.current, state.best):
        if each is not None:
            check_fit(each, request.settings, coordinates, d)
    if not 0 <= state.initialisation < max(1, request.n_starts):
        raise ValueError(f"its initialisation is {state.initialisation}")
    np.random.RandomState(state.sample_seed).set_state(state.random_state)


def _check_kept(kept: State | None, request: Request) -> None:
    done = 0 if kept is None else len(kept.current.iterations)
    if done > request.settings.max_iter:
        raise CheckpointError(
            f"The checkpoint {request.checkpoint} has {counted(done, 'iteration')} already, and "
            f"max_iter is {request.settings.max_iter}. Raise max_iter (--max-iter), or give "
            "another path to begin anew."
        )


def _announce(data: Dataset, settings: Settings, kept: State | None) -> FitStarted:
    rows = data.rows.n_rows
    return FitStarted(
        rows=rows,
        features=data.rows.n_features,
        components=settings.n_components,
        covariance_type=settings.structure,
        batches=len(data.batches),
        nbytes=None if rows is None else rows * data.row_nbytes,
        resumed=None if kept is None else len(kept.current.iterations),
        prior=settings.prior_name,
        noise=settings.noise,
    )


def _sample_seed(random: np.random.RandomState) -> int:
    # From a copy: drawing from the user's own generator would move it off scikit-learn's path.
    return int(copy.deepcopy(random).randint(np.iinfo(np.int32).max))
