"""Values that stand for missing ones, and packed numbers: the CF conventions, section 8.

https://cfconventions.org/cf-conventions/cf-conventions.html#_missing_data
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.errors import DataError

if TYPE_CHECKING:
    import xarray as xr

NAMES = ("_FillValue", "missing_value", "nodata")
"""Attributes that declare such values: of CF, and of rasters."""

BAND_BY_BAND = "nodatavals"
"""The attribute of rasters that has one such value for each band."""

PACKING = ("scale_factor", "add_offset")
"""Attributes of packed numbers."""

DECLARING = frozenset((*NAMES, BAND_BY_BAND, *PACKING))
"""All attributes that say how stored numbers become values."""

LOWEST, HUGE = -9999.0, 1e20
"""Declared numbers at or below the one, or as large as the other, that computed values are not
by chance: -9999, -32768, the fill values of netCDF, the largest floats."""


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
    """Return what the attributes of a stored array declare.

    Raises
    ------
    DataError
        If an attribute is no number, or missing values are declared band by band and differ.
    """
    nodata = [number for name in NAMES for number in _numbers(name, attributes.get(name))]
    nodata += _of_all_bands(attributes.get(BAND_BY_BAND))
    scale, offset = (_one_number(name, attributes.get(name)) for name in PACKING)
    return Decoding(
        tuple(dict.fromkeys(number for number in nodata if number == number)),
        1.0 if scale is None else scale,
        0.0 if offset is None else offset,
    )


def declared_by_xarray(array: xr.DataArray) -> Decoding:
    """Return which of the things that its attributes declare hold for an array of xarray.

    What xarray has decoded is no attribute any more. But arithmetic keeps attributes, which then
    say nothing of its results. So integers are taken as they were stored, and floats never are
    packed; missing values of floats are those that are declared if the array is as it was
    opened (its encoding, which arithmetic drops, has its type), else the ones that no
    computation gives by chance: up to `LOWEST`, or from `HUGE` in size.
    """
    if array.dtype.kind not in "fc":
        return declared(array.attrs)
    own = {name: value for name, value in array.attrs.items() if name not in PACKING}
    stored = array.encoding.get("dtype", array.encoding.get("rasterio_dtype"))
    if stored is not None and stored == array.dtype:
        return declared(own)
    return Decoding(
        tuple(n for n in declared(own).nodata if n <= LOWEST or abs(n) >= HUGE),
    )


def declared_by_zarr(array: Any) -> Decoding:
    """Return what a Zarr array declares; in format 2, xarray means its fill value as well."""
    attributes = dict(array.attrs)
    if array.metadata.zarr_format == 2 and "_ARRAY_DIMENSIONS" in attributes:
        attributes.setdefault("_FillValue", array.fill_value)
    return declared(attributes)


def _of_all_bands(value: Any) -> list[float]:
    """Return the number that all bands declare, if they do."""
    numbers = _numbers(BAND_BY_BAND, value)
    if len({number for number in numbers if number == number}) + any(n != n for n in numbers) > 1:
        raise DataError(
            f"The attribute {BAND_BY_BAND}={value!r} of X declares another missing value for each "
            "band. Make them missing band by band, as with xarray.where, and drop the attribute: "
            f"del X.attrs[{BAND_BY_BAND!r}]."
        )
    return numbers[:1]


def _one_number(name: str, value: Any) -> float | None:
    numbers = _numbers(name, value)
    if len(numbers) > 1 or any(number != number for number in numbers):
        raise _refused(name, value)
    return numbers[0] if numbers else None


def _numbers(name: str, value: Any) -> list[float]:
    """Return the numbers of an attribute, NaN for those of several that are None."""
    if value is None or (isinstance(value, str) and value.strip().lower() in ("", "none")):
        return []
    try:
        if isinstance(value, (str, bytes)):
            return [_parsed(value if isinstance(value, str) else value.decode())]
        return [_parsed(each) for each in np.ravel(np.asarray(value)).tolist()]
    except (TypeError, ValueError) as error:
        raise _refused(name, value) from error


def _parsed(value: Any) -> float:
    """Return a number, also one that is written as text."""
    if value is None:
        return float("nan")
    try:
        return float(value)
    except ValueError:
        # xarray writes floating fill values to format 3 so.
        try:
            return float(np.frombuffer(base64.b64decode(value, validate=True), "<f8").item())
        except binascii.Error as error:
            raise ValueError(value) from error


def _refused(name: str, value: Any) -> DataError:
    return DataError(
        f"The attribute {name}={value!r} of X is no number, so it cannot be told what values mean. "
        f"Correct it, or drop it: del X.attrs[{name!r}]."
    )
