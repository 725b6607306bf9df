"""A whole fit: survey, starts, iterations, the best of them."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.blas import one_blas_thread
from daskgmm.em.acceleration import Search
from daskgmm.em.checkpoint import Checkpoint, State
from daskgmm.em.events import (
    Event,
    FitEnded,
    FitStarted,
    Listener,
    PassEnded,
    together,
)
from daskgmm.em.far_values import warn_of_far_values
from daskgmm.em.fingerprint import fit_identity, generator_state, same_rows
from daskgmm.em.loop import Fit, iterate
from daskgmm.em.sample import SampleRule, Starts, drawn_rows, rows_taken_whole
from daskgmm.em.settings import Settings
from daskgmm.em.starts.clustering import unwarned
from daskgmm.em.starts.start import Initial, start
from daskgmm.em.starts.start_on_sample import best_candidate, best_of_all_rows, worth_comparing
from daskgmm.em.survey import Survey, completed, survey_rows
from daskgmm.errors import CheckpointError, DataError
from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.gaussian.maximise import Maximised
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
    """What a fit is asked for.

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
        return self.settings.accelerated and self.resume is None and self.initial.empty

    def rows_taken_whole(self, columns: int) -> int:
        """Return the rows up to which the survey's sample is the data set; 0 if none is needed."""
        if not self.needs_sample:
            return 0
        free, wanted = self.settings.n_parameters(columns), self.settings.sample_rows
        return rows_taken_whole(free, columns, wanted, draws=self.draws)

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

    @property
    def n_starts(self) -> int:
        """How many initialisations there are to be."""
        return 1 if self.resume is not None else self.settings.n_init


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a fit found.

    Attributes
    ----------
    best : Fit
    survey : Survey
        Of the rows as they were read, without a sample.
    coordinates : Coordinates or None
        What `best` is in.
    before : float
        The lower bound of the earlier fit that it went on from; minus infinity if there is none
        of these rows.
    """

    best: Fit
    survey: Survey
    coordinates: Coordinates | None
    before: float = -math.inf


def fit(data: Dataset, request: Request, listen: Listener) -> Fitted:
    """Fit a mixture to rows and return the best of `n_init` runs of EM.

    Raises
    ------
    DataError
        If the rows or the weights cannot be used, with the place and what to do.
    CheckpointError
        If there is a checkpoint, and it cannot be gone on from.
    ValueError
        If a covariance collapses and `reg_covar` is 0.
    """
    began, passes = time.perf_counter(), 0

    def count(event: Event) -> None:
        nonlocal passes
        passes += isinstance(event, PassEnded)

    listen = together(count, listen)
    checkpoint = None
    if request.checkpoint is not None:
        checkpoint = Checkpoint(request.checkpoint, State)
    kept = None if checkpoint is None else checkpoint.load(_identity(data, request))
    _check_kept(kept, request)
    listen(_announce(data, request.settings, kept))
    found = _run(data, request, listen, checkpoint, kept)
    best, seconds = found.best, time.perf_counter() - began
    listen(FitEnded(best.lower_bound, best.converged, len(best.iterations), passes, seconds))
    return found


def _run(
    data: Dataset,
    request: Request,
    listen: Listener,
    checkpoint: Checkpoint[State] | None,
    kept: State | None,
) -> Fitted:
    random, settings = request.random, request.settings
    seed = _sample_seed(random) if kept is None else kept.sample_seed
    if kept is None:
        surveyed = _survey(data, request, seed, listen)
    else:
        surveyed = completed(data, kept.survey, listen)
    warn_of_far_values(surveyed, data.rows.columns, stacklevel=5)
    if request.resume is not None:
        resume = request.resume.on_rows(surveyed)
        request = replace(request, resume=resume)
    coordinates = _coordinates(surveyed, request) if kept is None else kept.coordinates
    request = replace(request, initial=request.initial.mapped(coordinates))
    data, survey = data.seen_in(coordinates), surveyed.mapped(coordinates)
    surveyed = replace(surveyed, sample=None)
    if kept is not None:
        if not request.seeded:
            # NumPy's global generator is not ours to set.
            random = copy.deepcopy(random)
            request = replace(request, random=random)
        random.set_state(kept.random_state)
    draws = _is_large(survey.weighed_rows, request, data.rows.n_features)
    best = None if kept is None else kept.best
    bound = -math.inf if request.resume is None else request.resume.lower_bound
    n_starts = 1 if draws else request.n_starts
    for initialisation in range(0 if kept is None else kept.initialisation, n_starts):
        if kept is not None and initialisation == kept.initialisation:
            begin = kept.current
        elif draws:
            begin = best_candidate(data, survey, settings, seed, random, listen)
        else:
            if request.needs_sample and survey.sample is None:
                survey = _survey(data, request, seed, listen, survey.weighed_rows)
            begin = _begin(survey, request, seed, initialisation, listen)
        state = State(
            surveyed, coordinates, seed, generator_state(random), initialisation, begin, best
        )

        def keep(current: Fit, state: State = state) -> None:
            if checkpoint is not None:
                checkpoint.save(replace(state, current=current), listen)

        if kept is None or begin is not kept.current:
            keep(begin)
        found = iterate(data, survey, begin, settings, listen, keep, bound, initialisation)
        best = better(best, found, survey, settings)
    assert best is not None
    return Fitted(best, surveyed, coordinates, bound)


def _coordinates(survey: Survey, request: Request) -> Coordinates | None:
    """Return what to fit in: of a fit that is gone on from, what that was in."""
    if request.resume is not None:
        return request.resume.coordinates
    return request.settings.coordinates(survey)


def better(one: Fit | None, other: Fit, survey: Survey, settings: Settings) -> Fit:
    """Return the fit of the higher lower bound, the first of equal ones.

    One with components that rest on the floor is worse than any without.
    """
    if one is None or one.lower_bound == -math.inf:
        return other
    found = [(-survey.n_degenerate(each.step, settings.reg_covar), each) for each in (one, other)]
    return max(found, key=lambda pair: (pair[0], pair[1].lower_bound))[1]


def _begin(
    survey: Survey, request: Request, seed: int, initialisation: int, listen: Listener
) -> Fit:
    """Return the start of an initialisation on all rows: the first is the best of several.

    The others are scikit-learn's, each followed to its end: so more of them are never worse.
    """
    if request.resume is not None:
        return Fit(Maximised(request.resume.parameters), search=request.resume.search)
    settings, random = request.settings, request.random
    count = 0
    if request.draws and initialisation == 0:
        count = worth_comparing(settings, survey.weighed_rows, len(survey.shift))
    with one_blas_thread(), unwarned():
        if count:
            return best_of_all_rows(survey, settings, count, seed, random, listen)
        return Fit(start(survey, settings, request.initial, random))


def _identity(data: Dataset, request: Request) -> dict[str, Any]:
    resumed = None if request.resume is None else request.resume.parameters
    random = request.random if request.seeded else None
    return fit_identity(data, request.settings, request.initial, resumed, random)


def _check_kept(kept: State | None, request: Request) -> None:
    done = 0 if kept is None else len(kept.current.iterations)
    if done > request.settings.max_iter:
        raise CheckpointError(
            f"The checkpoint {request.checkpoint} has {done} iterations already, and max_iter is "
            f"{request.settings.max_iter}. Raise max_iter (--max-iter), or give another path to "
            "begin anew."
        )


def _announce(data: Dataset, settings: Settings, kept: State | None) -> FitStarted:
    rows = data.rows.n_rows
    return FitStarted(
        rows,
        data.rows.n_features,
        settings.n_components,
        settings.structure,
        len(data.batches),
        None if rows is None else rows * data.row_nbytes,
        None if kept is None else len(kept.current.iterations),
    )


def _survey(
    data: Dataset, request: Request, seed: int, listen: Listener, weighed: int | None = None
) -> Survey:
    """Survey all rows; `weighed` tells how many have a weight, if an earlier pass counted."""
    d, settings = data.rows.n_features, request.settings
    n = data.rows.n_rows if weighed is None else weighed
    rule = None
    if request.needs_sample and not _is_large(n, request, d):
        rule = SampleRule(seed, request.rows_taken_whole(d), n)
    survey = survey_rows(data, rule, listen)
    check_survey(survey, settings.n_components)
    if rule is not None and _too_few(survey, rule):
        # So many rows have weight 0 that the sample came out small: now their number is known.
        survey = survey_rows(data, replace(rule, n_rows=survey.weighed_rows), listen)
    return survey


def _is_large(rows: int | None, request: Request, d: int) -> bool:
    """Return whether starts are to be made on rows drawn in a pass of its own."""
    return request.draws and rows is not None and rows > request.rows_taken_whole(d)


def _too_few(survey: Survey, rule: SampleRule) -> bool:
    found = 0 if survey.sample is None else len(survey.sample.hashes)
    return found < min(rule.capacity, survey.weighed_rows)


def _sample_seed(random: np.random.RandomState) -> int:
    # From a copy: drawing from the user's own generator would move it off scikit-learn's path.
    return int(copy.deepcopy(random).randint(np.iinfo(np.int32).max))


def check_survey(survey: Survey, n_components: int) -> None:
    """Raise `DataError` if there are too few rows for a mixture of k components."""
    if survey.rows < 2:
        left_out = f" {survey.missing} rows miss a value." if survey.missing else ""
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
