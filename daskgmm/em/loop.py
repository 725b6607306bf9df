"""Expectation-maximisation: pass, statistics, M-step, until the likelihood stands still."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from daskgmm.em.acceleration import Search, advance, restart
from daskgmm.em.events import Ended, Iterated, Listener, Started
from daskgmm.em.expectation import expect
from daskgmm.em.many import expect_many
from daskgmm.em.settings import Settings
from daskgmm.em.survey import Survey
from daskgmm.gaussian.guard import TOLERANCE, moment_error
from daskgmm.gaussian.maximise import IllDefinedError, Maximised, maximise, means_of
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.splitting import revived
from daskgmm.gaussian.statistics import Statistics
from daskgmm.gaussian.structures import STRUCTURES
from daskgmm.passes.dataset import Dataset

Array = NDArray[np.float64]

LOGGER = logging.getLogger("daskgmm")


@dataclass(frozen=True, slots=True)
class Fit:
    """How far the iterations from one start have come.

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
        """What the next pass evaluates."""
        return self.step.parameters if self.search is None else self.search.proposal

    @property
    def gap(self) -> float:
        """The increase that is predicted to be left, in nats a row; nan if nothing tells."""
        return math.nan if self.search is None else self.search.gap

    @property
    def lower_bound(self) -> float:
        """The last lower bound; minus infinity if there was no iteration."""
        return self.iterations[-1].lower_bound if self.iterations else -math.inf

    def ended(self, max_iter: int) -> bool:
        """Return whether nothing is left to do."""
        return self.converged or len(self.iterations) >= max_iter


CALM = 2
"""Passes in a row that must predict little gain: one alone may be a plateau."""

Keep = Callable[[Fit], None]
"""Called after every iteration with what there is to go on from."""


def forget(fit: Fit) -> None:
    """Keep nothing."""


def loses_digits(step: Maximised, statistics: Statistics, survey: Survey) -> bool:
    """Return whether the new covariances are small beside the distance of their moments.

    The kernel was chosen for the parameters before: components that were wide and are now
    narrow have their moments about points too far away, and what came out is rounding.
    """
    if (step.ridges or step.collapsed) and (statistics.reference == survey.mean).all():
        return True
    return moment_error(step.parameters, statistics.reference) > TOLERANCE


def iterate(
    data: Dataset,
    survey: Survey,
    begin: Fit,
    settings: Settings,
    listen: Listener,
    keep: Keep = forget,
    bound: float = -math.inf,
    initialisation: int = 0,
) -> Fit:
    """Run EM from where `begin` is until it converges or `max_iter` is reached.

    Parameters
    ----------
    begin : Fit
        A start without iterations, or what an interrupted run has kept.
    bound : float
        The lower bound that a start has reached already, as after an earlier fit.
    """
    listen(Started(initialisation))
    fit = begin
    while not fit.ended(settings.max_iter):
        before = fit.lower_bound if fit.iterations else bound
        evaluated = evaluate(data, survey, fit, settings, listen)
        fit = advanced(fit, evaluated, settings, before, initialisation)
        listen(fit.iterations[-1])
        keep(fit)
    listen(Ended(initialisation, fit.lower_bound if fit.iterations else bound, fit.converged))
    return fit


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What one pass found.

    Attributes
    ----------
    parameters : Parameters
        Those of the pass.
    step : Maximised
        The M-step from them.
    iterated : Iterated
        The record, with the likelihood of the pass.
    """

    parameters: Parameters
    step: Maximised
    iterated: Iterated


def evaluate(
    data: Dataset, survey: Survey, fit: Fit, settings: Settings, listen: Listener
) -> Evaluated:
    """Return what a pass with the proposed parameters finds."""
    began, old = time.perf_counter(), fit.proposal
    number = len(fit.iterations) + 1
    statistics, ended = expect(data, old, survey, listen, number, None, settings.noise)
    step, about = _attempted(statistics, settings, old, survey)
    nbytes = ended.nbytes
    if step is None or about is not None:
        # Once more, about the new means: the next pass would begin from noise.
        statistics, ended = expect(data, old, survey, listen, number, about, settings.noise)
        step = _maximised(statistics, settings, old, survey)
        nbytes += ended.nbytes
    seconds = time.perf_counter() - began
    bound, rows = statistics.mean_log_likelihood, statistics.rows
    record = Iterated(
        0, number, bound, math.inf, math.nan, True, rows, seconds, nbytes, ended.peak_memory
    )
    return Evaluated(old, step, record)


def _maximised(
    statistics: Statistics, settings: Settings, old: Parameters, survey: Survey
) -> Maximised:
    least = survey.least_variances if settings.reg_covar == 0 else None
    return maximise(statistics, settings.structure, settings.reg_covar, old, least=least)


def _attempted(
    statistics: Statistics, settings: Settings, old: Parameters, survey: Survey
) -> tuple[Maximised | None, Array | None]:
    """Return the M-step, if it succeeds, and its means where its covariances are rounding."""
    try:
        step = _maximised(statistics, settings, old, survey)
    except IllDefinedError:
        return None, means_of(statistics, old)
    return step, step.parameters.means if loses_digits(step, statistics, survey) else None


def evaluate_many(
    data: Dataset,
    survey: Survey,
    fits: Sequence[Fit],
    settings: Sequence[Settings],
    listen: Listener,
) -> list[Evaluated | IllDefinedError]:
    """Return what one pass finds for the proposals of several fits, or why an M-step fails."""
    began, old = time.perf_counter(), [fit.proposal for fit in fits]
    number = 1 + max(len(fit.iterations) for fit in fits)
    many, ended = expect_many(data, old, survey, listen, number, settings[0].noise)
    seconds = time.perf_counter() - began
    found: list[Evaluated | IllDefinedError] = []
    for fit, parameters, statistics, chosen in zip(fits, old, many, settings, strict=True):
        step, about = _attempted(statistics, chosen, parameters, survey)
        if step is None or about is not None:
            # A pass of its own, about its new means.
            number = len(fit.iterations) + 1
            statistics, _ = expect(data, parameters, survey, listen, number, about, chosen.noise)
            try:
                step = _maximised(statistics, chosen, parameters, survey)
            except IllDefinedError as error:
                found.append(error)
                continue
        bound, rows = statistics.mean_log_likelihood, statistics.rows
        number, nbytes, peak = len(fit.iterations) + 1, ended.nbytes, ended.peak_memory
        record = Iterated(0, number, bound, math.inf, math.nan, True, rows, seconds, nbytes, peak)
        found.append(Evaluated(parameters, step, record))
    return found


def advanced(
    fit: Fit, evaluated: Evaluated, settings: Settings, before: float, initialisation: int = 0
) -> Fit:
    """Return the fit after a pass; `before` is the lower bound that it had."""
    accelerated = settings.accelerated and STRUCTURES[settings.structure].free
    fit = (_accelerated if accelerated else _plain)(fit, evaluated, settings, before)
    iterated = replace(fit.iterations[-1], initialisation=initialisation, gap=fit.gap)
    return replace(fit, iterations=(*fit.iterations[:-1], iterated))


def _plain(fit: Fit, evaluated: Evaluated, settings: Settings, before: float) -> Fit:
    change = evaluated.iterated.lower_bound - before
    iterated = replace(evaluated.iterated, change=change)
    return Fit(evaluated.step, (*fit.iterations, iterated), abs(change) < settings.tol)


def _accelerated(fit: Fit, evaluated: Evaluated, settings: Settings, before: float) -> Fit:
    step, bound = evaluated.step, evaluated.iterated.lower_bound
    parameters, image = evaluated.parameters, step.parameters
    search = Search(parameters) if fit.search is None else fit.search
    if search.kind == "revival":
        if not bound >= before:
            return replace(_rejected(fit, evaluated, before), search=Search(fit.step.parameters))
        search = Search(parameters)
    if step.empty and not fit.revived and search.kind == "em":
        return _revived(fit, evaluated, settings, before)
    if step.empty or step.ridges or step.collapsed or not parameters.weights.min() > 0:
        # No exact M-step, so no gradient: plain EM until it is one again.
        return _degenerate(fit, evaluated, settings, before)
    search, accepted = advance(search, image, bound, settings.gap_tolerance)
    if not accepted:
        return replace(_rejected(fit, evaluated, before), search=search)
    iterated = replace(evaluated.iterated, change=bound - before)
    converged = search.calm >= CALM
    return Fit(step, (*fit.iterations, iterated), converged, search, fit.revived)


def _rejected(fit: Fit, evaluated: Evaluated, before: float) -> Fit:
    """Return the fit as it was, one pass later."""
    iterated = replace(evaluated.iterated, lower_bound=before, change=0.0, accepted=False)
    return replace(fit, iterations=(*fit.iterations, iterated))


def _degenerate(fit: Fit, evaluated: Evaluated, settings: Settings, before: float) -> Fit:
    if fit.search is not None and fit.search.kind != "em":
        search = restart(fit.search, fit.step.parameters)
        return replace(_rejected(fit, evaluated, before), search=search)
    plain = _plain(fit, evaluated, settings, before)
    search = Search(plain.step.parameters, gap=math.nan)
    return replace(plain, search=search, revived=fit.revived)


def _revived(fit: Fit, evaluated: Evaluated, settings: Settings, before: float) -> Fit:
    """Return the fit with components that died on halves of others, to be tried once.

    If that lowers the likelihood they stay dead, with the weight 0.
    """
    plain = replace(_degenerate(fit, evaluated, settings, before), revived=True)
    dead = plain.step.empty
    proposal = revived(plain.step.parameters, dead)
    if not dead or proposal is None:
        return plain
    LOGGER.info("components %s died; they are tried on halves of the heaviest", list(dead))
    return replace(plain, converged=False, search=Search(proposal, kind="revival"))
