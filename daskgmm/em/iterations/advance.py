"""How a fit goes on from a pass: by EM, accelerated or not, and when it has converged."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from daskgmm.em.acceleration.memory import most_points
from daskgmm.em.acceleration.search import (
    MIN_PAIRS,
    SURE,
    Rules,
    Search,
    advance,
    remaining_gain,
    restart,
)
from daskgmm.em.events import Iterated
from daskgmm.em.iterations.evaluation import Evaluated
from daskgmm.em.iterations.precision import told
from daskgmm.em.iterations.progress import Fit
from daskgmm.em.settings import CALM, Settings
from daskgmm.gaussian.charts.chart import ChartAt
from daskgmm.gaussian.components.splitting import split_into
from daskgmm.gaussian.covariance.algebra.precision import SingularError
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.m_step import Maximised
from daskgmm.gaussian.parameters import Parameters

LOGGER = logging.getLogger("daskgmm")

STANDSTILL = 10
"""Passes after which a fit ends that gained next to nothing in them, whatever is predicted."""

WINDOW = 2
"""Passes whose gains predict what is left, beside those of as many before them."""


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
    at, cells = evaluated.parameters, fit.cells
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
    iterations = (*fit.iterations[:-1], iterated)
    return replace(fit, iterations=iterations, converged=converged, cells=cells)


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
    # Those of a truncated mixture are candidates where the rows of others are not.
    revivable = evaluated.is_free and not fit.revived and fit.cells is None
    if step.empty and revivable and search.kind == "em":
        return _revived(fit, evaluated, settings, before)
    if not _is_regular(step, parameters):
        # No exact M-step, so no gradient: plain EM until it is one again.
        return _degenerate(fit, evaluated, settings, before)
    shares = evaluated.shares
    if settings.equal_weights:
        # Weights are no coordinates: with equal shares the gradient has nothing along them.
        shares = np.stack([np.full_like(shares[0], shares[0].mean()), *shares[1:]])
    try:
        rules = Rules(settings.gap_tolerance, most, chart_at)
        search, accepted = advance(search, image, evaluated.em, shares, bound, rules)
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
