"""Degenerate components of a fit, in sentences that say what to do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from daskgmm.arrays import Array
from daskgmm.em.survey.probes import width_of_most
from daskgmm.em.survey.survey import Survey
from daskgmm.errors import DegenerateComponentWarning
from daskgmm.gaussian.coordinates import NO_SCALE
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.deconvolution.known import is_diagonal
from daskgmm.gaussian.floor import REG_COVAR, RIDGE, TIES, Resting
from daskgmm.gaussian.m_step import Maximised
from daskgmm.user_warnings import warn_user

LARGE_SHARE = 0.01
"""Part of a column's variance beyond which `reg_covar` is large beside it."""

NORMAL_WIDTH = 3.29
"""Standard deviations between which 90 % of normal values lie."""

CAUSES = {
    REG_COVAR: "that of reg_covar",
    TIES: "less than a step of the values",
    RIDGE: "that of a ridge",
}
"""What keeps a component from being narrower, in words."""

FAR = 1e6
"""Widths of most values from which a few others are errors rather than a small cluster."""

LISTED = 8
"""Components, or columns, that a sentence names; more are counted."""


def degeneracies(step: Maximised, resting: Sequence[Resting], names: Sequence[str]) -> list[str]:
    """Return a sentence or two for each thing that is wrong with the last M-step.

    `resting` are its components on the floor; `names` those of the model's columns or axes.
    """
    messages = []
    if step.parameters.noise_weight and len(step.empty) == step.parameters.n_components:
        messages.append(
            "The uniform component of noise=True (--noise) has nearly all rows, and the others "
            "too few for a covariance: predictions are outliers. In a column of a single value, or "
            "of much smaller units, its box is narrower than components of some structures can "
            "be: leave out or scale such columns, or fit another covariance_type "
            "(--covariance). If there are none, no clusters stand out: try another random_state "
            "(--seed), or fit without noise."
        )
    elif step.empty:
        numbers = ", ".join(map(str, step.empty))
        messages.append(
            f"Components without rows: {numbers}. The data have fewer clusters than "
            "n_components, or the start was poor: reduce n_components (--components), or try "
            "another random_state (--seed) or init_params (--init)."
        )
    places = {each.component: each for each in resting}
    if step.collapsed:
        where = _listed([_collapsed(k, places.get(k), names) for k in step.collapsed])
        messages.append(
            f"Components that collapsed onto rows without spread: {where}. They keep their "
            "covariance of the iteration before, as reg_covar is 0: set it to a variance below "
            "which differences do not matter, or reduce n_components."
        )
    others = [each for each in resting if each.component not in step.collapsed]
    if others:
        where = _listed([_where(each, names) for each in others])
        messages.append(
            f"Components that rest on a floor: {where}. But for it they would be narrower, so the "
            "likelihood and every criterion of this model are too good. Reduce n_components, or "
            f"leave out columns of few values or that are sums of others. {_advice(others)}"
        )
    if step.ridges:
        amounts = ", ".join(
            f"by {amount:.1e}" if k is None else f"{k} by {amount:.1e}"
            for k, amount in step.ridges.items()
        )
        messages.append(
            "Covariances that are singular to rounding were raised on their diagonals, beyond "
            f"reg_covar (component {amounts}). Columns may be copies or sums of others: drop "
            "those, raise reg_covar, or scale the data."
        )
    return messages


def reason_of(step: Maximised, resting: Sequence[Resting], names: Sequence[str]) -> str:
    """Return in a line which components are degenerate and where; empty if none is."""
    places = {each.component: each for each in resting}
    rest = [_where(each, names) for each in resting if each.component not in step.collapsed]
    collapsed = [_collapsed(k, places.get(k), names) for k in step.collapsed]
    kinds = {"no rows": list(map(str, step.empty)), "collapsed": collapsed, "on a floor": rest}
    return "; ".join(f"{kind}: {_listed(words)}" for kind, words in kinds.items() if words)


def _name(component: int | None) -> str:
    return "all" if component is None else str(component)


def _where(resting: Resting, names: Sequence[str]) -> str:
    return (
        f"{_name(resting.component)} ({names[resting.column]}: standard deviation "
        f"{resting.deviation:.2g}, {CAUSES[resting.cause]})"
    )


def _collapsed(component: int | None, resting: Resting | None, names: Sequence[str]) -> str:
    return _name(component) + ("" if resting is None else f" ({names[resting.column]})")


def _advice(resting: Sequence[Resting]) -> str:
    """Return what to do about `reg_covar`: it is too large for some, too small for ties."""
    if any(each.cause == REG_COVAR for each in resting):
        return "If such a cluster is real, lower reg_covar (--reg-covar), or use other units."
    return "Or raise reg_covar (--reg-covar) to a variance below which differences do not matter."


def _listed(words: Sequence[str]) -> str:
    more = f" and {len(words) - LISTED} more" if len(words) > LISTED else ""
    return f"{', '.join(words[:LISTED])}{more}"


def swallowed(survey: Survey, reg_covar: float, names: Sequence[str]) -> str | None:
    """Return what to say if `reg_covar` is large beside the variance of a column of the model."""
    variances, width = _usual(survey)
    sizes = np.maximum(np.abs(survey.minimum), np.abs(survey.maximum))
    varies = np.diagonal(survey.covariance) > (NO_SCALE * sizes) ** 2
    small = np.flatnonzero(varies & (reg_covar > LARGE_SHARE * variances))
    if not small.size:
        return None
    columns = _listed([f"{names[j]} (variance {variances[j]:.2g})" for j in small.tolist()])
    advice = ", use other units, or fit with standardise=True (--standardise)"
    if (np.diagonal(survey.covariance) > variances)[small].any():
        advice = " or use other units"  # standardised, these columns are as narrow
    if (survey.half_range > FAR * width)[small].any():
        advice = ", leave out the few rows that are far from all others, or take logarithms"
    return (
        f"reg_covar is {reg_covar:g}, which is added to every variance and is large beside those "
        f"of most rows in: {columns}. Clusters that differ there may not be told apart. Set "
        f"reg_covar (--reg-covar) below {LARGE_SHARE**2 * variances[small].min():.0e}{advice}."
    )


def _usual(survey: Survey) -> tuple[Array, Array]:
    """Return the variance of most values of each column (d,), and their width (d,).

    A few others alone may make the variance of all large, also if columns are divided by its root.
    """
    variances = np.diagonal(survey.covariance)
    if survey.probe is None or not len(survey.probe):
        return variances, np.full(len(variances), np.inf)
    width = width_of_most(survey.probe)
    return np.where(variances > width**2, (width / NORMAL_WIDTH) ** 2, variances), width


def warn_of_spread_within_noise(survey: Survey, step: Maximised, names: Sequence[str]) -> None:
    r"""Warn of components whose variance in a column is below its own standard error.

    A variance that is far below one of noise, C, has the standard error
    :math:`C \sqrt{2 / N_k}` after :math:`N_k` rows, here with the least noise of any row.
    """
    if survey.noise is None or survey.weighing is None or not survey.is_noisy:
        return
    parameters, d = step.parameters, step.parameters.n_features
    least = survey.noise.minimum
    least = least if is_diagonal(len(least), d) else least[:: d + 1]
    structure = structure_of(parameters)
    variances = structure.precision.diagonals(parameters.covariances, d)
    rows = survey.weighing.effective_rows * parameters.weights
    rows = np.array([rows.sum()]) if structure.shared else rows
    errors = least * np.sqrt(2 / np.maximum(rows, 1.0))[:, None]
    found = [
        f"{'all' if structure.shared else number} ({names[column]}: "
        f"{variances[number, column]:.2g} of at least {errors[number, column]:.2g})"
        for number, column in np.argwhere(variances < errors).tolist()
    ]
    if found:
        warn_user(
            "Components whose variance is below its standard error, as the noise of their rows "
            f"explains the spread: {_listed(found)}. They may have none. Check "
            "that noise_variance holds variances (squares of errors, in squared units of the "
            "columns).",
            DegenerateComponentWarning,
        )
