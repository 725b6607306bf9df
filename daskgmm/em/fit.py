"""A whole fit: survey, starts, iterations, the best of them."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.blas import one_blas_thread
from daskgmm.counting import counted
from daskgmm.em.acceleration.search import Search
from daskgmm.em.checkpoints.checkpoint import Checkpoint, State
from daskgmm.em.checkpoints.fingerprint import fit_identity, generator_state, same_rows
from daskgmm.em.events import (
    Event,
    FitEnded,
    FitStarted,
    Listener,
    PassEnded,
    together,
)
from daskgmm.em.loop import Fit, best_of, iterate
from daskgmm.em.settings import Settings
from daskgmm.em.starts.clustering import unwarned
from daskgmm.em.starts.start import Initial, start
from daskgmm.em.starts.start_on_sample import best_candidate, best_of_all_rows, worth_comparing
from daskgmm.em.survey.far_values import warn_of_far_values
from daskgmm.em.survey.sample import SampleRule, Starts, drawn_rows, rows_taken_whole
from daskgmm.em.survey.survey import Survey, TrainingSet, completed, survey_rows
from daskgmm.errors import CheckpointError, DataError
from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.gaussian.m_step import Maximised
from daskgmm.gaussian.parameters import Parameters
from daskgmm.passes.dataset import Dataset
from daskgmm.storage.address import Address

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Resume:
    """An earlier fit to go on from, instead of a start.

    Attributes
    ----------
    parameters : Parameters
    lower_bound : float
    search : Search or None
        What its acceleration knew, if the parameters are where it ended.
    coordinates : Coordinates or None
        What the parameters are in.
    facts : mapping or None
        What is known of its rows, as for `fingerprint.same_rows`; None if they may be any.
    scatter : ndarray of shape (d, d), or None
        That of its survey, if known.
    """

    parameters: Parameters
    lower_bound: float
    search: Search | None = None
    coordinates: Coordinates | None = None
    facts: Mapping[str, Any] | None = None
    scatter: Array | None = None

    def on_rows(self, survey: Survey) -> Resume:
        """Return what holds for the rows of a survey: likelihoods of others tell nothing there.

        Where nothing is known of the earlier rows, they are taken to be these, as by scikit-learn.
        """
        if self.facts is None or same_rows(self.facts, self.scatter, survey):
            return self
        return replace(self, lower_bound=-math.inf, search=None)


@dataclass(frozen=True, slots=True)
class Request:
    """A request for a fit.

    Attributes
    ----------
    settings : Settings
    initial : Initial
    random : numpy.random.RandomState
        Advanced as scikit-learn advances it.
    seeded : bool
        Whether the user chose it: then it is part of what a checkpoint must agree with.
    resume : Resume or None
    checkpoint : Address or None
        Where the state of the fit is kept, and found again.
    """

    settings: Settings
    initial: Initial
    random: np.random.RandomState
    seeded: bool = True
    resume: Resume | None = None
    checkpoint: Address | None = None

    @property
    def needs_sample(self) -> bool:
        """Whether starts are to be estimated."""
        return self.resume is None and not self.initial.complete

    @property
    def draws(self) -> bool:
        """Whether several candidates are tried on a sample, where there are many rows."""
        settings = self.settings
        drawn = settings.accelerated and settings.labelling is None
        return drawn and self.resume is None and self.initial.empty

    def rows_taken_whole(self, columns: int) -> int:
        """Return the rows up to which the survey's sample is the data set; 0 if none is needed."""
        if not self.needs_sample:
            return 0
        free, wanted = self.settings.n_parameters(columns), self.settings.sample_rows
        return rows_taken_whole(free, columns, wanted, draws=self.draws)

    def is_large(self, rows: TrainingSet) -> bool:
        """Return whether starts are to be made on rows drawn in a pass of its own."""
        most = self.rows_taken_whole(rows.data.rows.n_features)
        return self.draws and rows.survey.weighed_rows > most

    def starts(self, columns: int, n: int | None) -> Starts:
        """Return what the starts are made on, for n rows of so many columns."""
        if not self.needs_sample:
            return Starts(self.n_starts)
        settings, whole = self.settings, self.rows_taken_whole(columns)
        drawn = whole
        if self.draws:
            d = settings.n_features(columns)
            drawn = drawn_rows(settings.n_parameters(columns), d, settings.sample_rows)
        return Starts.of(n, whole, drawn, count=self.n_starts)

    def _rule(self, data: Dataset, seed: int, n: int | None) -> SampleRule | None:
        if not self.needs_sample:
            return None
        labelling = self.settings.labelling
        shifts = None if labelling is None else labelling.shifts
        return SampleRule(seed, self.rows_taken_whole(data.rows.n_features), n, shifts)

    def surveyed(self, data: Dataset, seed: int, listen: Listener) -> Survey:
        """Survey all rows, with the sample that starts need."""
        rule, k = self._rule(data, seed, data.rows.n_rows), self.settings.n_components
        return survey_with_sample(data, rule, k, listen, draws=self.draws)

    def with_sample(self, rows: TrainingSet, seed: int) -> TrainingSet:
        """Return rows with the sample that another start needs: a checkpoint keeps none."""
        rule = self._rule(rows.data, seed, rows.survey.weighed_rows)
        if rule is None or rows.survey.sample is not None or self.is_large(rows):
            return rows
        return replace(rows, survey=survey_rows(rows.data, rule, rows.listen))

    def on_rows(self, survey: Survey) -> Request:
        """Return the request with what an earlier fit tells of these rows."""
        resume = None if self.resume is None else self.resume.on_rows(survey)
        return replace(self, resume=resume)

    def coordinates(self, survey: Survey) -> Coordinates | None:
        """Return what to fit in: of a fit that is gone on from, what that was in."""
        if self.resume is not None:
            return self.resume.coordinates
        return self.settings.coordinates(survey)

    def going_on(self, random_state: tuple[Any, ...]) -> Request:
        """Return the request with the generator where a checkpoint has it."""
        # NumPy's global generator is not ours to set.
        random = self.random if self.seeded else copy.deepcopy(self.random)
        random.set_state(random_state)
        return replace(self, random=random)

    @property
    def n_starts(self) -> int:
        """Number of initialisations to make."""
        return 1 if self.resume is not None else self.settings.n_init


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
        kept = checkpoint.load(_identity(data, request))
    _check_kept(kept, request)
    listen(_announce(data, request.settings, kept))
    found = _run(data, request, listen, after, checkpoint, kept)
    best, seconds = found.best, time.perf_counter() - began
    listen(FitEnded(best.lower_bound, best.converged, len(best.iterations), passes, seconds))
    return found


def _run(
    data: Dataset,
    request: Request,
    listen: Listener,
    after: After | None,
    checkpoint: Checkpoint[State] | None,
    state: State | None,
) -> Fitted:
    """Run EM from each start, the first from the state that was kept, if any; keep every state."""
    if state is None:
        seed, best, first = _sample_seed(request.random), None, 0
        survey = request.surveyed(data, seed, listen)
    else:
        seed, best, first = state.sample_seed, state.best, state.initialisation
        survey = completed(data, state.survey, listen)
        state, request = replace(state, survey=survey), request.going_on(state.random_state)
    warn_of_far_values(survey, data.rows.columns, stacklevel=5)
    request = request.on_rows(survey)
    coordinates = request.coordinates(survey) if state is None else state.coordinates
    request = replace(request, initial=request.initial.mapped(coordinates))
    rows, survey = TrainingSet(data, survey, listen).mapped(coordinates), survey.without_sample()
    bound = -math.inf if request.resume is None else request.resume.lower_bound
    latest = None if state is None else state.current

    def found() -> Fitted:
        known = best
        if latest is not None and latest.iterations:
            known = better(best, latest, rows.survey, request.settings)
        assert known is not None, "asked for after an iteration"
        return Fitted(known, survey, coordinates, bound)

    def keep(state: State, current: Fit) -> None:
        nonlocal latest
        latest = current
        if checkpoint is not None:
            checkpoint.save(replace(state, current=current), listen)
        if after is not None and current.iterations:
            after(current.ended(request.settings.max_iter), found)

    try:
        for number in range(first, 1 if request.is_large(rows) else request.n_starts):
            if state is None:
                rows = request.with_sample(rows, seed)
                begin, random = _begin(rows, request, seed, number), request.random
                drawn = generator_state(random)
                state = State(survey, coordinates, seed, drawn, number, begin, best)
                keep(state, begin)
                for made in begin.iterations:  # by the pass that compared starts
                    listen(made)
            going = partial(keep, state)
            ended = iterate(rows, state.current, request.settings, going, bound, number)
            best, state = better(best, ended, rows.survey, request.settings), None
    except (KeyboardInterrupt, StopFit) as reason:
        if best is None and not (latest is not None and latest.iterations):
            raise
        # As `max_iter` would have ended it: iterations do not depend on how many there may be.
        so_far = found()
        unfinished = replace(so_far.best, converged=False)
        raise InterruptedFit(replace(so_far, best=unfinished)) from reason
    return found()


def better(one: Fit | None, other: Fit, survey: Survey, settings: Settings) -> Fit:
    """Return the fit of the higher lower bound, the first of equal ones.

    One with components that rest on the floor is worse than any without.
    """
    if one is None or one.lower_bound == -math.inf:
        return other
    return best_of((one, other), survey, settings)


def _begin(rows: TrainingSet, request: Request, seed: int, initialisation: int) -> Fit:
    """Return the start of an initialisation: on all rows the first is the best of several.

    The others are scikit-learn's, each followed to its end: so more of them are never worse.
    """
    if request.resume is not None:
        return Fit(Maximised(request.resume.parameters), search=request.resume.search)
    settings, random, survey = request.settings, request.random, rows.survey
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
    return fit_identity(data, request.settings, request.initial, resumed, random)


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
    )


def _sample_seed(random: np.random.RandomState) -> int:
    # From a copy: drawing from the user's own generator would move it off scikit-learn's path.
    return int(copy.deepcopy(random).randint(np.iinfo(np.int32).max))


def survey_with_sample(
    data: Dataset, rule: SampleRule | None, n_components: int, listen: Listener, *, draws: bool
) -> Survey:
    """Survey all rows, with the sample of a rule if there is one.

    If a sample is drawn in a pass of its own where there are more rows than the rule takes, it
    `draws`: of more there is then none. Of fewer the sample is all rows.
    """

    def needed(n: int | None) -> SampleRule | None:
        return None if rule is None or (draws and n is not None and n > rule.capacity) else rule

    survey = survey_rows(data, needed(data.rows.n_rows), listen)
    check_survey(survey, n_components)
    wanted, taken = needed(survey.weighed_rows), survey.sample
    if wanted is not None:
        n = min(wanted.capacity, survey.weighed_rows)
        if taken is None or len(taken.hashes) < n:
            # Many rows have weight 0, so that it came out small: now their number is known.
            survey = survey_rows(data, replace(wanted, n_rows=survey.weighed_rows), listen)
    return survey


def check_survey(survey: Survey, n_components: int) -> None:
    """Raise `DataError` if there are too few rows for a mixture of k components."""
    if survey.rows < 2:
        missing = counted(survey.missing, "row")
        left_out = f" A value is missing in {missing}." if survey.missing else ""
        raise DataError(
            f"Found {survey.rows} sample(s) while a minimum of 2 is required by "
            f"GaussianMixture.{left_out}"
        )
    if survey.rows and not survey.weight > 0:
        raise DataError(
            "All entries of sample_weight are zero, so no row counts. Give some a positive weight."
        )
    check_enough(survey.weighed_rows, n_components)


def check_enough(rows: int | None, n_components: int) -> None:
    """Raise `DataError` if there are fewer rows, as far as known, than components."""
    if rows is not None and rows < n_components:
        raise DataError(
            "Expected n_samples >= n_components but got "
            f"n_components = {n_components}, n_samples = {rows}"
        )
