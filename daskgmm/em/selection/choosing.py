"""Many models, one read: all start on the sample; those not clearly beaten share each pass."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import product
from operator import itemgetter

from daskgmm.blas import one_blas_thread
from daskgmm.em.checkpoints.checking import check_fit, check_survey
from daskgmm.em.checkpoints.checkpoint import Checkpoint
from daskgmm.em.events import Listener, SweepIterated, SweepResumed
from daskgmm.em.iterations.advance import advanced
from daskgmm.em.iterations.evaluation import evaluate
from daskgmm.em.iterations.progress import Fit
from daskgmm.em.k_means import unwarned
from daskgmm.em.models.choice import model_of
from daskgmm.em.selection.comparing import Compared
from daskgmm.em.selection.holding_out import HeldOut, held_out, row_blocks
from daskgmm.em.selection.measuring import Measured, measure_many
from daskgmm.em.selection.races import SweepRequest, leaders, race_all
from daskgmm.em.selection.riding import with_riding
from daskgmm.em.selection.runners_up import begun_anew, with_runners_up
from daskgmm.em.selection.state import Failure, Model, SweepState, allowed
from daskgmm.em.settings import Settings
from daskgmm.em.starts.candidates import Candidate, Raced
from daskgmm.em.starts.drawing import Draw, draw_rows, whole_draw
from daskgmm.em.survey.far_values import warn_of_far_values
from daskgmm.em.survey.first_pass import completed
from daskgmm.em.survey.id_columns import warn_of_ids
from daskgmm.em.survey.long_integers import warn_of_long_integers
from daskgmm.em.survey.sample import SampleRule, Starts, compared_rows
from daskgmm.em.survey.survey import Survey, TrainingSet
from daskgmm.em.survey.with_sample import survey_with_sample
from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.gaussian.m_step import IllDefinedError
from daskgmm.names import FLOAT64
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.executors.threads import thread_count


def choose(
    data: Dataset,
    request: SweepRequest,
    listen: Listener,
    checkpoint: Checkpoint[SweepState] | None = None,
    kept: SweepState | None = None,
) -> tuple[SweepState, Measured]:
    """Fit all models; return them, and what they measure on all rows."""
    if kept is None:
        state = begun(data, request, listen)
    else:
        kept = allowed(kept, request.settings[0].max_iter)
        listen(SweepResumed(_most_passes(kept.models), len(kept.models), _left(kept.models)))
        state = replace(kept, survey=completed(data, kept.survey, listen))
    warn_of_far_values(state.survey, data.rows.columns)
    warn_of_long_integers(state.survey, data.rows)
    warn_of_ids(state.survey, data.rows.columns)
    if checkpoint is not None and kept is None:
        checkpoint.save(state, listen)
    rows = TrainingSet(data, state.survey, listen).mapped(state.coordinates)
    n = rows.survey.counted(request.weights_are)
    while not (state := _going_on(state, rows.survey)).ended:
        state, iterated = stepped(rows, state, n)
        if checkpoint is not None:
            checkpoint.save(state, listen)
        listen(iterated)  # what is told is safe: no crash makes it a second time
    mixtures = [model.fit.step.parameters for model in state.models]
    return state, measure_many(rows, mixtures, [model.settings.classes for model in state.models])


def check_kept(data: Dataset, request: SweepRequest, state: SweepState) -> None:
    """Raise `ValueError` for a state that no sweep like this one can have kept."""
    coordinates, d = state.coordinates, data.rows.n_features
    check_survey(state.survey, coordinates, data.rows)
    found = [model.settings for model in state.models]
    found += [failure.settings for failure in state.failures]
    # More iterations may be allowed now than when it was kept.
    max_iter = request.settings[0].max_iter
    if not {replace(each, max_iter=max_iter) for each in found} <= set(request.settings):
        raise ValueError("it has a model of other settings than those of the sweep")
    for model in state.models:
        check_fit(model.fit, model.settings, coordinates, d)


def _going_on(state: SweepState, survey: Survey) -> SweepState:
    """Return the state with what is left to go on; raise `ValueError` if nothing was fitted."""
    state = with_runners_up(state, survey)
    if any(model.on_all_rows for model in state.models):
        return state
    # All that were not beaten on the sample failed: the others are the best there are.
    models = tuple(begun_anew(model) for model in state.models)
    if not models:
        raise ValueError(_nothing_fits(state.failures))
    return replace(state, models=models)


def stepped(rows: TrainingSet, state: SweepState, n: float) -> tuple[SweepState, SweepIterated]:
    """Return the state after one pass for all models that have not ended, and what it tells.

    `n` are the rows that criteria count.
    """
    going = [index for index, model in enumerate(state.models) if model.takes_part]
    fits = [state.models[index].on_rows for index in going]
    settings = [state.models[index].settings for index in going]
    riding = {place for place, index in enumerate(going) if state.models[index].rides}
    for place in riding:  # which end when the others do
        settings[place] = replace(settings[place], precision=FLOAT64)
    evaluated = evaluate(rows, fits, settings, riding)
    kinds = {each.settings for each in state.models} | {each.settings for each in state.failures}
    models, failures = dict(enumerate(state.models)), list(state.failures)
    for index, fit, each, chosen in zip(going, fits, evaluated, settings, strict=True):
        if isinstance(each, IllDefinedError) and models[index].rides:
            models[index] = replace(models[index], rides=False)
            continue
        if isinstance(each, IllDefinedError):
            failures.append(Failure(chosen, models.pop(index).seed, str(each), True))
            continue
        fit = advanced(fit, each, chosen, fit.lower_bound, index, len(kinds))
        fit = fit.without_points() if fit.converged else fit
        models[index] = replace(models[index], fit=fit, rode=models[index].rides)
    found = tuple(models.values())
    best = _best_by_bic(found, rows.survey, n)
    iterated = SweepIterated(_most_passes(found), len(going), _left(found), *best)
    return replace(state, models=found, failures=tuple(failures)), iterated


def _most_passes(models: Iterable[Model]) -> int:
    return max((model.passes for model in models), default=0)


def _left(models: Iterable[Model]) -> int:
    """Return the number of models that need another pass."""
    return sum(not model.ended for model in models)


def _best_by_bic(models: Iterable[Model], survey: Survey, n: float) -> tuple[float, int, str]:
    """Return the lowest BIC of models on all rows, with the size and structure of that model.

    It is of the log likelihoods that their last pass measured; with a prior there is none.
    """
    found = []
    for model in models:
        fit, settings = model.fit, model.settings
        if not model.on_all_rows or settings.prior_name is not None:
            continue
        free = settings.n_free(fit.step.parameters.n_features)
        likelihood = fit.lower_bound + model_of(settings, survey).discount(fit.step)
        found.append((free * math.log(n) - 2 * n * likelihood, model))
    known = [each for each in found if math.isfinite(each[0])]
    for bic, model in sorted(known, key=itemgetter(0)):
        if not model.n_degenerate(survey):
            return bic, model.settings.n_components, model.settings.structure
    return math.nan, 0, ""


def begun(data: Dataset, request: SweepRequest, listen: Listener) -> SweepState:
    """Return all models fitted to the sample, those that go on marked."""
    survey, coordinates, draw = _sampled(data, request, listen)
    n = max(2.0, survey.counted(request.weights_are))
    # Of a sample that is drawn, weights are in the chances already.
    told = n if len(draw.x) == survey.weighed_rows else len(draw.x)
    with unwarned(), one_blas_thread(), ThreadPoolExecutor(thread_count()) as pool:
        raced = race_all(draw, request, (n, told), pool)
        usable = [index for index, each in enumerate(raced) if each.candidates]
        if not usable:
            raise ValueError(_nothing_fits(_failures(request, raced)))
        settings = [request.settings[index] for index in usable]
        found = [raced[index] for index in usable]
        held = _held(draw, request, settings, found, pool)
        # The gaps of the sample are filled, so that no other likelihood of it tells which win.
        compared = Compared.of(draw, (n, told), request.log_densities, settings, leaders(found))
        models = _compared(
            compared,
            [each.candidates[: len(request.seeds)] for each in found],
            held,
            all_go=survey.has_gaps,
        )
    models = with_riding(models, survey.mapped(coordinates), len(draw.x))
    failures = tuple(_failures(request, raced))
    return SweepState(survey.without_sample(), coordinates, tuple(models), failures)


def _held(
    draw: Draw,
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
        return held_out(draw, blocks, chosen, each.candidates[0], densities)

    return list(pool.map(one, settings, raced))


def _compared(
    compared: Compared,
    candidates: Sequence[Sequence[Candidate]],
    held: Sequence[HeldOut],
    *,
    all_go: bool,
) -> list[Model]:
    """Return the models of all sizes and structures, those marked that go on."""
    goes_on = [True] * len(candidates) if all_go else compared.not_beaten()
    for index in [] if all_go else compared.best_otherwise(held):
        goes_on[index] = True
    return [
        model
        for index, of_one in enumerate(candidates)
        for model in _models(compared, index, of_one, held[index], goes_on[index])
    ]


def _models(
    compared: Compared, index: int, candidates: Sequence[Candidate], held: HeldOut, going: bool
) -> Iterator[Model]:
    """Yield the best start of a size and structure, and as many others as were asked for."""
    settings, (first, *others) = compared.settings[index], candidates
    fit = Fit(first.fit.step) if going else first.fit
    yield Model(settings, first.seed, fit, going, held)
    for other in others:
        reserve = going and compared.would_win(index, other)
        yield Model(settings, other.seed, other.fit, False, reserve=reserve)


def _failures(request: SweepRequest, raced: Sequence[Raced]) -> list[Failure]:
    return [
        Failure(settings, request.seeds[0], each.failure)
        for settings, each in zip(request.settings, raced, strict=True)
        if not each.candidates
    ]


def _nothing_fits(failures: Sequence[Failure]) -> str:
    """Return why none of the models could be fitted, each reason once."""
    kinds: dict[str, list[str]] = {}
    for each in failures:
        name = f"{each.settings.n_components} {each.settings.structure}"
        kinds.setdefault(each.reason, []).append(name)
    reasons = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in kinds.items())
    return f"No model of the sweep can be fitted. {reasons}"


def combinations(
    n_components: Sequence[int], structures: Sequence[str], settings: Settings
) -> tuple[Settings, ...]:
    """Return the settings of each structure and number of components."""
    return tuple(
        replace(settings, n_components=int(k), structure=structure)
        for structure, k in product(structures, n_components)
    )


def starts_of(settings: Sequence[Settings], columns: int, n: int | None) -> Starts:
    """Return what the starts of a sweep are made on, for n rows of so many columns."""
    drawn, whole = _sample_sizes(settings, columns)
    return Starts.of(n, whole, drawn, at_once=min(thread_count(), len(settings)))


def _sample_sizes(settings: Sequence[Settings], columns: int) -> tuple[int, int]:
    """Return the rows to draw for these models, and those up to which all are taken."""
    largest = max(each.n_parameters(columns) for each in settings)
    return compared_rows(largest, columns, settings[0].sample_rows)


def _sampled(
    data: Dataset, request: SweepRequest, listen: Listener
) -> tuple[Survey, Coordinates | None, Draw]:
    """Return survey, coordinates and sample: all rows if they are not many more."""
    m, whole = _sample_sizes(request.settings, data.rows.n_features)
    seed, k = request.sample_seed, min(request.sizes)
    rule = SampleRule(seed, whole, data.rows.n_rows)
    labelling = request.settings[0].labelling
    survey = survey_with_sample(data, rule, k, listen, draws=True)
    coordinates = request.settings[0].coordinates(survey)
    rows = TrainingSet(data, survey, listen).mapped(coordinates)
    if survey.weighed_rows > rule.capacity:
        return survey, coordinates, draw_rows(rows, seed, m, labelling)
    return survey, coordinates, whole_draw(rows.survey, seed, labelling)
