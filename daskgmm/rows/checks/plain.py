"""Checks before conversion to a plain array: it would lose a mask, or load large data."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.errors import DataError
from daskgmm.rows.checks.refusals import check_plain, kind_of, package_of

LOADED_BYTES = 16 << 20
"""Largest size in bytes of a stored array-like that is loaded unasked."""

IN_MEMORY = ("__array_interface__", "__array_struct__", "__dlpack__", "__dataframe__", "iloc")
"""Attributes of array-likes in memory, besides `__arrow_c_stream__` and `__arrow_c_array__`."""

OF_OTHERS = ("scipy", "sparse", "pint")
"""Packages whose arrays other functions take or refuse."""

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
"""Advice on objects of packages that read files, except datasets of h5py."""


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
    array: NDArray[Any] = np.asarray(unmasked(np.asanyarray(values), what))
    return array


def checked(x: Any, what: str) -> Any:
    """Return x, or its values if they are read on conversion to an array.

    Raise `DataError` for what `unmasked` refuses, `TypeError` for more than `LOADED_BYTES`.
    """
    if isinstance(x, (list, tuple)):
        if not any(hasattr(value, "__array__") for value in x):
            return x
        return [
            checked(value, f"Element {index} of {what}") if hasattr(value, "__array__") else value
            for index, value in enumerate(x)
        ]
    if package_of(x) in FILES:
        raise TypeError(f"{what} is a {kind_of(x)}. {FILES[package_of(x)]}")
    if not _reads_when_converted(x):
        return unmasked(x, what)
    if _nbytes(x) > LOADED_BYTES:
        raise TypeError(
            f"{what} is a {kind_of(x)}. It would be brought into memory as a whole, with "
            f"{' x '.join(map(str, x.shape))} values. Give it as dask.array.from_array(x, "
            "chunks=...), which is read in pieces; or as numpy.asarray(x), if it fits."
        )
    return plain(x, what)


def _reads_when_converted(x: Any) -> bool:
    """Return whether x has a shape and becomes an array, but shows no memory that holds it."""
    if isinstance(x, (np.ndarray, np.generic)) or not hasattr(x, "__array__"):
        return False
    if package_of(x) in OF_OTHERS or not hasattr(x, "shape"):
        return False
    arrow = hasattr(x, "__arrow_c_stream__") or hasattr(x, "__arrow_c_array__")
    return not (arrow or any(hasattr(x, name) for name in IN_MEMORY))


def _nbytes(x: Any) -> float:
    try:
        return float(prod(x.shape) * np.dtype(x.dtype).itemsize)
    except (TypeError, AttributeError):
        return float("inf")
