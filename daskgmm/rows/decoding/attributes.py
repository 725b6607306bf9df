"""Numbers in the attributes of stored arrays, as JSON, NetCDF, HDF5 and rasters write them."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import numpy as np

from daskgmm.errors import DataError
from daskgmm.readers import remedy


def one_number(name: str, value: Any) -> float | None:
    """Return the number of an attribute, None if it has none."""
    several = numbers(name, value)
    if len(several) > 1 or any(number != number for number in several):
        raise refused(name, value)
    return several[0] if several else None


def numbers(name: str, value: Any) -> list[float]:
    """Return the numbers of an attribute, NaN for those of several that are None.

    Integers stay integers: those of 64 bits are not all floats.
    """
    if value is None or (isinstance(value, str) and value.strip().lower() in ("", "none")):
        return []
    try:
        if isinstance(value, (str, bytes)):
            return [_parsed(value if isinstance(value, str) else value.decode())]
        return [_parsed(number) for number in np.ravel(np.asarray(value)).tolist()]
    except (TypeError, ValueError) as error:
        raise refused(name, value) from error


def floating_type(value: Any) -> np.dtype[Any]:
    """Return the floating type of an attribute's number: float64 unless it has one of its own."""
    dtype = value.dtype if isinstance(value, (np.ndarray, np.generic)) else np.dtype(np.float64)
    return np.dtype(dtype if dtype.kind == "f" else np.float64)


def word(value: Any) -> str:
    """Return an attribute that is one word, in lower case."""
    words = np.ravel(np.asarray(value)).tolist()
    single = words[0] if len(words) == 1 else ""
    return (single.decode() if isinstance(single, bytes) else str(single)).strip().lower()


def refused(name: str, value: Any) -> DataError:
    """Return the error for an attribute that cannot be understood."""
    return DataError(
        f"The attribute {name}={value!r} of X is not a number, so it cannot be told what values "
        f"mean. Correct it, or {dropped(name)}."
    )


def dropped(name: str) -> str:
    """Return advice on dropping an attribute, also of a file that must not change."""
    return remedy(
        f"drop it: del X.attrs[{name!r}], in a file opened with mode='r+'; or leave all attributes "
        "out, with dask.array.from_array(X, chunks=...)",
        "drop it from DATA",
    )


def _parsed(value: Any) -> float:
    """Return a number, parsed if it is text."""
    if value is None:
        return float("nan")
    if isinstance(value, int):
        return int(value)
    try:
        return float(value)
    except ValueError:
        # xarray writes floating fill values to format 3 so.
        try:
            return float(np.frombuffer(base64.b64decode(value, validate=True), "<f8").item())
        except binascii.Error as error:
            raise ValueError(value) from error
