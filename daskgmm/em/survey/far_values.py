"""Values too far from all others, or from zero, for the 53 bits of a number: said, not fitted.

Kernels subtract each mean from the rows as they are, so such values move no other component. But
what all rows have in common (their mean, scales, principal axes) is then that of the far ones
alone, and a component out there may be finer than the numbers are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.counting import counted
from daskgmm.em.survey.survey import Survey
from daskgmm.em.survey.values import IF_MISSING
from daskgmm.errors import ResolutionWarning
from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.parameters import Parameters
from daskgmm.user_warnings import warn_user

EPS = float(np.finfo(np.float64).eps)

LEAST_DIGITS = 0.1
"""Part of the spread of the middle half of a column that its extremes' rounding may be."""

COARSE = 0.5
"""Part of a component's standard deviation that numbers may be apart: more adds 2 % or more to
its variance."""

NAMED = 5
"""Columns that a warning names."""

FILL_VALUES = {
    9.969209968386869e36: "netCDF's default fill value",
    1e20: "the missing value of CMIP and others",
    float(np.finfo(np.float32).max): "the largest float32",
    2.0**63: "the smallest int64",
    2.0**31: "the smallest int32",
}
"""Sizes of numbers that often stand for missing values."""

SAME = 1e-6
"""Part by which they may differ: they come rounded to float32 as well."""


def warn_of_far_values(survey: Survey, columns: tuple[str, ...] | None) -> None:
    """Warn of columns whose extremes leave no digits to the middle half of their values.

    The survey is of the rows as they were read.
    """
    found = far_columns(survey)
    if not found:
        return
    named = [
        f"column {_name(j, columns)} reaches {_number(far.value)}, while {far.others}"
        for j, far in [*found.items()][:NAMED]
    ]
    more = f", and {counted(len(found) - NAMED, 'more column')} alike" if len(found) > NAMED else ""
    warn_user(
        f"Of X, {'; '.join(named)}{more}. Means, standardise and pca are then those of the far "
        f"values alone. {IF_MISSING} If it is real, leave such rows out, or take logarithms.",
        ResolutionWarning,
    )


@dataclass(frozen=True, slots=True)
class Far:
    """The extreme of a column, and the quartiles of its other values."""

    value: float
    low: float
    high: float

    @property
    def others(self) -> str:
        """Range of half of the other values, in words."""
        if self.low == self.high:
            return f"half of its values are {self.low:.4g}"
        return f"half of its values lie between {self.low:.4g} and {self.high:.4g}"


def far_columns(survey: Survey) -> dict[int, Far]:
    """Return the extremes of the columns that have values so far from the others."""
    if survey.probe is None or not len(survey.probe):
        return {}
    low, middle, high = np.quantile(survey.probe, (0.25, 0.5, 0.75), axis=0)
    limits = np.stack([survey.minimum, survey.maximum])
    fills = is_fill(limits)
    away = np.abs(limits - middle).max(axis=0)
    suspect = (EPS * away > LEAST_DIGITS * (high - low)) | fills.any(axis=0)
    found = {}
    for j in np.flatnonzero(suspect & (away > 0)).tolist():
        # Known ones first, then the farther one.
        order = sorted((0, 1), key=lambda i: (fills[i, j], abs(limits[i, j] - middle[j])))
        told = [far for i in order[::-1] if (far := _far(survey.probe[:, j], limits[i, j]))]
        found.update({j: told[0]} if told else {})
    return found


def _far(values: Array, extreme: float) -> Far | None:
    """Return an extreme that is too far from these values of its column; None if it is not.

    Of a value that is known to stand for a missing one there may be many: the others tell.
    """
    if is_fill(np.array(extreme)):
        values = values[~np.isclose(values, extreme, rtol=SAME)]
    if not len(values):
        return None
    extreme = float(extreme)
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75)).tolist()
    away, width = abs(extreme - middle), high - low
    if width == 0:
        differences = np.abs(values - middle)
        some = differences[(differences > 0) & (differences < away / 2)]
        width = float(some.min()) if len(some) else max(abs(middle), 1.0)
    return Far(extreme, low, high) if EPS * away > LEAST_DIGITS * width else None


def is_fill(values: Array) -> NDArray[np.bool_]:
    """Return which values often stand for missing ones."""
    sizes = np.array([*FILL_VALUES])
    found: NDArray[np.bool_] = np.isclose(np.abs(values)[..., None], sizes, rtol=SAME).any(-1)
    return found


def warn_of_unresolved(
    parameters: Parameters,
    coordinates: Coordinates | None,
    survey: Survey,
    columns: tuple[str, ...] | None,
) -> None:
    """Warn of components that are narrower than numbers are apart where they lie."""
    told = far_columns(survey)
    found = [each for each in unresolved(parameters, coordinates, survey) if each[1] not in told]
    if not found:
        return
    named = [
        f"component {k} lies at {_number(value)} in column {_name(j, columns)}, where 64-bit "
        f"numbers are {np.spacing(abs(value)):.2g} apart"
        for k, j, value in found[:NAMED]
    ]
    more = f", and {len(found) - NAMED} more alike" if len(found) > NAMED else ""
    warn_user(
        f"Numbers are coarser than components are wide: {'; '.join(named)}{more}. {IF_MISSING} If "
        "it is real, subtract an offset from the column before it is stored.",
        ResolutionWarning,
    )


def unresolved(
    parameters: Parameters, coordinates: Coordinates | None, survey: Survey
) -> Iterator[tuple[int, int, float]]:
    """Yield each component that is too narrow, with the column to blame and its mean there."""
    means, origin = parameters.means, np.zeros(parameters.n_features)
    if coordinates is not None:
        means, origin = coordinates.undo(means), coordinates.origin
    varies = survey.maximum > survey.minimum
    steps = np.spacing(np.maximum(np.abs(means), np.abs(origin))) * varies
    deviations = np.sqrt(_variances(parameters))
    for k in np.flatnonzero(parameters.weights > 0).tolist():
        step = steps[k] if coordinates is None else coordinates.bound(steps[k])
        axis = int(np.argmax(step / deviations[k]))
        if step[axis] > COARSE * deviations[k, axis]:
            parts = None if coordinates is None else coordinates.parts(steps[k])
            column = axis if parts is None else int(np.argmax(parts[:, axis]))
            yield k, column, float(means[k, column])


def _variances(parameters: Parameters) -> Array:
    """Return the variances along each feature of each component, shape (k, d)."""
    (k, d), precision = parameters.means.shape, structure_of(parameters).precision
    return np.broadcast_to(precision.diagonals(parameters.covariances, d), (k, d))


def _number(value: float) -> str:
    known = [name for size, name in FILL_VALUES.items() if np.isclose(abs(value), size, rtol=SAME)]
    return f"{value:.6g} ({known[0]})" if known else f"{value:.6g}"


def _name(column: int, columns: tuple[str, ...] | None) -> str:
    return f"{column}" if columns is None else f"{column} ({columns[column]!r})"
