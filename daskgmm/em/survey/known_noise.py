"""Checks of the variances of the noise of rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.errors import DataError
from daskgmm.gaussian.deconvolution.known import is_diagonal

LARGEST = 1e150
"""Squares of larger variances overflow."""

SYMMETRIC = 1e-6
"""Difference of two entries that are to be equal, in units of the largest of the matrix: those of
float32 are 1e-7 apart."""

NEGATIVE = 1e-6
"""Largest part of the trace that an eigenvalue may be negative by, as of float32."""

MATRICES = 1024
"""Matrices that are checked at once: copies of a block would take several times its bytes."""

Place = Callable[[int], str]


def check_noise(
    noise: NDArray[Any],
    weights: NDArray[Any] | None,
    d: int,
    place: Place,
    columns: tuple[str, ...] | None,
) -> None:
    """Raise `DataError` at the first row (m, e) whose noise is no variance or covariance.

    Rows of weight 0 add nothing, whatever they are.
    """
    if weights is not None:
        chosen = np.flatnonzero(weights > 0)
        _check(noise[chosen], d, lambda row: place(int(chosen[row])), columns)
    else:
        _check(noise, d, place, columns)


def _check(noise: NDArray[Any], d: int, place: Place, columns: tuple[str, ...] | None) -> None:
    if not noise.size:
        return
    diagonal = is_diagonal(noise.shape[1], d)
    variances = noise if diagonal else noise[:, :: d + 1]
    # As Python's numbers: in single precision the bound is infinite.
    least, greatest = float(noise.min()), float(noise.max())
    fine = float(variances.min()) >= 0 and least >= -LARGEST and greatest <= LARGEST
    if not fine:
        _refuse(noise, variances, d, place, columns)
    if not diagonal:
        for first in range(0, len(noise), MATRICES):
            part = np.asarray(noise[first : first + MATRICES], np.float64).reshape(-1, d, d)
            _check_matrices(part, partial(_after, place, first))


def _after(place: Place, first: int, row: int) -> str:
    return place(first + row)


def _refuse(
    noise: NDArray[Any],
    variances: NDArray[Any],
    d: int,
    place: Place,
    columns: tuple[str, ...] | None,
) -> None:
    """Raise `DataError` for the first entry that is not finite, or the first negative variance."""
    values = np.asarray(noise, np.float64)
    bad = ~(np.abs(values) <= LARGEST)
    of_variances = np.asarray(variances, np.float64) < 0
    if bad.any():
        row = int(np.argmax(bad.any(axis=1)))
        entry = int(np.argmax(bad[row]))
        value, column = values[row, entry], entry % d
    else:
        row = int(np.argmax(of_variances.any(axis=1)))
        column = int(np.argmax(of_variances[row]))
        value = float(variances[row, column])
    name = f"{column}" if columns is None else f"{column} ({columns[column]!r})"
    if np.isnan(value):
        what, advice = "NaN", "Leave out such rows with missing='drop' (--missing drop)."
    elif abs(value) > LARGEST:
        what = f"{value:g}".replace("inf", "infinity")
        advice = (
            "A value of no weight is a missing one: put NaN in its place in X, and fit with "
            "missing='marginalise' (--missing marginalise) and without noise_variance, or leave "
            "out such rows with missing='drop' (--missing drop)."
        )
    else:
        what = f"{value:g}"
        advice = "A variance is not negative: give squares of standard errors."
    raise DataError(f"noise_variance contains {what} in {place(row)}, column {name}. {advice}")


def _check_matrices(matrices: NDArray[np.float64], place: Place) -> None:
    """Raise `DataError` at the first matrix (m, d, d) that is no covariance."""
    largest = np.abs(matrices).max(axis=(1, 2))
    skew = np.abs(matrices - np.swapaxes(matrices, 1, 2)).max(axis=(1, 2))
    wrong = np.flatnonzero(skew > SYMMETRIC * largest)
    if len(wrong):
        raise DataError(
            f"noise_variance is a matrix that is not symmetric in {place(int(wrong[0]))}. Give "
            "covariance matrices, or variances alone."
        )
    allowed = NEGATIVE * np.trace(matrices, axis1=1, axis2=2)
    raised = matrices + (allowed + np.finfo(np.float64).tiny)[:, None, None] * np.eye(
        matrices.shape[1]
    )
    try:
        np.linalg.cholesky(raised)
    except np.linalg.LinAlgError:
        least = np.linalg.eigvalsh(matrices)[:, 0]
        wrong = np.flatnonzero(least < -allowed)
        if len(wrong):
            raise DataError(
                f"noise_variance is a matrix with a negative eigenvalue, {least[wrong[0]]:.3g}, in "
                f"{place(int(wrong[0]))}: no covariance. Give covariance matrices of the errors."
            ) from None
