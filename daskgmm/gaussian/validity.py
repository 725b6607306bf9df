"""Checks of parameters that come from a file: they are of a mixture, and of no other form.

A checksum finds accidents. These find what was written so, by whoever signed it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.algebra.precision import Precision
from daskgmm.gaussian.covariance.low_rank.precision import LowRank, parts
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.parameters import Parameters

UNIT_SUM = 1e-6
"""By how much the sum of weights may differ from 1: weights in single precision do by 1e-7."""

SAME = 0.01
"""Part of the variances by which covariances may differ from those of their factors: far more than
rounding, and less than what is transposed, scaled or another's differs by."""

PROBES = 4
"""Vectors that covariances of low rank are compared by."""


def check_parameters(parameters: Parameters, k: int, r: int) -> None:
    """Raise `ValueError` unless these are parameters of k components in r dimensions.

    A structure that nobody knows is a `KeyError`.

    Covariances, factors or both may be left out, as points of a search leave them out.
    """
    structure = STRUCTURES[parameters.structure]
    check_array(parameters.weights, "weights", (k,))
    check_array(parameters.means, "means", (k, r))
    check_weights(parameters.weights, parameters.noise_weight or 0.0)
    _check_room(parameters, k)
    if parameters.log_weights is not None:
        check_array(parameters.log_weights, "log_weights", (k,), finite=False)
    shape = structure.covariance_shape(k, r)
    given = {
        name: value
        for name in ("covariances", "precisions_cholesky")
        if (value := getattr(parameters, name)).size
    }
    for name, value in given.items():
        check_array(value, name, shape)
        (_check_variances if name == "covariances" else _check_factors)(structure, value, r)
    if len(given) == 2:
        check_covariances(structure, given["covariances"], given["precisions_cholesky"], r)


def check_array(
    values: Array, name: str, shape: tuple[int | None, ...], *, finite: bool = True
) -> None:
    """Raise `ValueError` unless these are numbers of this shape, where None is any length."""
    fits = len(values.shape) == len(shape) and all(
        wanted in (None, found) for wanted, found in zip(shape, values.shape, strict=True)
    )
    if not fits or values.dtype != np.float64:
        raise ValueError(f"{name!r} is {values.dtype} of the shape {values.shape}, not {shape}")
    if finite and not np.isfinite(values).all():
        raise ValueError(f"{name!r} is not finite")


def check_weights(weights: NDArray[np.float64], noise: float = 0.0) -> None:
    """Raise `ValueError` unless weights, with that of the noise, are proportions."""
    if not (weights >= 0).all() or not abs(weights.sum() + noise - 1) <= UNIT_SUM:
        raise ValueError("'weights' are not all positive or 0 with the sum 1")


def check_noise(weight: float, log_volume: float) -> None:
    """Raise `ValueError` unless these are of a uniform component."""
    if not np.isfinite([weight, log_volume]).all() or not 0 <= weight <= 1:
        raise ValueError("'noise' is not a proportion and the logarithm of a volume")


def check_contamination(clean: Array, inflation: Array) -> None:
    """Raise `ValueError` unless these are of contaminated components."""
    if not ((clean > 0) & (clean <= 1)).all() or not (inflation >= 1).all():
        raise ValueError("'contamination' has no proportions, or factors below 1")


def check_degrees(degrees: Array) -> None:
    """Raise `ValueError` unless these are degrees of freedom."""
    if not (degrees > 0).all():
        raise ValueError("'student' has degrees of freedom that are not positive")


def _check_room(parameters: Parameters, k: int) -> None:
    """Raise `ValueError` unless what makes room for outliers is whole, or not there."""
    volume, clean, inflation = parameters.log_volume, parameters.clean, parameters.inflation
    if (parameters.noise_weight is None) != (volume is None) or (clean is None) != (
        inflation is None
    ):
        raise ValueError("a part of what makes room for outliers is missing")
    if parameters.noise_weight is not None and volume is not None:
        check_noise(parameters.noise_weight, volume)
    if clean is not None and inflation is not None:
        check_array(clean, "clean_shares", (k,))
        check_array(inflation, "inflations", (k,))
        check_contamination(clean, inflation)
    if parameters.degrees is not None:
        check_array(parameters.degrees, "degrees_of_freedom", (k,), finite=False)
        check_degrees(parameters.degrees)


def check_covariances(structure: Structure, covariances: Array, factors: Array, r: int) -> None:
    """Raise `ValueError` unless these are covariances and the factors of their inverses."""
    _check_factors(structure, factors, r)
    _check_variances(structure, covariances, r)
    precision = structure.precision
    agree = _low_rank_agrees if isinstance(precision, LowRank) else _agrees
    pairs = zip(covariances, precision.covariances(factors), strict=True)
    same = np.array([agree(precision, one[None], other[None], r) for one, other in pairs])
    if not same.all():
        raise ValueError(
            f"'precisions_cholesky'{_component(same)} is not of the inverse of its 'covariances'"
        )


def _check_factors(structure: Structure, factors: Array, r: int) -> None:
    with np.errstate(divide="ignore", invalid="ignore"):
        determined = np.isfinite(structure.precision.log_determinants(factors, r))
    if not determined.all():
        raise ValueError(
            f"'precisions_cholesky'{_component(determined)} has a diagonal that is not positive"
        )


def _check_variances(structure: Structure, covariances: Array, r: int) -> None:
    variances = structure.precision.diagonals(covariances, r)
    if isinstance(structure.precision, LowRank):
        variances = parts(covariances)[1]
    positive = np.asarray((variances >= 0).all(axis=1))
    if not positive.all():
        raise ValueError(f"'covariances'{_component(positive)} has a variance below 0")


def _agrees(precision: Precision, one: Array, other: Array, r: int) -> bool:
    """Return whether two covariances, of one component each, are the same to `SAME`."""
    with np.errstate(over="ignore", invalid="ignore"):
        (matrix,), (of_factors,) = precision.matrices(one, r), precision.matrices(other, r)
        widths = np.sqrt(np.diagonal(matrix))
        return bool((np.abs(matrix - of_factors) <= SAME * np.outer(widths, widths)).all())


def _low_rank_agrees(precision: Precision, one: Array, other: Array, r: int) -> bool:
    """Return the same of covariances of low rank, by products with a few vectors: no matrix."""
    vectors = np.random.default_rng(0).choice([-1.0, 1.0], (r, PROBES))
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        widths = np.sqrt(precision.diagonals(one, r)[0])[:, None]
        products = []
        for covariance in (one, other):
            (loadings,), (noise,) = parts(covariance)
            scaled = vectors / widths
            products.append((loadings.T @ (loadings @ scaled) + noise[:, None] * scaled) / widths)
        return bool((np.abs(products[0] - products[1]) <= SAME).all())


def _component(good: NDArray[np.bool_]) -> str:
    """Return the first component that is not good in words, nothing where all share one."""
    return f" of component {int(np.argmin(good))}" if len(good) > 1 else ""
