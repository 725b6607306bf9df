"""Many models, one read: all start on the sample; those not clearly beaten share each pass."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from daskgmm.blas import one_blas_thread
from daskgmm.em.candidates import Candidate, Part, Raced, race, starts_worth
from daskgmm.em.checkpoint import RECORDS, Checkpoint
from daskgmm.em.drawing import Draw, draw_rows, whole_draw
from daskgmm.em.events import Listener, SweepIterated, silence
from daskgmm.em.far_values import warn_of_far_values
from daskgmm.em.fit import check_survey
from daskgmm.em.holding_out import HeldOut, LogDensities, held_out, row_blocks
from daskgmm.em.loop import Fit, advanced, evaluate_many
from daskgmm.em.measuring import Measured, measure_many
from daskgmm.em.neighbours import with_neighbours
from daskgmm.em.sample import SampleRule, drawn_rows
from daskgmm.em.settings import Settings
from daskgmm.em.survey import Survey, survey_rows
from daskgmm.errors import DegenerateComponentWarning
from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.gaussian.structures import STRUCTURES, n_parameters
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.threads import thread_count

Array = NDArray[np.float64]

WHOLE = 2
"""Multiples of a drawn sample below which all rows are taken instead."""

CHEAP_SECONDS, MANY = 0.5, 4
"""A sweep begins with up to so many times the starts asked for, where they take no longer."""

LARGEST_SEED = int(np.iinfo(np.int32).max)

SURE = 4.0
"""Standard errors by which a model must be worse on the sample to be clearly beaten."""


@dataclass(frozen=True, slots=True)
class Model:
    """One number of components, structure and seed of a sweep.

    Attributes
    ----------
    settings : Settings
    seed : int
        Of its start.
    fit : Fit
        How far it has come: on all rows, or on the sample if it stayed there.
    on_all_rows : bool
    held_out : HeldOut or None
    """

    settings: Settings
    seed: int
    fit: Fit
    on_all_rows: bool
    held_out: HeldOut | None = None

    @property
    def passes(self) -> int:
        """Passes over all rows that it took part in."""
        return len(self.fit.iterations) if self.on_all_rows else 0

    @property
    def ended(self) -> bool:
        """Whether no pass will change it."""
        return not self.on_all_rows or self.fit.ended(self.settings.max_iter)


@dataclass(frozen=True, slots=True)
class Failure:
    """A number of components and structure that cannot be fitted.

    Attributes
    ----------
    settings : Settings
    seed : int
        Of its first start.
    reason : str
    """

    settings: Settings
    seed: int
    reason: str


@dataclass(frozen=True, slots=True)
class SweepState:
    """All that the rest of a sweep depends on.

    Attributes
    ----------
    survey : Survey
        As the rows were read.
    coordinates : Coordinates or None
        What the models are in.
    models : tuple of Model
    failures : tuple of Failure
    """

    survey: Survey
    coordinates: Coordinates | None
    models: tuple[Model, ...]
    failures: tuple[Failure, ...] = ()


RECORDS.update({kind.__name__: kind for kind in (SweepState, Model, Failure, Settings, HeldOut)})


@dataclass(frozen=True, slots=True)
class SweepRequest:
    """What is to be compared.

    Attributes
    ----------
    settings : tuple of Settings
        One for each number of components and structure.
    seeds : tuple of int
        One for each start that was asked for.
    sample_seed : int
    log_densities : callable
    groups : callable or None
        Returns the group of rows by their numbers; what is held out together.
    """

    settings: tuple[Settings, ...]
    seeds: tuple[int, ...]
    sample_seed: int
    log_densities: LogDensities
    groups: Callable[[NDArray[np.int64]], NDArray[np.int64]] | None = None

    def seeds_worth(self, settings: Settings, m: int, n: int, d: int) -> list[int]:
        """Return a seed for each start that is worth trying: many where they are cheap."""
        asked = len(self.seeds)
        count = max(asked, starts_worth(settings, m, n, d, MANY * asked, CHEAP_SECONDS))
        more = np.random.RandomState(self.seeds[0]).randint(LARGEST_SEED, size=count)
        return [*self.seeds, *more.tolist()][:count]


def choose(
    data: Dataset,
    request: SweepRequest,
    listen: Listener,
    checkpoint: Checkpoint[SweepState] | None = None,
    kept: SweepState | None = None,
) -> tuple[SweepState, Measured]:
    """Fit all models; return them, and what they measure on all rows."""
    state = begun(data, request, listen) if kept is None else kept
    warn_of_far_values(state.survey, data.rows.columns, stacklevel=3)
    if checkpoint is not None and kept is None:
        checkpoint.save(state, listen)
    data, survey = data.seen_in(state.coordinates), state.survey.mapped(state.coordinates)
    while not all(model.ended for model in state.models):
        state = stepped(data, survey, state, listen)
        if checkpoint is not None:
            checkpoint.save(state, listen)
    mixtures = [model.fit.step.parameters for model in state.models]
    measured, _ = measure_many(data, mixtures, survey, listen)
    return state, measured


def stepped(data: Dataset, survey: Survey, state: SweepState, listen: Listener) -> SweepState:
    """Return the state after one pass for all models that have not ended."""
    going = [index for index, model in enumerate(state.models) if not model.ended]
    fits = [state.models[index].fit for index in going]
    settings = [state.models[index].settings for index in going]
    evaluated = evaluate_many(data, survey, fits, settings, listen)
    models = list(state.models)
    for index, fit, each, chosen in zip(going, fits, evaluated, settings, strict=True):
        models[index] = replace(
            models[index], fit=advanced(fit, each, chosen, fit.lower_bound, index)
        )
    left = sum(not model.ended for model in models)
    listen(SweepIterated(max(model.passes for model in models), len(going), left))
    return replace(state, models=tuple(models))


def begun(data: Dataset, request: SweepRequest, listen: Listener) -> SweepState:
    """Return all models fitted to the sample, those that go on marked."""
    survey, coordinates, draw, m = _sampled(data, request, listen)
    with unwarned(), one_blas_thread(), ThreadPoolExecutor(thread_count()) as pool:
        raced = _raced(draw, m, request, survey.weighed_rows, pool)
        usable = [index for index, each in enumerate(raced) if each.candidates]
        if not usable:
            raise ValueError(_nothing_fits(request.settings, raced))
        settings = [request.settings[index] for index in usable]
        found = [raced[index] for index in usable]
        held = _held(draw, m, request, settings, found, pool)
    candidates = [each.candidates[0] for each in found]
    compared = Compared.of(
        draw, m, max(2.0, survey.weight), request.log_densities, settings, candidates
    )
    goes_on = compared.not_beaten()
    for index in compared.best_otherwise(held):
        goes_on[index] = True
    models = [
        model
        for each in zip(settings, found, held, goes_on, strict=True)
        for model in _models(*each, len(request.seeds))
    ]
    failures = [
        Failure(settings, request.seeds[0], each.failure)
        for settings, each in zip(request.settings, raced, strict=True)
        if not each.candidates
    ]
    return SweepState(replace(survey, sample=None), coordinates, tuple(models), tuple(failures))


def _raced(
    draw: Draw, m: int, request: SweepRequest, rows: int, pool: ThreadPoolExecutor
) -> list[Raced]:
    """Return the starts of each size and structure, compared on the sample."""

    def own(settings: Settings) -> Raced:
        if settings.n_components > rows:
            return Raced((), f"There are {rows} rows: fewer than components.")
        seeds = request.seeds_worth(settings, m, draw.rows, draw.x.shape[1])
        try:
            best, others = race(draw, m, settings, seeds, 1, False, len(request.seeds))
        except ValueError as error:
            return Raced((), str(error))
        return Raced((*best, *others))

    raced = list(pool.map(own, request.settings))
    kinds = [
        [index for index, each in enumerate(request.settings) if each.structure == structure]
        for structure in dict.fromkeys(each.structure for each in request.settings)
    ]

    def improved(indices: list[int]) -> list[Raced]:
        settings = [request.settings[index] for index in indices]
        return with_neighbours(draw, m, settings, [raced[index] for index in indices])

    for indices, found in zip(kinds, pool.map(improved, kinds), strict=True):
        for index, each in zip(indices, found, strict=True):
            raced[index] = each
    return raced


def _held(
    draw: Draw,
    m: int,
    request: SweepRequest,
    settings: Sequence[Settings],
    raced: Sequence[Raced],
    pool: ThreadPoolExecutor,
) -> list[HeldOut]:
    """Return the held-out likelihood of the best start of each size and structure."""
    numbers = draw.index if request.groups is None else request.groups(draw.index)
    blocks = row_blocks(draw) if request.groups is None else numbers
    densities = request.log_densities

    def one(chosen: Settings, each: Raced) -> HeldOut:
        return held_out(draw, m, blocks, chosen, each.candidates[0], densities)

    return list(pool.map(one, settings, raced))


def _models(
    settings: Settings, raced: Raced, held: HeldOut, going: bool, n_init: int
) -> Iterator[Model]:
    """Yield the best start of a size and structure, and as many others as were asked for."""
    first, *others = raced.candidates[:n_init]
    fit = Fit(first.fit.step) if going else first.fit
    yield Model(settings, first.seed, fit, going, held)
    for other in others:
        yield Model(settings, other.seed, other.fit, False)


def _nothing_fits(settings: Sequence[Settings], raced: Sequence[Raced]) -> str:
    """Return why none of the models could be fitted, each reason once."""
    kinds: dict[str, list[str]] = {}
    for chosen, each in zip(settings, raced, strict=True):
        kinds.setdefault(each.failure, []).append(f"{chosen.n_components} {chosen.structure}")
    reasons = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in kinds.items())
    return f"No model of the sweep can be fitted. {reasons}"


@contextmanager
def unwarned() -> Iterator[None]:
    """Ignore warnings about starts: those that stay are no news.

    Around all threads, since filters are the process's: threads that set and restore them each
    for itself may leave behind what another one has set.
    """
    with warnings.catch_warnings():
        for kind in (DegenerateComponentWarning, ConvergenceWarning):
            warnings.simplefilter("ignore", kind)
        yield


@dataclass(frozen=True)
class Compared:
    """The best starts of all sizes and structures, measured on the sample.

    Attributes
    ----------
    draw : Draw
    m : int
        Its expected size.
    n : float
        Rows, or their weight, of the whole data set.
    settings : sequence of Settings
    candidates : sequence of Candidate
    densities : ndarray of shape (models, rows of the sample)
    free : ndarray of shape (models,)
        Numbers of free parameters.
    """

    draw: Draw
    m: int
    n: float
    settings: Sequence[Settings]
    candidates: Sequence[Candidate]
    densities: Array
    free: Array

    @classmethod
    def of(
        cls,
        draw: Draw,
        m: int,
        n: float,
        log_densities: LogDensities,
        settings: Sequence[Settings],
        candidates: Sequence[Candidate],
    ) -> Compared:
        """Return the comparison of these candidates."""
        x, _ = draw.part(m)
        densities = [log_densities(each.fit.step.parameters, x) for each in candidates]
        free = [
            n_parameters(STRUCTURES[each.structure], each.n_components, x.shape[1])
            for each in settings
        ]
        return cls(draw, m, n, settings, candidates, np.array(densities), np.array(free, float))

    def best(self, scores: Array) -> int:
        """Return the model of the highest score, one on the floor only if there is no other."""
        evidence = np.array([not each.degenerate for each in self.candidates])
        if evidence.any():
            scores = np.where(evidence, scores, -np.inf)
        return int(np.argmax(scores))

    def not_beaten(self) -> list[bool]:
        """Return which models are not clearly beaten, as far as the sample can tell.

        A model is clearly beaten if its likelihood, less p / 2m for having been fitted to the
        sample, and less BIC's p log(n) / 2n, is below the best one's by more than `SURE`
        standard errors of their difference row by row.
        """
        _, counts = self.draw.part(self.m)
        shares = counts / counts.sum()
        penalty = self.free / (2 * len(shares)) + self.free * math.log(self.n) / (2 * self.n)
        scores = self.densities @ shares - penalty
        best = self.best(scores)
        going = []
        for density, score in zip(self.densities, scores, strict=True):
            difference = self.densities[best] - density
            spread = difference - shares @ difference
            error = float(np.sqrt(shares**2 @ spread**2))
            going.append(bool(scores[best] - score <= SURE * error))
        return going

    def best_otherwise(self, held: Sequence[HeldOut]) -> set[int]:
        """Return the models that are the best by AIC, ICL or held-out likelihood.

        These may ask for far fewer components, or more, than BIC, which beats them clearly
        then.
        """
        part = Part.of(self.draw, self.m, self.settings[0], last=False)
        mixtures = [each.fit.step.parameters for each in self.candidates]
        measured, _ = measure_many(part.data, mixtures, part.survey, silence)
        likelihoods = measured.log_likelihoods / measured.weight - self.free / (2 * measured.rows)
        entropies = measured.entropies / measured.weight
        scores = (
            likelihoods - self.free / self.n,
            likelihoods - self.free * math.log(self.n) / (2 * self.n) - entropies,
            np.array([each.mean for each in held]),
        )
        return {self.best(score) for score in scores}


def combinations(
    n_components: Sequence[int], structures: Sequence[str], settings: Settings
) -> tuple[Settings, ...]:
    """Return the settings of each structure and number of components."""
    return tuple(
        replace(settings, n_components=int(k), structure=structure)
        for structure, k in product(structures, n_components)
    )


def _sampled(
    data: Dataset, request: SweepRequest, listen: Listener
) -> tuple[Survey, Coordinates | None, Draw, int]:
    """Return survey, coordinates, sample and its size; all rows if they are not many more."""
    d = data.rows.n_features
    largest = max(
        n_parameters(STRUCTURES[each.structure], each.n_components, d) for each in request.settings
    )
    m = drawn_rows(largest, d, request.settings[0].sample_rows)
    n = data.rows.n_rows
    rule = SampleRule(request.sample_seed, WHOLE * m, n) if n is None or n <= WHOLE * m else None
    survey = survey_rows(data, rule, listen)
    check_survey(survey, min(each.n_components for each in request.settings))
    coordinates = request.settings[0].coordinates(survey)
    if survey.weighed_rows > WHOLE * m:
        seen, mapped = data.seen_in(coordinates), survey.mapped(coordinates)
        return survey, coordinates, draw_rows(seen, mapped, request.sample_seed, m, listen), m
    if survey.sample is None or len(survey.sample.hashes) < survey.weighed_rows:
        rule = SampleRule(request.sample_seed, WHOLE * m, survey.weighed_rows)
        survey = survey_rows(data, rule, listen)
    draw = whole_draw(survey.mapped(coordinates), request.sample_seed)
    return survey, coordinates, draw, survey.weighed_rows
