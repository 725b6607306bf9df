"""Components whose spread the known noise of rows leaves open."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from daskgmm.em.survey.survey import Survey
from daskgmm.errors import DegenerateComponentWarning
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.deconvolution.known import is_diagonal
from daskgmm.gaussian.m_step import Maximised
from daskgmm.user_warnings import warn_user


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
        more = f" and {len(found) - LISTED} more" if len(found) > LISTED else ""
        warn_user(
            "Components whose variance is below its standard error, as the noise of their rows "
            f"explains the spread: {', '.join(found[:LISTED])}{more}. They may have none. Check "
            "that noise_variance holds variances (squares of errors, in squared units of the "
            "columns).",
            DegenerateComponentWarning,
        )


LISTED = 8
"""Components and columns that the sentence names; more are counted."""
