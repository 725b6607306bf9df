"""Refusals of standard errors that would mean nothing, with what to do."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.companions import ARGUMENTS, LABELS, Companions
from daskgmm.counting import counted
from daskgmm.em.survey.rounding import TELLING_ROWS, rounding_of, settled
from daskgmm.em.survey.sample import Sample
from daskgmm.errors import DataError, SettingError
from daskgmm.gaussian.charts.restriction import is_restricted
from daskgmm.gaussian.charts.score_chart import ScoreChart, has_chart
from daskgmm.gaussian.covariance.low_rank.families import FAMILIES
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.floor import Floor
from daskgmm.gaussian.m_step import Maximised
from daskgmm.gaussian.parameters import Parameters
from daskgmm.models.facts.degeneracy import reason_of
from daskgmm.models.facts.fitted_on import has_known_noise, has_labels
from daskgmm.models.settings.equal_weights import has_equal_weights
from daskgmm.models.uncertainty.curvature import Curvature
from daskgmm.models.uncertainty.of_prior import has_its_prior
from daskgmm.readers import remedy

NOISE = ARGUMENTS["noise"]

LEAST_UNITS = 30
"""Units below which the variance of their scores is known too badly: to 13 % in standard errors."""

LARGEST_REG_COVAR = 0.01
"""Part of the smallest variance from which on `reg_covar` shifts standard errors by more than 2 %
where EM adds it to covariances instead of maximising a likelihood that has it."""

MOST_PARAMETERS = 3000
"""Free parameters beyond which their curvature, a matrix, takes minutes."""

LEAST_CURVATURE = 1e-6
"""Curvature below which a mixture has a direction that changes nothing; 1 if components are known:
EM moves a millionth of the way there in a step."""

WIDEST = 0.5
"""Standard error of a mean or a covariance, in a component's own widths, from which quadratic
approximations say nothing."""

FARTHEST = 0.25
"""Distance from the maximum, in standard errors, from which on an interval of 95 % covers less than
94 %."""

SURELY = 1000.0
"""The same, beyond which it is no number: nothing is quadratic so far away."""

LARGEST_STEP = 1e100
"""Step of EM, in standard errors, beyond which squares of scores might overflow."""

LEAST_TOL = 1e-12
"""Relative gains below are rounding: no fit is told to stop there."""

BOOTSTRAP = "take the spread of fits to rows that are drawn with replacement (a bootstrap)"


LEAST_OUTLIERS = 0.01
"""Rows of the uniform component below which its weight goes to 0, the end of its range."""

NO_OUTLIER = (
    "no row is an outlier, so that nothing tells the noise. Fit without noise=True (--noise)"
)


def go_on(tol: str) -> str:
    """Return what to do about a fit that ended too early, with a tolerance as said."""
    return (
        f"If these are the rows of the fit, fit again with {tol} (--tol) and a large max_iter "
        f"(--max-iter){remedy(', with warm_start=True from here', '')}; else fit to these rows."
    )


def chart_of(mixture: Any, parameters: Parameters, beside: Companions[Any]) -> ScoreChart:
    """Return the coordinates of a mixture; raise `SettingError` where it has no standard errors."""
    because, ended = _reason_of_none(mixture, parameters, beside), mixture._ended_with
    if because is not None:
        raise SettingError(f"This mixture has no standard errors: {because}.")
    if not parameters.weights.min() > 0:
        empty = ", ".join(map(str, np.flatnonzero(parameters.weights <= 0)))
        raise ValueError(
            f"Components without rows have no standard errors: {empty}. Reduce n_components."
        )
    chart = ScoreChart.of(
        parameters,
        noise=0.0 if ended is None else ended.noise,
        reg_covar=float(getattr(mixture, "reg_covar", 0.0)),
        equal_weights=has_equal_weights(mixture),
    )
    if chart.n_parameters > MOST_PARAMETERS:
        raise SettingError(
            f"The mixture has {chart.n_parameters:,} free parameters, and standard errors are for "
            f"{MOST_PARAMETERS:,} at most: their curvature is a matrix. Fit fewer components, or "
            f"covariance_type='diag', or principal axes (pca), or {BOOTSTRAP}."
        )
    return chart


def _reason_of_none(mixture: Any, parameters: Parameters, beside: Companions[Any]) -> str | None:
    """Return why a mixture has no standard errors, and what to do; None if it has."""
    if parameters.log_weights is not None:
        return (
            "a variational posterior says itself how uncertain its parameters are. A "
            f"GaussianMixture has those of a likelihood; else {BOOTSTRAP}"
        )
    if has_known_noise(mixture) and beside.noise is None:
        return (
            "it was fitted with noise_variance, and rows without are exact. Give it: "
            "noise_variance= (--noise-variance)"
        )
    if has_labels(mixture) and beside.labels is None:
        return (
            "it was fitted with labels, and without them rows have another likelihood. Give them: "
            "labels= (--labels)"
        )
    if parameters.makes_room and not parameters.has_noise:
        return (
            "tails have parameters of their own, beside those of Gaussians, which are often at an "
            "end of their range. Fit without them if no rows are outliers, or with noise=True "
            f"(--noise), or {BOOTSTRAP}"
        )
    if parameters.has_noise and not parameters.noise_weight:
        return NO_OUTLIER
    if parameters.has_noise and beside.noise is not None:
        return "noise=True does not go with the known noise of rows here. Leave one of them out"
    if parameters.structure.partition("-")[0] in FAMILIES:
        return (
            f"covariances of type {mixture.covariance_type!r} are loadings and noise, and loadings "
            "are known up to rotations alone; their curvature is not computed. Those of the "
            f"fourteen structures have standard errors: fit one of these, or {BOOTSTRAP}"
        )
    restricted = is_restricted(parameters)
    if not has_chart(parameters) or not (restricted or structure_of(parameters).free):
        return (
            f"covariances of type {mixture.covariance_type!r} depend on each other in a way that "
            f"is not known here. Fit one of the fourteen structures, or {BOOTSTRAP}"
        )
    if restricted and getattr(mixture, "prior", None) is not None:
        return (
            f"of covariances of type {mixture.covariance_type!r} the curvature of a prior is not "
            f"computed. Fit without prior, or covariance_type='full', or {BOOTSTRAP}"
        )
    if not has_its_prior(mixture):
        return (
            "its prior is not that of its fit any more, so that nothing tells its objective. Set "
            "it as in the fit, or fit again"
        )
    return None


def check_regularised(chart: ScoreChart) -> None:
    """Raise `SettingError` if steps with `reg_covar` are far from those of any likelihood."""
    if chart.noise > 0.0 or chart.reg_covar == 0.0:
        return
    own = chart.parameters
    precision = structure_of(own).precision
    smallest = np.linalg.eigvalsh(precision.matrices(own.covariances, own.n_features)).min()
    if chart.reg_covar > LARGEST_REG_COVAR * smallest:
        raise SettingError(
            f"reg_covar is {chart.reg_covar:g}, {chart.reg_covar / smallest:.0%} of the smallest "
            "variance of a component, and without acceleration it is added in each step, so that "
            "the fit ends at the maximum of no likelihood. Fit with acceleration='auto', or with a "
            "smaller reg_covar (--reg-covar)."
        )


def check_blocks(blocks: Any) -> None:
    """Raise `SettingError` unless it is a number of blocks whose scores have a variance."""
    if isinstance(blocks, bool) or not isinstance(blocks, Integral) or blocks < LEAST_UNITS:
        raise SettingError(
            f"blocks is {blocks!r}; give a whole number of {LEAST_UNITS} or more: the variance of "
            "fewer scores says little."
        )


def check_units(units: int, unit: str, rows: int) -> None:
    """Raise `DataError` if there are too few units of rows."""
    if units >= LEAST_UNITS:
        return
    more = (
        "Name finer groups, of rows that do not depend on those of others, or leave groups out: "
        "blocks of neighbouring rows take their place."
        if unit == "group"
        else f"X has {counted(rows, 'row')} of positive weight; give more."
    )
    raise DataError(
        f"There {'is' if units == 1 else 'are'} {counted(units, unit)}, and standard errors need "
        f"{LEAST_UNITS} or more. {more}"
    )


def check_off_the_floor(mixture: Any, parameters: Parameters, sample: Sample) -> None:
    """Raise `ValueError` for components that are as narrow as a floor allows."""
    x = np.asarray(sample.x, np.float64)
    weights = np.ones(len(x)) if sample.weights is None else sample.weights.astype(np.float64)
    shares = weights / weights.sum()
    there = ~np.isnan(x)
    x = np.where(there, x, shares @ np.where(there, x, 0.0) / (shares @ there))
    centred = x - shares @ x
    some = x[:: max(1, len(x) // TELLING_ROWS)]
    rounding = settled(rounding_of(np.ascontiguousarray(some.T)), some)
    reg_covar = float(getattr(mixture, "reg_covar", 0.0))
    floor = Floor.of((centred.T * shares) @ centred, rounding, reg_covar)
    step = Maximised(parameters)
    where = reason_of(step, floor.resting(step), mixture._axis_names())
    if where:
        raise ValueError(
            f"Standard errors are those of a maximum, and components rest on a floor instead: "
            f"{where}. Reduce n_components, or lower reg_covar (--reg-covar) if such clusters are "
            "real."
        )


def check_slope(slope: Array, total: float, farthest: float = LARGEST_STEP) -> None:
    """Raise `ValueError` if a step of EM, from scores (P,) of rows of this weight, is so far."""
    step = float(np.abs(slope).max()) / math.sqrt(total)
    if not step <= farthest:
        raise ValueError(
            "The parameters are not at a maximum of the likelihood of these rows: a step of EM "
            f"moves them by {_up_to(step)} what would be standard errors if components were known. "
            f"{go_on('a smaller tol')}"
        )


def check_curved(chart: ScoreChart, found: Curvature, slope: Array, total: float) -> None:
    """Raise `ValueError` if the likelihood of rows of this total weight has no maximum here."""
    if found.exceeds(LEAST_CURVATURE):
        return
    check_slope(slope, total, FARTHEST)
    weights = chart.weights
    own = (chart.free @ found.weakest).reshape(len(weights), -1)
    shares = (own**2).sum(1) * weights
    where = _named(chart, np.flatnonzero(shares >= 0.1 * shares.sum()))
    known = f"(curvature {found.least:.1e}, where 1 is that of known components)"
    if found.least < -LEAST_CURVATURE:
        raise ValueError(
            f"The parameters are at no maximum of the likelihood of these rows: changes of {where} "
            f"raise it both ways {known}. {go_on('a smaller tol')} Other starts (n_init, --n-init) "
            "or fewer components are the way if that ends here again."
        )
    raise ValueError(
        f"The mixture is not identified by these rows: {where} can change together with hardly a "
        f"loss of likelihood {known}. Reduce n_components."
    )


def check_noise(chart: ScoreChart, rows: int) -> None:
    """Raise `SettingError` if the uniform component has next to nothing of so many rows."""
    if chart.outliers is not None and chart.outliers[0] * rows < LEAST_OUTLIERS:
        raise SettingError(f"This mixture has no standard errors: {NO_OUTLIER}.")


def check_identified(variances: Array) -> None:
    """Raise `ValueError` for components as uncertain as they are wide; variances are (k, ...)."""
    widest = np.sqrt(variances.max(axis=1))
    named = np.flatnonzero(widest > WIDEST)
    if len(named):
        raise ValueError(
            f"The mixture is not identified by these rows: means or covariances of "
            f"{_components(named)} are uncertain by up to {widest.max():.1f} of the component's "
            "own widths, where no standard error holds. Reduce n_components, or fit more rows."
        )


def _named(chart: ScoreChart, named: NDArray[np.intp]) -> str:
    """Return components in words, with the noise behind them."""
    k = chart.parameters.n_components
    parts = [_components(named[named < k])] if (named < k).any() else []
    return " and ".join([*parts, *(["the noise"] if (named >= k).any() else [])])


def _components(named: NDArray[np.intp]) -> str:
    numbers = ", ".join(map(str, named[:8])) + (", ..." if len(named) > 8 else "")
    return f"component{'s' if len(named) > 1 else ''} {numbers}"


def check_at_maximum(distance: float, left: float, total: float) -> None:
    """Raise `ValueError` if parameters are far from where the likelihood of the rows is largest."""
    if distance <= FARTHEST:
        return
    # The gain that is left goes with the square of the distance, and a fit stops at tol / 100.
    tol = 100.0 * left / total * (FARTHEST / 4.0 / distance) ** 2
    near, told = distance <= SURELY, tol >= LEAST_TOL
    far = f"{distance:.2g}" if near else f"more than {SURELY:,.0f}"
    below = f", {left:.2g} nats below it" if near else ""
    raise ValueError(
        f"The parameters are {far} standard errors from the maximum of the likelihood of these "
        f"rows{below}, and intervals about them would be off. "
        f"{go_on(f'tol={tol:.0e}' if near and told else 'a smaller tol')}"
    )


def _up_to(step: float) -> str:
    return f"up to {step:.2g} of" if step <= SURELY else f"more than {SURELY:,.0f} times"


@contextmanager
def cause_named(mixture: Any, beside: Companions[Any]) -> Iterator[None]:
    """Say in errors about these rows what goes beside them and did not in the fit."""
    try:
        yield
    except ValueError as error:
        facts = getattr(mixture, "fitted_on_", None)
        told = (LABELS, beside.labels, has_labels), (NOISE, beside.noise, has_known_noise)
        more = [name for name, given, of_fit in told if given is not None and not of_fit(mixture)]
        if type(error) is not ValueError or not (facts and more):
            raise
        options = " and ".join(f"{name} (--{name.replace('_', '-')})" for name in more)
        raise ValueError(
            f"This mixture was fitted without {options}: that is the likely cause. Fit with the "
            f"same as here, or leave it out here. {error}"
        ) from error
