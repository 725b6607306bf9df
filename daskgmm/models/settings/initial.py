"""Checks of the parameters that a user gives to start from, with scikit-learn's words."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array

from daskgmm.arrays import Array
from daskgmm.em.starts.start import Initial
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.rows.checks.plain import unmasked

WEIGHTS_SUM_TOLERANCE = {np.dtype(np.float64): 1e-8, np.dtype(np.float32): 1e-6}


def check_initial(
    structure: Structure, k: int, d: int, weights: Any, means: Any, precisions: Any
) -> Initial:
    """Return `weights_init`, `means_init` and `precisions_init` as float64 arrays, each or None.

    Raises `ValueError` if a shape, a range or a sum is wrong, or a precision not positive definite.
    """
    return Initial(
        None if weights is None else _weights(weights, k),
        None if means is None else _means(means, k, d),
        None if precisions is None else _precisions(precisions, structure, k, d),
    )


def checked_array(values: Any, name: str, shape: tuple[int, ...], advice: str = "") -> NDArray[Any]:
    """Return values as an array; raise `ValueError` if they are no finite numbers of this shape."""
    if not shape and np.ndim(values) == 0:  # scikit-learn checks no scalars
        return checked_array(np.reshape(values, 1), name, (1,), advice).reshape(())
    given = np.shape(unmasked(values, f"The parameter '{name}'"))
    array: NDArray[Any] = check_array(
        values if given else np.reshape(values, 1),
        dtype=[np.float64, np.float32],
        ensure_2d=False,
        allow_nd=True,
    )
    if not given or array.shape != shape:
        raise ValueError(
            f"The parameter '{name}' should have the shape of {shape}, but got {given}{advice}"
        )
    return array


def _weights(values: Any, k: int) -> Array:
    weights = checked_array(values, "weights", (k,))
    if (weights < 0).any() or (weights > 1).any():
        # The smallest stands where "max" is said, as in scikit-learn, whose tests want it so.
        raise ValueError(
            "The parameter 'weights' should be in the range [0, 1], but got max value "
            f"{weights.min():.5f}, min value {weights.max():.5f}"
        )
    if abs(1.0 - float(weights.sum())) > WEIGHTS_SUM_TOLERANCE[weights.dtype]:
        raise ValueError(
            "The parameter 'weights' should be normalized, "
            f"but got sum(weights) = {float(weights.sum()):.5f}"
        )
    return weights.astype(np.float64)


def _means(values: Any, k: int, d: int) -> Array:
    return checked_array(values, "means", (k, d)).astype(np.float64)


def _precisions(values: Any, structure: Structure, k: int, d: int) -> Array:
    name, shape = structure.name, structure.external_shape(k, d)
    advice = (
        f". Give precisions_init as covariance_type={name!r} has it for n_components={k} and {d} "
        "columns."
    )
    given = checked_array(values, f"{name} precision", shape, advice).astype(np.float64)
    precisions = structure.internal(given, k, d)
    if not structure.precision.are_positive(precisions):
        raise ValueError(f"'{name} precision' should be {structure.precision.requirement}")
    return precisions
