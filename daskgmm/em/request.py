"""A request for a fit: its settings, where it starts, and what it goes on from."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from daskgmm.arrays import Array
from daskgmm.em.acceleration.search import Search
from daskgmm.em.checkpoints.fingerprint import same_rows
from daskgmm.em.events import Listener
from daskgmm.em.settings import Settings
from daskgmm.em.starts.start import Initial
from daskgmm.em.survey.first_pass import survey_rows
from daskgmm.em.survey.sample import SampleRule, Starts, drawn_rows, rows_taken_whole
from daskgmm.em.survey.survey import Survey, TrainingSet
from daskgmm.em.survey.with_sample import survey_with_sample
from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.gaussian.parameters import Parameters
from daskgmm.passes.dataset import Dataset
from daskgmm.storage.address import Address


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
    seed : int or None
        What `random` was made of, if that is a number; for messages.
    """

    settings: Settings
    initial: Initial
    random: np.random.RandomState
    seeded: bool = True
    resume: Resume | None = None
    checkpoint: Address | None = None
    seed: int | None = None

    @property
    def needs_sample(self) -> bool:
        """Whether starts are to be estimated, or candidates."""
        if self.settings.n_candidates is not None:
            return True
        return self.resume is None and not self.initial.complete

    @property
    def draws(self) -> bool:
        """Whether several candidates are tried on a sample, where there are many rows."""
        settings = self.settings
        drawn = settings.accelerated and settings.labelling is None
        drawn = drawn and settings.n_candidates is None
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
        found = Starts.of(n, whole, drawn, count=self.n_starts)
        return replace(found, one_goes_on=self.draws and n is not None and n > whole)

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
