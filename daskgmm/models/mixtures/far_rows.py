"""New rows too far from a mixture to be of its kind: said, as a fit says it of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from daskgmm.em.survey.values import IF_MISSING
from daskgmm.errors import ResolutionWarning
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.parameters import Parameters
from daskgmm.user_warnings import warn_user

FAR = 1e7
"""Distance from all components, in their standard deviations and as a root mean square over the
rows, from which some rows are errors: a single one of 1e15 among 1e16 others has that."""


def warn_of_far_rows(moments: Moments, parameters: Parameters, names: Sequence[str]) -> None:
    """Warn of rows that are too far from a mixture to be added to what it knows.

    Parameters
    ----------
    moments : Moments
        Of the rows under the mixture, about its means.
    parameters : Parameters
        The mixture.
    names : sequence of str
        Of the columns, or axes of the model.
    """
    if not moments.weight > 0:
        return
    distance = math.sqrt(max(0.0, -2.0 * moments.log_likelihood / moments.weight))
    if distance < FAR:
        return
    structure, d = structure_of(parameters), parameters.n_features
    variances = structure.precision.diagonals(parameters.covariances, d)
    moved = np.abs(moments.reference + moments.shifts - parameters.means) / np.sqrt(variances)
    name = names[int(np.argmax(moved.max(axis=0)))]
    warn_user(
        f"Rows of X are {distance:.1g} standard deviations (root mean square) away from every "
        f"component of this mixture, mostly in {name}: what they are added to is then theirs "
        f"alone. {IF_MISSING} If it is real, leave such rows out, or fit anew.",
        ResolutionWarning,
    )
