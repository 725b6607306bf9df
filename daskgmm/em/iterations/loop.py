"""Expectation-maximisation: pass, statistics, M-step, until the likelihood stands still."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from daskgmm.em.events import Ended, Started
from daskgmm.em.iterations.advance import advanced
from daskgmm.em.iterations.evaluation import Evaluated, evaluate
from daskgmm.em.iterations.progress import Fit
from daskgmm.em.iterations.renewal import renewed
from daskgmm.em.settings import Settings
from daskgmm.em.survey.survey import TrainingSet
from daskgmm.gaussian.m_step import IllDefinedError

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
    # One that had converged when `max_iter` ended it goes on with other candidates, if it has some.
    fit = renewed(rows, begin, settings, initialisation) if begin.converged else begin
    if fit is not begin:
        keep(fit)
        listen(fit.iterations[-1])
    while not fit.ended(settings.max_iter):
        before, told = fit.lower_bound if fit.iterations else bound, len(fit.iterations)
        (evaluated,) = evaluate(rows, [fit], [settings])
        if isinstance(evaluated, IllDefinedError):
            raise evaluated
        fit = advanced(fit, evaluated, settings, before, initialisation)
        if fit.converged:
            fit = renewed(rows, fit, settings, initialisation)
        keep(fit)
        for made in fit.iterations[told:]:
            listen(made)  # what is told is safe: no crash makes it a second time
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
