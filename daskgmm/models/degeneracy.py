"""What is wrong with the components of a fit, in sentences that say what to do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from daskgmm.em.survey import Survey
from daskgmm.gaussian.coordinates import NO_SCALE
from daskgmm.gaussian.floor import Resting
from daskgmm.gaussian.maximise import Maximised

LARGE_SHARE = 0.01
"""Part of a column's variance beyond which `reg_covar` is large beside it."""

LISTED = 8
"""Components, or columns, that a sentence names; more are counted."""


def degeneracies(step: Maximised, resting: Sequence[Resting], names: Sequence[str]) -> list[str]:
    """Return a sentence or two for each thing that is wrong with the last M-step.

    Parameters
    ----------
    step : Maximised
    resting : sequence of Resting
        Its components that rest on the floor.
    names : sequence of str
        Of the columns, or of the axes of the model.
    """
    messages = []
    if step.empty:
        numbers = ", ".join(map(str, step.empty))
        messages.append(
            f"Components without rows (weight 0): {numbers}. The data have fewer clusters than "
            "n_components, or the start was poor: reduce n_components, or try another "
            "random_state or init_params."
        )
    if step.collapsed:
        numbers = ", ".join("all" if k is None else str(k) for k in step.collapsed)
        messages.append(
            f"Components that collapsed onto rows without spread: {numbers}. They keep their "
            "covariance of the iteration before, as reg_covar is 0: set it to a variance below "
            "which differences do not matter, or reduce n_components."
        )
    if resting:
        where = _listed([_where(each, names) for each in resting])
        messages.append(
            f"Components that rest on a floor: {where}. Only reg_covar, tied values or rounding "
            "keep them from being narrower, so the likelihood and every criterion of this model "
            "are too good. Reduce n_components, leave out columns of few values or that are sums "
            "of others, or raise reg_covar to a variance below which differences do not matter."
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


def _where(resting: Resting, names: Sequence[str]) -> str:
    which = "all" if resting.component is None else str(resting.component)
    return f"{which} ({names[resting.column]}: standard deviation {resting.deviation:.2g})"


def _listed(words: Sequence[str]) -> str:
    more = f" and {len(words) - LISTED} more" if len(words) > LISTED else ""
    return f"{', '.join(words[:LISTED])}{more}"


def swallowed(survey: Survey, reg_covar: float, names: Sequence[str]) -> str | None:
    """Return what to say if `reg_covar` is large beside the variance of a column.

    Parameters
    ----------
    survey : Survey
        In the coordinates of the model.
    reg_covar : float
    names : sequence of str
        Of its columns.
    """
    variances = np.diagonal(survey.covariance)
    sizes = np.maximum(np.abs(survey.minimum), np.abs(survey.maximum))
    varies = variances > (NO_SCALE * sizes) ** 2
    small = np.flatnonzero(varies & (reg_covar > LARGE_SHARE * variances))
    if not small.size:
        return None
    columns = _listed([f"{names[j]} (variance {variances[j]:.2g})" for j in small.tolist()])
    return (
        f"reg_covar is {reg_covar:g}, which is added to every variance and is large beside those "
        f"of all rows in: {columns}. Clusters that differ there may not be told apart. Set "
        f"reg_covar below {LARGE_SHARE**2 * variances[small].min():.0e}, use other units, or fit "
        "with standardise=True."
    )
