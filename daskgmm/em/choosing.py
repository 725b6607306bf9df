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
from daskgmm.em.candidates import Candidate, Part, first_share, race
from daskgmm.em.checkpoint import RECORDS, Checkpoint
from daskgmm.em.drawing import Draw, draw_rows, whole_draw
from daskgmm.em.events import Listener, SweepIterated, silence
from daskgmm.em.far_values import warn_of_far_values
from daskgmm.em.fit import check_survey
from daskgmm.em.holding_out import HeldOut, LogDensities, held_out, row_blocks
from daskgmm.em.loop import Fit, advanced, evaluate_many
from daskgmm.em.measuring import Measured, measure_many
from daskgmm.em.sample import SampleRule, drawn_rows
from daskgmm.em.settings import Settings
from daskgmm.em.survey import Survey, survey_rows
from daskgmm.errors import DegenerateComponentWarning
from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.gaussian.maximise import Maximised
from daskgmm.gaussian.merging import merged
from daskgmm.gaussian.structures import STRUCTURES, n_parameters
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.threads import thread_count

Array = NDArray[np.float64]

WHOLE = 2
"""Multiples of a drawn sample below which all rows are taken instead."""

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
class SweepState:
    """All that the rest of a sweep depends on.

    Attributes
    ----------
    survey : Survey
        As the rows were read.
    coordinates : Coordinates or None
        What the models are in.
    models : tuple of Model
    """

    survey: Survey
    coordinates: Coordinates | None
    models: tuple[Model, ...]


RECORDS.update({kind.__name__: kind for kind in (SweepState, Model, Settings, HeldOut)})


@dataclass(frozen=True, slots=True)
class SweepRequest:
    """What is to be compared.

    Attributes
    ----------
    settings : tuple of Settings
        One for each number of components and structure.
    seeds : tuple of int
        One for each start.
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
    n = max(2.0, survey.weight)
    numbers = draw.index if request.groups is None else request.groups(draw.index)
    blocks = row_blocks(draw) if request.groups is None else numbers
    with unwarned(), one_blas_thread(), ThreadPoolExecutor(thread_count()) as pool:
        raced = list(
            pool.map(lambda each: race(draw, m, each, request.seeds, 1, False), request.settings)
        )
        raced = with_merges(draw, m, request.settings, raced)
        held = list(
            pool.map(
                lambda pair: held_out(
                    draw, m, blocks, pair[0], pair[1][0][0], request.log_densities
                ),
                zip(request.settings, raced, strict=True),
            )
        )
    candidates = [best[0] for best, _ in raced]
    goes_on = not_beaten(draw, m, n, request, candidates)
    for index in best_otherwise(draw, m, n, request, candidates, held):
        goes_on[index] = True
    models = []
    for settings, (best, others), score, going in zip(
        request.settings, raced, held, goes_on, strict=True
    ):
        first = best[0]
        fit = Fit(first.fit.step) if going else first.fit
        models.append(Model(settings, first.seed, fit, going, score))
        models += [Model(settings, other.seed, other.fit, False) for other in others]
    return SweepState(replace(survey, sample=None), coordinates, tuple(models))


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


Raced = tuple[list[Candidate], list[Candidate]]
"""The best start of a size and structure, and the others."""


def with_merges(
    draw: Draw, m: int, settings: Sequence[Settings], raced: Sequence[Raced]
) -> list[Raced]:
    """Return the races with one more start each: the next larger mixture, two components merged.

    Few starts often miss what a larger mixture found; from the largest down, each passes it
    on. Both are compared on a small part of the sample first.
    """
    found = list(raced)
    order = sorted(range(len(settings)), key=lambda i: -settings[i].n_components)
    largest: dict[str, Candidate] = {}
    for index in order:
        chosen, (best, others) = settings[index], found[index]
        above = largest.get(chosen.structure)
        if above is not None:
            better = _from_above(draw, m, chosen, above, best[0])
            if better is not None:
                found[index] = [better], [best[0], *others]
        largest[chosen.structure] = found[index][0][0]
    return found


def _from_above(
    draw: Draw, m: int, settings: Settings, above: Candidate, own: Candidate
) -> Candidate | None:
    """Return the start merged from a larger mixture, if it is the better one."""
    parameters = above.fit.step.parameters
    while parameters.n_components > settings.n_components:
        parameters = merged(parameters)
    part = Part.of(draw, first_share(settings, m, draw.x.shape[1]) * m, settings, last=False)
    start = Candidate(above.seed, Fit(Maximised(parameters)))
    trials = [part.continued(each).fit.lower_bound for each in (start, own)]
    if trials[0] <= trials[1]:
        return None
    found = Part.of(draw, m, settings, last=False).continued(start)
    return found if found.fit.lower_bound > own.fit.lower_bound else None


def not_beaten(
    draw: Draw, m: int, n: float, request: SweepRequest, candidates: Sequence[Candidate]
) -> list[bool]:
    """Return which models are not clearly beaten, as far as the sample can tell.

    A model is clearly beaten if its likelihood, less p / 2m for having been fitted to the
    sample, and less BIC's p log(n) / 2n, is below the best one's by more than `SURE` standard
    errors of their difference row by row.
    """
    x, counts = draw.part(m)
    shares = counts / counts.sum()
    densities = [request.log_densities(each.fit.step.parameters, x) for each in candidates]
    free = [
        n_parameters(STRUCTURES[each.structure], each.n_components, x.shape[1])
        for each in request.settings
    ]
    scores = [
        float(shares @ density) - p / (2 * len(x)) - p * math.log(n) / (2 * n)
        for density, p in zip(densities, free, strict=True)
    ]
    best = int(np.argmax(scores))
    going = []
    for density, score in zip(densities, scores, strict=True):
        difference = densities[best] - density
        spread = difference - shares @ difference
        error = float(np.sqrt(shares**2 @ spread**2))
        going.append(scores[best] - score <= SURE * error)
    return going


def best_otherwise(
    draw: Draw,
    m: int,
    n: float,
    request: SweepRequest,
    candidates: Sequence[Candidate],
    held: Sequence[HeldOut],
) -> set[int]:
    """Return the models that are the best on the sample by AIC, ICL or held-out likelihood.

    These may ask for far fewer components, or more, than BIC, which beats them clearly then.
    """
    part = Part.of(draw, m, request.settings[0], last=False)
    mixtures = [each.fit.step.parameters for each in candidates]
    measured, _ = measure_many(part.data, mixtures, part.survey, silence)
    free = np.array(
        [
            n_parameters(STRUCTURES[each.structure], each.n_components, draw.x.shape[1])
            for each in request.settings
        ]
    )
    likelihoods = measured.log_likelihoods / measured.weight - free / (2 * measured.rows)
    entropies = measured.entropies / measured.weight
    scores = (
        likelihoods - free / n,
        likelihoods - free * math.log(n) / (2 * n) - entropies,
        np.array([each.mean for each in held]),
    )
    return {int(np.argmax(score)) for score in scores}


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
    check_survey(survey, max(each.n_components for each in request.settings))
    coordinates = request.settings[0].coordinates(survey)
    if survey.weighed_rows > WHOLE * m:
        seen, mapped = data.seen_in(coordinates), survey.mapped(coordinates)
        return survey, coordinates, draw_rows(seen, mapped, request.sample_seed, m, listen), m
    if survey.sample is None or len(survey.sample.hashes) < survey.weighed_rows:
        rule = SampleRule(request.sample_seed, WHOLE * m, survey.weighed_rows)
        survey = survey_rows(data, rule, listen)
    draw = whole_draw(survey.mapped(coordinates), request.sample_seed)
    return survey, coordinates, draw, survey.weighed_rows
