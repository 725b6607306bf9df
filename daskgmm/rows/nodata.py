"""Values that stand for missing ones, and packed numbers: the CF conventions, section 8.

https://cfconventions.org/cf-conventions/cf-conventions.html#_missing_data
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

NAMES = ("_FillValue", "missing_value", "nodata", "nodatavals")
"""Attributes that declare such values: of CF, and of rasters."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """How stored numbers become values.

    Attributes
    ----------
    nodata : tuple of float
        Stored numbers that mean NaN.
    scale, offset : float
        Of packed numbers: value = stored * scale + offset.
    """

    nodata: tuple[float, ...] = ()
    scale: float = 1.0
    offset: float = 0.0

    @property
    def plain(self) -> bool:
        """Whether values are what is stored."""
        return not self.nodata and (self.scale, self.offset) == (1.0, 0.0)

    def dtype(self, stored: np.dtype[Any]) -> np.dtype[Any]:
        """Return the type of values: floating wherever they may be NaN."""
        return stored if self.plain else np.result_type(stored, np.float32)

    def __call__(self, block: NDArray[Any]) -> NDArray[Any]:
        """Return the values of a block as it was stored."""
        if self.plain:
            return block
        values = block.astype(self.dtype(block.dtype))
        for number in self.nodata:
            values[block == number] = np.nan
        if (self.scale, self.offset) != (1.0, 0.0):
            values = values * values.dtype.type(self.scale) + values.dtype.type(self.offset)
        return values


PLAIN = Decoding()


def declared(attributes: Mapping[str, Any]) -> Decoding:
    """Return what the attributes of an array declare.

    xarray keeps in them what it has not decoded, and only that.
    """
    nodata = [number for name in NAMES for number in _numbers(attributes.get(name))]
    return Decoding(
        tuple(dict.fromkeys(nodata)),
        float(attributes.get("scale_factor", 1.0)),
        float(attributes.get("add_offset", 0.0)),
    )


def declared_by_zarr(array: Any) -> Decoding:
    """Return what a Zarr array declares; in format 2, xarray means its fill value as well."""
    attributes = dict(array.attrs)
    if array.metadata.zarr_format == 2 and "_ARRAY_DIMENSIONS" in attributes:
        attributes.setdefault("_FillValue", array.fill_value)
    return declared(attributes)


def _numbers(value: Any) -> list[float]:
    """Return the numbers of an attribute but NaN, which needs no declaration."""
    if isinstance(value, str):
        # xarray writes floating fill values to format 3 so.
        try:
            value = np.frombuffer(base64.b64decode(value, validate=True), "<f8")
        except (binascii.Error, ValueError):
            return []
    if value is None:
        return []
    try:
        numbers = np.atleast_1d(np.asarray(value, np.float64)).tolist()
    except (TypeError, ValueError):
        return []
    return [number for number in numbers if number == number]
