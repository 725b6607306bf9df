"""A table of standard errors: a line for each weight, mean and standard deviation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from daskgmm.models.uncertainty.standard_errors import StandardErrors

WORDS = {"weights": "weight", "means": "mean", "standard_deviations": "deviation"}
"""What lines are about; covariances of pairs of features are left out."""

NAME_WIDTH = 24

AXES = "Along principal axes (pca), as means_ and covariances_ are, and not in units of columns."

Line = tuple[str, float, float, float, float]
"""Name, estimate, standard error, and both ends of the interval of a parameter."""


def table(errors: StandardErrors, level: float) -> str:
    """Return the table, with confidence intervals that cover with this probability."""
    along_axes = errors.estimates.along_axes
    lines = list(_lines(errors if along_axes else errors.in_data_units(), level))
    width = max(NAME_WIDTH, *(len(name) + 1 for name, *_ in lines))
    head = f"{'':{width}}{'estimate':>13}{'standard error':>16}   {100 * level:.4g} % interval"
    rows = [
        f"{name:{width}}{value:13.6g}{error:16.3g}   {low:.6g} to {high:.6g}"
        for name, value, error, low, high in lines
    ]
    return "\n".join([*([AXES, ""] if along_axes else []), head, *rows])


def _lines(errors: StandardErrors, level: float) -> Iterator[Line]:
    own, intervals = errors.estimates, errors.intervals(level)
    for kind, what in WORDS.items():
        values, spread = getattr(own, kind), getattr(errors, kind)
        low, high = getattr(intervals, kind)
        for place in np.ndindex(values.shape):
            of_component = not (own.shared and kind == "standard_deviations")
            words = [what, *([str(place[0])] if of_component else [])]
            words += [own.features[j] for j in place[len(words) - 1 :]]
            yield " ".join(words), values[place], spread[place], low[place], high[place]
