r"""From scores and curvature to standard errors: :math:`V = J^{-1} K J^{-1}`.

J is the curvature of the log-likelihood and K the covariance of its slope, from the sums of the
scores over units of rows, such as blocks of neighbours (P. J. Huber, "The behavior of maximum
likelihood estimates under nonstandard conditions", Proceedings of the Fifth Berkeley Symposium 1
(1967) 221-233; G. Boldea, J. R. Magnus, "Maximum likelihood estimation of the multivariate normal
mixture model", Journal of the American Statistical Association 104 (2009) 1539-1549). Neither
independence of the rows of a unit nor the truth of the model is assumed.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_array

from daskgmm.arrays import Array
from daskgmm.blas import one_blas_thread
from daskgmm.companions import Companions
from daskgmm.em.scores import GROUPS_ARE, Scores, scores_of
from daskgmm.em.survey.weighing import COUNTS, check_meaning, check_some
from daskgmm.errors import DataError, DependenceWarning, SourceError, WeightsWarning
from daskgmm.gaussian.charts.prior_scores import PriorScores
from daskgmm.gaussian.charts.restriction import Restriction, is_restricted
from daskgmm.gaussian.charts.score_chart import ScoreChart
from daskgmm.gaussian.covariance.algebra.dense import Dense
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.parameters import Parameters
from daskgmm.models.facts.criteria import ERRORS_COUNT, doubt
from daskgmm.models.inputs.known_noise import apart, check_known_noise, scoring_noise
from daskgmm.models.inputs.labels import labels_of_components
from daskgmm.models.inputs.named_groups import numbered_groups
from daskgmm.models.inputs.rows import feature_names, names_of_axes, scoring_rows
from daskgmm.models.predictions.prediction import Predictor
from daskgmm.models.uncertainty.curvature import Curvature, curvature_of
from daskgmm.models.uncertainty.of_prior import prior_scores
from daskgmm.models.uncertainty.refusals import (
    LEAST_UNITS,
    chart_of,
    check_at_maximum,
    check_blocks,
    check_curved,
    check_identified,
    check_noise,
    check_off_the_floor,
    check_regularised,
    check_slope,
    check_units,
)
from daskgmm.models.uncertainty.standard_errors import Estimates, StandardErrors
from daskgmm.passes.batches import GUESSED_ROWS
from daskgmm.rows.checks.layout import AS_NUMBERS
from daskgmm.rows.rows import Rows
from daskgmm.rows.source import Source
from daskgmm.rows.sources import source_of
from daskgmm.user_warnings import warn_user

NEIGHBOURS = 8
"""Blocks taken as one, to see whether rows depend on each other farther than a block."""

SAMPLE_ROWS = 10_000
"""Rows that tell whether components rest on a floor."""

GROWTH = 1.5
"""Ratio of the standard errors of long and single blocks that is no accident: it is known to 13 %
at least."""


def standard_errors(
    mixture: Any, x: Any, beside: Companions[Any], blocks: Any, weights_are: str | None
) -> StandardErrors:
    """Return the standard errors of a fitted mixture; see `Components.standard_errors`."""
    predictor: Predictor = mixture._predictor()
    chart = chart_of(mixture, predictor.parameters, beside)
    check_regularised(chart)
    check_blocks(blocks)
    check_meaning(weights_are)
    others = replace(beside, groups=None)
    source, groups = numbered_groups(source_of(x), beside.groups, feature_names(mixture), others)
    rows, given = _beside(mixture, source, others)
    weights = given.weights
    column = None if groups is None else _groups_beside(mixture, source, groups)
    length = _rows_of_block(mixture, rows, int(blocks)) if groups is None else None
    data = predictor.dataset(rows, replace(given, groups=column), present=True)
    data = data.in_coordinates(predictor.transform.coordinates)
    columns = None if predictor.transform.coordinates is not None else rows.columns
    with one_blas_thread():
        said = weights_are or (getattr(mixture, "fitted_on_", None) or {}).get("weights_are")
        as_counts = weights is not None and said == COUNTS
        unit = "group" if groups is not None else "row" if as_counts or length == 1 else "block"
        rows_count = as_counts and unit == "row"
        found = scores_of(data, chart, SAMPLE_ROWS, columns=columns, length=length)
        check_some(found.weighing, weights is not None)
        if weights is not None and groups is None:
            message = doubt(found.weighing, said, ERRORS_COUNT)
            if message is not None:
                warn_user(message, WeightsWarning)
        check_units(_units(found, rows_count), unit, found.weighing.rows)
        check_noise(chart, found.weighing.rows)
        assert found.sample is not None, "some rows have a weight"
        prior = prior_scores(mixture, data, chart, said if weights is not None else None)
        surface = _surface(chart, predictor.parameters)
        check_slope(_slope(_along(surface, found), prior), float(found.weights.sum()))
        check_off_the_floor(mixture, chart.parameters, found.sample)
        curvature = curvature_of(data, chart, prior, rows_count=rows_count)
        if surface is not None:
            curvature = curvature.within(surface, found.sums.sum(0), float(found.weights.sum()))
            chart = replace(chart, free=csr_array(chart.free @ surface.basis))
        errors = _estimated(mixture, chart, _along(surface, found), curvature, unit, prior)
    if errors.growth > GROWTH:
        warn_user(
            f"Rows depend on each other farther than a block of {length:,} rows: of {NEIGHBOURS} "
            f"blocks taken as one, standard errors are up to {errors.growth:.1f} times as large, "
            f"and these are too small. Give fewer blocks, such as blocks={_fewer(errors.units)} "
            "(--blocks), or groups of rows that do not depend on each other (--groups).",
            DependenceWarning,
        )
    return errors


def _surface(chart: ScoreChart, parameters: Parameters) -> Restriction | None:
    """Return the surface of a structure in the coordinates of its form; None of free ones."""
    return Restriction.of(chart, parameters) if is_restricted(parameters) else None


def _along(surface: Restriction | None, found: Scores) -> Scores:
    """Return scores along a surface."""
    return found if surface is None else replace(found, sums=found.sums @ surface.basis)


def _beside(mixture: Any, source: Source, given: Companions[Any]) -> tuple[Rows, Companions[Rows]]:
    """Return rows, and what goes beside them but for groups."""
    variances = given.noise
    if variances is not None:
        check_known_noise(mixture)
        source, variances = apart(source, variances)
    rows, found = scoring_rows(mixture, source, replace(given, noise=None))
    if variances is not None:
        found = replace(found, noise=scoring_noise(mixture, source, rows, variances))
    if found.labels is not None:
        k = len(mixture.weights_)
        found = replace(found, labels=labels_of_components(found.labels, k))
    return rows, found


def _fewer(units: int) -> int:
    return max(LEAST_UNITS, units // NEIGHBOURS)


def _rows_of_block(mixture: Any, rows: Rows, blocks: int) -> int:
    """Return the rows of a block, of about as many blocks; of unknown lengths as in the fit."""
    n = rows.n_rows
    if n is None:
        facts = getattr(mixture, "fitted_on_", None) or {}
        n = facts.get("rows", 0) + facts.get("missing", 0) or GUESSED_ROWS * len(rows.lengths)
    return max(1, -(-int(n) // blocks))


def _groups_beside(mixture: Any, source: Source, groups: Any) -> Rows:
    """Return group numbers as a column, which may be whatever weights may be."""
    try:
        column = scoring_rows(mixture, source, Companions(groups))[1].weights
    except (DataError, SourceError) as error:
        raise type(error)(_of_groups(str(error))) from error
    assert column is not None, "groups were given"
    return column


def _of_groups(message: str) -> str:
    """Return what is wrong with groups, from what is wrong with them as weights."""
    for weights, groups in (
        ("sample_weight", "groups"),
        ("no path of weights", "no path of group numbers"),
        ("Give one weight", "Give one group number"),
        (AS_NUMBERS, GROUPS_ARE),
    ):
        message = message.replace(weights, groups)
    return message


def _estimated(
    mixture: Any,
    chart: ScoreChart,
    found: Scores,
    curvature: Curvature,
    unit: str,
    prior: PriorScores | None,
) -> StandardErrors:
    """Return standard errors; raise `ValueError` where there are none."""
    units = _units(found, curvature.of_rows is not None)
    if curvature.of_rows is None:
        found, prior = _of_weight_one(found, prior)
    total, of_rows, slope = float(found.weights.sum()), found.sums.sum(0), _slope(found, prior)
    check_curved(chart, curvature, slope, total)
    scores = found.sums - np.outer(found.weights / total, of_rows)
    factor, growth = cho_factor(total * curvature.matrix, lower=True), math.nan
    if curvature.of_rows is not None:
        # At the mode of a posterior rows have a slope, that of the prior the other way.
        meat = total * curvature.of_rows
        if prior is not None:
            meat -= np.outer(of_rows, of_rows) / total
        covariance = _sandwich(factor, meat)
    else:
        covariance = _covariance(factor, scores)
        if unit == "block" and units >= LEAST_UNITS * NEIGHBOURS:
            longer = np.add.reduceat(scores, np.arange(0, units, NEIGHBOURS))
            variances = np.diagonal(_covariance(factor, longer))
            growth = math.sqrt(_largest_ratio(variances, np.diagonal(covariance)))
    moves = cho_solve(factor, slope)
    distance = math.sqrt(_largest_ratio(moves**2, np.diagonal(covariance)))
    check_at_maximum(distance, float(slope @ moves) / 2.0, total)
    facts = {"units": units, "unit": unit, "rows": found.weighing.rows}
    return _in_shape(mixture, chart, covariance, distance=distance, growth=growth, **facts)


def _slope(found: Scores, prior: PriorScores | None) -> Array:
    """Return the slope of the objective, (P,): 0 at its maximum."""
    of_rows = np.asarray(found.sums.sum(0))
    return of_rows if prior is None else of_rows + prior.slope


def _of_weight_one(found: Scores, prior: PriorScores | None) -> tuple[Scores, PriorScores | None]:
    """Return scores with weights whose sum is about 1: squares of small ones underflow.

    A power of 2 changes no digit.
    """
    _, exponent = math.frexp(float(found.weights.sum()))
    sums, weights = (np.ldexp(each, -exponent) for each in (found.sums, found.weights))
    if prior is not None:
        prior = replace(prior, slope=np.ldexp(prior.slope, -exponent))
    return replace(found, sums=sums, weights=weights), prior


def _largest_ratio(values: Array, variances: Array) -> float:
    """Return it over parameters that vary at all: the scores of all units may be alike."""
    some = variances > 0.0
    return float(np.max(values[some] / variances[some], initial=0.0))


def _units(found: Scores, rows_count: bool) -> int:
    """Return the number of units; of rows that count as several, of these."""
    return round(float(found.weights.sum())) if rows_count else len(found.units)


def _in_shape(mixture: Any, chart: ScoreChart, covariance: Array, **facts: Any) -> StandardErrors:
    """Return standard errors in the shapes of the attributes, from the covariance (P, P)."""
    own, means, spreads = chart.deviations(covariance)
    check_identified(own[:, 1:])
    structure = STRUCTURES[mixture._structure_name]
    k, d = means.shape
    spread = structure.external(spreads[: structure.n_covariances(k)], d)
    estimates = Estimates(
        weights=np.array(mixture.weights_, np.float64),
        means=np.array(mixture.means_, np.float64),
        covariances=np.array(mixture.covariances_, np.float64),
        matrices=chart.detail == Dense.detail,
        shared=structure.shared,
        features=names_of_axes(mixture),
    )
    return StandardErrors(
        weights=np.sqrt(chart.weight_variances(covariance)),
        means=means,
        covariances=spread,
        standard_deviations=estimates.variances(spread) / (2.0 * estimates.standard_deviations),
        estimates=estimates,
        **facts,
    )


def _covariance(factor: tuple[Array, bool], scores: Array) -> Array:
    """Return J^-1 K J^-1 of a factor of J, with K from the scores (u, P) of units, of sum 0."""
    units, n_parameters = scores.shape
    scores = scores * math.sqrt(units / (units - 1.0))
    if units > n_parameters:
        return _sandwich(factor, scores.T @ scores)
    moves = cho_solve(factor, scores.T)
    return np.asarray(moves @ moves.T)


def _sandwich(factor: tuple[Array, bool], meat: Array) -> Array:
    """Return J^-1 K J^-1 of a factor of J."""
    half = cho_solve(factor, meat)
    return np.asarray(cho_solve(factor, half.T))
