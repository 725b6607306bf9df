"""Expectation-maximisation: pass, statistics, M-step, until the likelihood stands still."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from daskgmm.arrays import Array
from daskgmm.em.acceleration.memory import most_points
from daskgmm.em.acceleration.search import (
    MIN_PAIRS,
    SURE,
    Search,
    advance,
    remaining_gain,
    restart,
    without_points,
)
from daskgmm.em.events import Ended, Iterated, Started
from daskgmm.em.expectation import expect
from daskgmm.em.models.choice import model_of
from daskgmm.em.models.model import Model
from daskgmm.em.precision import LOWERED, may_be_single, told
from daskgmm.em.settings import CALM, Settings
from daskgmm.em.survey.survey import Survey, TrainingSet
from daskgmm.gaussian.charts.chart import ChartAt
from daskgmm.gaussian.components.splitting import split_into
from daskgmm.gaussian.covariance.algebra.precision import SingularError
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.kernels.choice import counted_together
from daskgmm.gaussian.kernels.kernel import Kernel
from daskgmm.gaussian.kernels.single import SingleKernel
from daskgmm.gaussian.m_step import IllDefinedError, Maximised, means_of
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.parameters import Parameters
from daskgmm.passes.configuration import backend

LOGGER = logging.getLogger("daskgmm")


@dataclass(frozen=True, slots=True)
class Fit:
    """Progress of the iterations from one start.

    Attributes
    ----------
    step : Maximised
        The M-step after the best pass, or the start: the parameters, and what is wrong with
        them.
    iterations : tuple of Iterated
    converged : bool
    search : Search or None
        What acceleration knows; None for plain EM, and before the first pass.
    revived : bool
        Whether components that died were given rows once: a second time they stay dead.
    """

    step: Maximised
    iterations: tuple[Iterated, ...] = ()
    converged: bool = False
    search: Search | None = None
    revived: bool = False

    @property
    def proposal(self) -> Parameters:
        """Parameters that the next pass evaluates."""
        return self.step.parameters if self.search is None else self.search.proposal

    @property
    def gap(self) -> float:
        """The increase that is predicted to be left, in nats per row; nan if nothing tells."""
        return math.nan if self.search is None else self.search.gap

    @property
    def lower_bound(self) -> float:
        """The last lower bound; minus infinity if there was no iteration."""
        return self.iterations[-1].lower_bound if self.iterations else -math.inf

    def without_points(self) -> Fit:
        """Return the fit without what only further steps of acceleration need."""
        if self.search is None:
            return self
        return replace(self, search=without_points(self.search, self.step.parameters))

    def ended(self, max_iter: int) -> bool:
        """Return whether nothing is left to do."""
        return self.converged or len(self.iterations) >= max_iter


def best_of(fits: Sequence[Fit], survey: Survey, settings: Settings) -> Fit:
    """Return the fit of the highest lower bound among those with fewest degenerate components."""
    return max(
        fits, key=lambda fit: (-survey.n_degenerate(fit.step, settings.reg_covar), fit.lower_bound)
    )


STANDSTILL = 10
"""Passes after which a fit ends that gained next to nothing in them, whatever is predicted."""

WINDOW = 2
"""Passes whose gains predict what is left, beside those of as many before them."""

Keep = Callable[[Fit], None]
"""Called after every iteration with what there is to go on from."""


def forget(fit: Fit) -> None:
    """Keep nothing."""


def iterate(
    rows: TrainingSet,
    begin: Fit,
    settings: Settings,
    keep: Keep = forget,
    bound: float = -math.inf,
    initialisation: int = 0,
) -> Fit:
    """Run EM from a start, or what an interrupted run has kept, to convergence or `max_iter`.

    `bound` is the lower bound that a start has reached already, as after an earlier fit.
    """
    listen = rows.listen
    listen(Started(initialisation))
    fit = begin
    while not fit.ended(settings.max_iter):
        before = fit.lower_bound if fit.iterations else bound
        (evaluated,) = evaluate(rows, [fit], [settings])
        if isinstance(evaluated, IllDefinedError):
            raise evaluated
        fit = advanced(fit, evaluated, settings, before, initialisation)
        keep(fit)
        listen(fit.iterations[-1])  # what is told is safe: no crash makes it a second time
    listen(Ended(initialisation, fit.lower_bound if fit.iterations else bound, fit.converged))
    return fit


def iterate_together(
    rows: TrainingSet, begins: Sequence[Fit], settings: Settings
) -> list[Fit | IllDefinedError]:
    """Run EM from several starts at once, silently: each pass is for all that have not ended.

    Returns the end of each, or why one of its M-steps failed.
    """
    found: list[Fit | IllDefinedError] = list(begins)
    while True:
        going = [
            (place, fit)
            for place, fit in enumerate(found)
            if isinstance(fit, Fit) and not fit.ended(settings.max_iter)
        ]
        if not going:
            return found
        fits = [fit for _, fit in going]
        evaluated = evaluate(rows, fits, [settings] * len(fits))
        for (place, fit), each in zip(going, evaluated, strict=True):
            found[place] = (
                advanced(fit, each, settings, fit.lower_bound, together=len(begins))
                if isinstance(each, Evaluated)
                else each
            )


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Result of one pass: the M-step from its parameters, and its record.

    `em` is where a step along the gradient leads to (`Maximised.em`), `shares` (3, k) are those of
    `Point`, and the last three are of the model.
    """

    parameters: Parameters
    step: Maximised
    em: Parameters
    shares: Array
    iterated: Iterated
    chart_at: ChartAt | None
    is_free: bool
    tolerance_unit: float


def evaluate(
    rows: TrainingSet,
    fits: Sequence[Fit],
    settings: Sequence[Settings],
    riding: Collection[int] = (),
) -> list[Evaluated | IllDefinedError]:
    """Return what one pass finds for the proposals of several fits, or why an M-step fails.

    An M-step that loses its digits is made again after a pass of its own; of the fits at the places
    `riding` it fails instead.
    """
    began, old = time.perf_counter(), [fit.proposal for fit in fits]
    models = [model_of(chosen, rows.survey) for chosen in settings]
    number, kernels = 1 + max(len(fit.iterations) for fit in fits), _kernels(fits, settings, models)
    many, ended = expect(rows, kernels, number)
    found: list[Evaluated | IllDefinedError] = []
    for place, (fit, model, parameters, moments) in enumerate(
        zip(fits, models, old, many, strict=True)
    ):
        number, nbytes = 1 + len(fit.iterations), ended.nbytes
        single = isinstance(kernels[place], SingleKernel)
        step, points = _attempted(model, moments, parameters, single)
        if points is not None and place in riding:
            found.append(IllDefinedError("The M-step needs a pass of its own."))
            continue
        if points is not None:
            # Once more, about the new means: the next pass would begin from noise.
            single = False
            kernel = model.kernel_about(parameters, points)
            (moments,), again = expect(rows, [kernel], number)
            nbytes += again.nbytes
            try:
                step = model.step(model.complete(moments), parameters)
            except IllDefinedError as error:
                found.append(error)
                continue
        assert step is not None, "the M-step succeeds, or is tried about other points"
        bound, seconds = model.objective(moments, parameters), time.perf_counter() - began
        record = Iterated(
            iteration=number,
            lower_bound=bound - LOWERED if single else bound,
            in_float32=single,
            rows=moments.rows,
            seconds=seconds,
            nbytes=nbytes,
            peak_memory=ended.peak_memory,
        )
        found.append(_evaluated(model, parameters, step, moments, record))
    return found


def _evaluated(
    model: Model, parameters: Parameters, step: Maximised, moments: Moments, record: Iterated
) -> Evaluated:
    """Return what a pass at parameters found, with what its model tells."""
    chart_at = model.chart_at if model.has_chart else None
    em, step = step.em or step.parameters, replace(step, em=None)
    own = step, em, _shares(model.complete(moments)), record
    of_model = chart_at, model.is_free, model.tolerance_unit
    return Evaluated(parameters, *own, *of_model)


def _kernels(
    fits: Sequence[Fit], settings: Sequence[Settings], models: Sequence[Model]
) -> list[Kernel]:
    """Return the densities of the proposals of fits, in float32 where the pass may be."""
    proposals, shares = [fit.proposal for fit in fits], backend().shares_products
    together, found = counted_together(proposals, share_products=shares), list[Kernel]()
    for fit, chosen, model, components in zip(fits, settings, models, together, strict=True):
        kernel = model.kernel(fit.proposal, components)
        single = may_be_single(fit.iterations, chosen)
        found.append(model.in_single(kernel, fit.proposal) if single else kernel)
    return found


def _shares(complete: Moments) -> Array:
    """Return the three counts of each component over the weight of the rows, (3, k)."""
    counts = complete.counts, complete.mean_counts, complete.scale_counts
    return np.stack(counts) / complete.weight


def _attempted(
    model: Model, moments: Moments, parameters: Parameters, single: bool
) -> tuple[Maximised | None, Array | None]:
    """Return the M-step, if it succeeds, and its means where its covariances are rounding."""
    complete = model.complete(moments)
    try:
        step = model.step(complete, parameters)
    except IllDefinedError:
        return None, means_of(complete, parameters)
    return step, step.parameters.means if model.loses_digits(step, complete, single) else None


def advanced(
    fit: Fit,
    evaluated: Evaluated,
    settings: Settings,
    before: float,
    initialisation: int = 0,
    together: int = 1,
) -> Fit:
    """Return the fit after a pass; `before` is the lower bound that it had.

    So many fits advance `together`, and share the memory of acceleration.
    """
    at = evaluated.parameters
    most = most_points(structure_of(at), at.n_components, at.n_features, together)
    if not settings.accelerated:
        fit = _plain(fit, evaluated, settings, before)
    elif evaluated.chart_at is not None and most:
        fit = _accelerated(fit, evaluated, settings, before, most, evaluated.chart_at)
    else:
        fit = _em_step(fit, evaluated, settings, before)
    iterated = replace(fit.iterations[-1], initialisation=initialisation, gap=fit.gap)
    iterated = told(iterated, before)
    converged = fit.converged and not iterated.in_float32
    return replace(fit, iterations=(*fit.iterations[:-1], iterated), converged=converged)


def _plain(fit: Fit, evaluated: Evaluated, settings: Settings, before: float) -> Fit:
    change = evaluated.iterated.lower_bound - before
    iterated = replace(evaluated.iterated, change=change)
    converged = abs(change) < settings.tol * evaluated.tolerance_unit
    return Fit(evaluated.step, (*fit.iterations, iterated), converged)


def _em_step(fit: Fit, evaluated: Evaluated, settings: Settings, before: float) -> Fit:
    """Return the fit after a step of EM whose end is judged as that of acceleration is."""
    plain, calm = _plain(fit, evaluated, settings, before), 0
    gap = remaining_gain([each.change for each in plain.iterations[-2:]], settings.gap_tolerance)
    if gap < settings.gap_tolerance:
        calm = 1 + (0 if fit.search is None else fit.search.calm)
    search = Search(plain.step.parameters, gap=gap, calm=calm)
    return replace(plain, converged=calm >= CALM, search=search, revived=fit.revived)


def _accelerated(
    fit: Fit, evaluated: Evaluated, settings: Settings, before: float, most: int, chart_at: ChartAt
) -> Fit:
    step, bound = evaluated.step, evaluated.iterated.lower_bound
    parameters, image = evaluated.parameters, step.parameters
    search = Search(parameters) if fit.search is None else fit.search
    if search.kind == "revival":
        if not bound >= before:
            return replace(_rejected(fit, evaluated, before), search=Search(fit.step.parameters))
        search = Search(parameters)
    if step.empty and evaluated.is_free and not fit.revived and search.kind == "em":
        return _revived(fit, evaluated, settings, before)
    if not _is_regular(step, parameters):
        # No exact M-step, so no gradient: plain EM until it is one again.
        return _degenerate(fit, evaluated, settings, before)
    shares = evaluated.shares
    if settings.equal_weights:
        # Weights are no coordinates: with equal shares the gradient has nothing along them.
        shares = np.stack([np.full_like(shares[0], shares[0].mean()), *shares[1:]])
    try:
        search, accepted = advance(
            search, image, evaluated.em, shares, bound, settings.gap_tolerance, most, chart_at
        )
    except SingularError:  # in a form whose covariances are matrices
        return _degenerate(fit, evaluated, settings, before)
    if not accepted:
        return _ended(replace(_rejected(fit, evaluated, before), search=search), settings)
    iterated = replace(evaluated.iterated, change=bound - before)
    iterations = (*fit.iterations, iterated)
    if not evaluated.is_free or most <= MIN_PAIRS:
        search = doubted(search, iterations, settings.gap_tolerance)
    fit = Fit(step, iterations, search.calm >= CALM, search, fit.revived)
    return _ended(fit, settings)


def _is_regular(step: Maximised, parameters: Parameters) -> bool:
    """Return whether an M-step is exact, and both ends of it have coordinates."""
    if step.ridges or step.collapsed or not parameters.weights.min() > 0:
        return False
    if 0.0 in (parameters.noise_weight, step.parameters.noise_weight):
        return False
    return not step.empty


def doubted(search: Search, iterations: Sequence[Iterated], tolerance: float) -> Search:
    """Return the search with the gain that the last passes predict, if that is more.

    Where EM steps stand for gradients, or pairs of points are few, the quadratic model knows too
    little of slow directions.
    """
    window = min(WINDOW, (len(iterations) - 1) // 2)
    if not window:
        return search
    bounds = [record.lower_bound for record in iterations[-2 * window - 1 :]]
    changes = bounds[window] - bounds[0], bounds[-1] - bounds[window]
    gap = remaining_gain(changes, tolerance)
    return replace(search, gap=max(search.gap, gap), calm=search.calm if gap < tolerance else 0)


def _ended(fit: Fit, settings: Settings) -> Fit:
    """Return the fit, converged if its last passes raised the objective by nothing.

    Where a weight goes to 0, the gradient predicts a gain that no step reaches.
    """
    bounds = [record.lower_bound for record in fit.iterations[-STANDSTILL - 1 :]]
    risen = max(0.0, bounds[-1] - bounds[0])  # by rounding it falls
    if len(bounds) <= STANDSTILL or not risen < SURE * settings.gap_tolerance:
        return fit
    search = None if fit.search is None else replace(fit.search, gap=min(fit.gap, risen))
    return replace(fit, converged=True, search=search)


def _rejected(fit: Fit, evaluated: Evaluated, before: float) -> Fit:
    """Return the fit as it was, one pass later."""
    iterated = replace(evaluated.iterated, lower_bound=before, change=0.0, accepted=False)
    return replace(fit, iterations=(*fit.iterations, iterated))


def _degenerate(fit: Fit, evaluated: Evaluated, settings: Settings, before: float) -> Fit:
    if fit.search is not None and fit.search.kind != "em":
        search = restart(fit.search, fit.step.parameters)
        return replace(_rejected(fit, evaluated, before), search=search)
    return _em_step(fit, evaluated, settings, before)


def _revived(fit: Fit, evaluated: Evaluated, settings: Settings, before: float) -> Fit:
    """Return the fit with components that died on halves of others, to be tried once.

    If that lowers the likelihood they stay dead, with the weight 0.
    """
    plain = replace(_degenerate(fit, evaluated, settings, before), revived=True)
    dead = plain.step.empty
    parameters = plain.step.parameters
    if settings.equal_weights:  # what is heavy is told by the rows alone
        parameters = replace(parameters, weights=evaluated.shares[0])
    proposal = split_into(parameters, dead)
    if not dead or proposal is None:
        return plain
    if settings.equal_weights:
        proposal = proposal.with_equal_weights()
    LOGGER.info("components %s died; they are tried on halves of the heaviest", list(dead))
    return replace(plain, converged=False, search=Search(proposal, kind="revival"))
