"""What becomes a plain array is looked at before: no mask gets lost, nothing is loaded unasked."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.errors import DataError
from daskgmm.rows.unfit import check_plain

LOADED_BYTES = 16 << 20
"""Most bytes of an array-like, stored somewhere, that are brought into memory without a word."""

IN_MEMORY = ("__array_interface__", "__array_struct__", "__dlpack__", "__dataframe__", "iloc")
"""What array-likes have whose values are in memory; also `__arrow_c_stream__` and its kin."""

OF_OTHERS = ("scipy", "sparse", "pint")
"""Packages whose arrays are refused, or taken, elsewhere."""

NETCDF = (
    "As a plain array its missing values would be data. Open its file with "
    "daskgmm.open_labelled(path, variables=[...]), or with xarray, and give what you get, which "
    "stays lazy and knows missing values."
)

FILES = {
    "netCDF4": NETCDF,
    "h5netcdf": NETCDF,
    "h5py": "Give one of its datasets, file['name'], with two axes.",
}
"""What to give instead of what these packages hold in files, but for datasets of h5py."""


def unmasked(values: Any, what: str) -> Any:
    """Return values as they are; raise `DataError` if they are masked, sparse or have units."""
    check_plain(values, what)
    if isinstance(values, np.ma.MaskedArray):
        raise DataError(
            f"{what} is masked (numpy.ma.MaskedArray), and what is behind a mask must not be taken "
            "as data. Fill it first, floats with NaN, which missing='drop' leaves out: "
            "array.filled(numpy.nan), or X.map_blocks(numpy.ma.filled, numpy.nan) where it is lazy."
        )
    return values


def plain(values: Any, what: str) -> NDArray[Any]:
    """Return values as a plain array; raise `DataError` as `unmasked`."""
    check_plain(values, what)
    found: NDArray[Any] = np.asarray(unmasked(np.asanyarray(values), what))
    return found


def checked(x: Any, what: str) -> Any:
    """Return what is to become an array by itself: x, or its values if it reads on conversion.

    Raise `DataError` for what `unmasked` refuses, `TypeError` for more than `LOADED_BYTES`.
    """
    if isinstance(x, (list, tuple)):
        if not any(hasattr(each, "__array__") for each in x):
            return x
        return [
            checked(each, f"Element {index} of {what}") if hasattr(each, "__array__") else each
            for index, each in enumerate(x)
        ]
    if _package(x) in FILES:
        raise TypeError(f"{what} is a {_kind(x)}. {FILES[_package(x)]}")
    if not _reads_when_converted(x):
        return unmasked(x, what)
    if _nbytes(x) > LOADED_BYTES:
        raise TypeError(
            f"{what} is a {_kind(x)}. It would be brought into memory as a whole, with "
            f"{' x '.join(map(str, x.shape))} values. Give it as dask.array.from_array(x, "
            "chunks=...), which is read in pieces; or as numpy.asarray(x), if it fits."
        )
    return plain(x, what)


def _reads_when_converted(x: Any) -> bool:
    """Tell what has a shape and becomes an array, but does not show memory that holds it."""
    if isinstance(x, (np.ndarray, np.generic)) or not hasattr(x, "__array__"):
        return False
    if _package(x) in OF_OTHERS or not hasattr(x, "shape"):
        return False
    arrow = hasattr(x, "__arrow_c_stream__") or hasattr(x, "__arrow_c_array__")
    return not (arrow or any(hasattr(x, name) for name in IN_MEMORY))


def _package(x: Any) -> str:
    return type(x).__module__.partition(".")[0]


def _nbytes(x: Any) -> float:
    try:
        return float(prod(x.shape) * np.dtype(x.dtype).itemsize)
    except (TypeError, AttributeError):
        return float("inf")


def _kind(x: Any) -> str:
    return f"{type(x).__module__}.{type(x).__qualname__}"
