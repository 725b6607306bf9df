"""Expectation-maximisation: pass, statistics, M-step, until the likelihood stands still."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from daskgmm.em.events import BatchDone, Ended, Iterated, Listener, Started
from daskgmm.em.expectation import expect
from daskgmm.em.settings import Settings
from daskgmm.em.survey import Survey
from daskgmm.gaussian.guard import TOLERANCE, moment_error
from daskgmm.gaussian.maximise import Maximised, maximise
from daskgmm.gaussian.statistics import Statistics
from daskgmm.passes.sweep import Dataset


@dataclass(frozen=True, slots=True)
class Fit:
    """Where the iterations ended.

    Attributes
    ----------
    step : Maximised
        The last M-step, or the start: the parameters, and what is wrong with them.
    lower_bounds : tuple of float
        Mean log-likelihood of each iteration's pass, in nats a row: of the parameters
        before that iteration's M-step.
    converged : bool
    """

    step: Maximised
    lower_bounds: tuple[float, ...]
    converged: bool

    @property
    def lower_bound(self) -> float:
        """The last lower bound; minus infinity if there was no iteration."""
        return self.lower_bounds[-1] if self.lower_bounds else -math.inf


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
    start: Maximised,
    settings: Settings,
    listen: Listener,
    bound: float = -math.inf,
    initialisation: int = 0,
) -> Fit:
    """Run EM from the given start until it converges or `max_iter` is reached.

    Parameters
    ----------
    bound : float
        The lower bound that the start has reached already, as after an earlier fit.
    """
    listen(Started(initialisation))
    step, bounds, converged = start, [], False
    for iteration in range(1, settings.max_iter + 1):
        began = time.perf_counter()
        statistics = expect(
            data, step.parameters, survey, lambda done, total: listen(BatchDone(done, total))
        )
        old = step.parameters
        step = maximise(statistics, settings.structure, settings.reg_covar, old)
        if loses_digits(step, statistics, survey):
            # Once more, about the new means: the next pass would begin from noise.
            statistics = expect(data, old, survey, reference=step.parameters.means)
            step = maximise(statistics, settings.structure, settings.reg_covar, old)
        bounds.append(statistics.mean_log_likelihood)
        change, bound = bounds[-1] - bound, bounds[-1]
        seconds = time.perf_counter() - began
        listen(Iterated(initialisation, iteration, bound, change, statistics.rows, seconds))
        if abs(change) < settings.tol:
            converged = True
            break
    listen(Ended(initialisation, bound, converged))
    return Fit(step, tuple(bounds), converged)
