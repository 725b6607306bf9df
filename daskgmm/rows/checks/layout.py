"""Checks of the shape and type of rows and weights, before they are read.

Messages that scikit-learn has as well are in its words, so that people and code know them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from daskgmm.companions import LABELS, WEIGHTS, entry_of
from daskgmm.errors import DataError
from daskgmm.readers import remedy

REAL_KINDS = "biuf"
"""Kinds of `numpy.dtype` that are real numbers: boolean, integers, floating."""

AS_NUMBERS = "select numeric columns, or convert them with astype(float)"

NONE_GIVEN = {
    WEIGHTS: "Without sample_weight all rows weigh the same.",
    LABELS: "Without labels the class of no row is known.",
}


DATES = {
    "X": "not numbers. Convert them to a duration in a unit of your choice, for example "
    "(t - t0) / np.timedelta64(1, 's')",
    WEIGHTS: "not weights, which are numbers. Give one number for each row",
    LABELS: "not labels, which are whole numbers",
}
"""What dates are not, and what to do, by argument."""


def check_rows(shape: Sequence[Any], dtype: Any) -> None:
    """Raise DataError unless an array of this shape and type can be rows."""
    _check_unstructured(dtype, "X", len(shape))
    if len(shape) < 2:
        raise DataError(_too_few_axes(len(shape)))
    if len(shape) > 2:
        raise DataError(_too_many_axes(shape))
    if shape[1] != shape[1]:
        raise DataError(
            "The number of columns of the array is unknown (nan); find it first, for a dask "
            "array with X.compute_chunk_sizes()."
        )
    if shape[1] == 0:
        known = "n" if shape[0] != shape[0] else shape[0]
        raise DataError(
            f"Found array with 0 feature(s) (shape=({known}, 0)) while a minimum of 1 is "
            "required. Give at least one column."
        )
    check_real(dtype, "X")


def check_weights(
    shape: Sequence[Any], dtype: Any, n_rows: int | None = None, name: str = WEIGHTS
) -> None:
    """Raise DataError unless an array of this shape and type can be weights, or labels.

    `name` is that of the argument, here and in all that takes weights as labels are taken.
    """
    _check_unstructured(dtype, name, len(shape))
    if len(shape) != 1:
        wanted = "(n,), n being the number of rows" if n_rows is None else _text((n_rows,))
        how = (
            remedy(
                f"Take one column, as {name}[:, 0], or a single one with {name}.ravel().",
                f"Name a column of a table, or an array of one {entry_of(name)} a row.",
            )
            if shape
            else NONE_GIVEN[name]
        )
        subject = "Sample weights" if name == WEIGHTS else name.capitalize()
        raise DataError(
            f"{subject} must be a 1D array of shape {wanted}, one {entry_of(name)} a row; got "
            f"{len(shape)}D" + (f" of shape {_text(shape)}. " if shape else ". ") + how
        )
    check_real(dtype, name)


def check_real(dtype: Any, name: str) -> None:
    """Raise DataError unless `dtype` is boolean, integer or floating."""
    kind = np.dtype(dtype).kind
    if kind in REAL_KINDS:
        return
    if kind == "c":
        raise DataError(
            f"Complex data not supported: {name} has dtype {dtype}. Give the real and the "
            "imaginary part as columns of their own."
        )
    _check_unstructured(dtype, name)
    if kind in "mM":
        raise DataError(
            f"{name} has dtype {dtype}; dates and durations are {DATES.get(name, DATES['X'])}"
            + (remedy(". Make some with pandas.factorize(labels).", ".") if name == LABELS else ".")
        )
    raise DataError(f"{name} has dtype {dtype}, which is not numeric; {_numbers_for(name)}.")


def _numbers_for(name: str) -> str:
    """Return how to give numbers as the argument of this name."""
    if name == LABELS:
        return "labels are whole numbers. " + remedy(
            "Of names make some with pandas.factorize(labels), or fit a "
            "GaussianMixtureClassifier, which takes names in arrays, lists and series in "
            "memory",
            "A classifier (--classifier) takes names in a column of a table",
        )
    return remedy(AS_NUMBERS, "write an array of its numbers alone")


def _check_unstructured(dtype: Any, name: str, axes: int = 1) -> None:
    """Raise DataError if elements have fields: these are columns, and no axis is missing."""
    kind = np.dtype(dtype)
    if kind.names is None:
        return
    has = f"{name} has the structured dtype {dtype}, whose fields are columns"
    if name != "X":
        raise DataError(
            f"{has}, and one number a row is needed. Take one field, as {name}[{kind.names[0]!r}]."
        )
    numeric = [field for field in kind.names if kind[field].kind in REAL_KINDS]
    chosen = (
        "" if len(numeric) == len(kind.names) else f" Choose those of numbers first: {numeric}."
    )
    each = name if axes == 1 else f"{name}.ravel()"
    how = remedy(
        f"{chosen} Make it one with "
        f"numpy.lib.recfunctions.structured_to_unstructured({each}), or where it is an array of "
        "Dask (dask.array.from_array makes one of Zarr, HDF5 and memory maps) with "
        f"{each}.map_blocks(structured_to_unstructured, new_axis=1, "
        f"chunks=({each}.chunks[0], ({len(numeric)},)), dtype=float).",
        " Write it as such an array, or as a table (Parquet).",
    )
    raise DataError(f"{has}, and an array of rows x columns is needed.{how}")


def _too_few_axes(axes: int) -> str:
    got = "scalar" if axes == 0 else "1D"
    how = remedy(
        "Reshape your data either using array.reshape(-1, 1) if your data has a single feature or "
        "array.reshape(1, -1) if it contains a single sample.",
        "Write it as rows x columns, with one column if it has a single feature: "
        "array.reshape(-1, 1) of NumPy. Of a Zarr array --features '' says that each value is a "
        "row.",
    )
    return f"Expected 2D array, got {got} array instead. {how}"


def _too_many_axes(shape: Sequence[Any]) -> str:
    how = remedy(
        "move the axis of features last and flatten the others with "
        "array.reshape(-1, array.shape[-1]); a Zarr array is first opened with "
        "dask.array.from_zarr, then reshaped.",
        "write it so, or as a Zarr array, of which --features names the axes of features.",
    )
    return (
        f"Expected 2D array, got {len(shape)}D array instead, of shape {_text(shape)}. A mixture "
        f"needs rows x columns: {how}"
    )


def _text(shape: Sequence[Any]) -> str:
    return "(" + ", ".join(str(n) for n in shape) + ("," if len(shape) == 1 else "") + ")"
