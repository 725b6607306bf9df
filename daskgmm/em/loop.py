"""Expectation-maximisation: pass, statistics, M-step, until the likelihood stands still."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from daskgmm.em.events import Ended, Iterated, Listener, Started
from daskgmm.em.expectation import expect
from daskgmm.em.settings import Settings
from daskgmm.em.survey import Survey
from daskgmm.gaussian.guard import TOLERANCE, moment_error
from daskgmm.gaussian.maximise import Maximised, maximise
from daskgmm.gaussian.statistics import Statistics
from daskgmm.passes.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Fit:
    """How far the iterations from one start have come.

    Attributes
    ----------
    step : Maximised
        The last M-step, or the start: the parameters, and what is wrong with them.
    iterations : tuple of Iterated
    converged : bool
    """

    step: Maximised
    iterations: tuple[Iterated, ...] = ()
    converged: bool = False

    @property
    def lower_bound(self) -> float:
        """The last lower bound; minus infinity if there was no iteration."""
        return self.iterations[-1].lower_bound if self.iterations else -math.inf

    def ended(self, max_iter: int) -> bool:
        """Return whether nothing is left to do."""
        return self.converged or len(self.iterations) >= max_iter


Keep = Callable[[Fit], None]
"""Called after every iteration with what there is to go on from."""


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
    keep: Keep,
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
        step, iterated = iterate_once(data, survey, fit, settings, listen)
        change = iterated.lower_bound - before
        iterated = replace(iterated, initialisation=initialisation, change=change)
        converged = abs(change) < settings.tol
        fit = Fit(step, (*fit.iterations, iterated), converged)
        listen(iterated)
        keep(fit)
    listen(Ended(initialisation, fit.lower_bound if fit.iterations else bound, fit.converged))
    return fit


def iterate_once(
    data: Dataset, survey: Survey, fit: Fit, settings: Settings, listen: Listener
) -> tuple[Maximised, Iterated]:
    """Return the next M-step and its record, which does not yet know what was before."""
    began, old = time.perf_counter(), fit.step.parameters
    number = len(fit.iterations) + 1
    statistics, ended = expect(data, old, survey, listen, number)
    step = maximise(statistics, settings.structure, settings.reg_covar, old)
    nbytes = ended.nbytes
    if loses_digits(step, statistics, survey):
        # Once more, about the new means: the next pass would begin from noise.
        about = step.parameters.means
        statistics, ended = expect(data, old, survey, listen, number, about)
        step = maximise(statistics, settings.structure, settings.reg_covar, old)
        nbytes += ended.nbytes
    seconds = time.perf_counter() - began
    bound, rows = statistics.mean_log_likelihood, statistics.rows
    return step, Iterated(0, number, bound, math.inf, rows, seconds, nbytes, ended.peak_memory)
