"""Values that stand for missing ones, and packed numbers: the CF conventions, section 8.

https://cfconventions.org/cf-conventions/cf-conventions.html#_missing_data

All that xarray decodes is decoded here, and what rasters declare besides (`nodata`, `nodatavals`).
As in xarray, `valid_min`, `valid_max` and `valid_range` change nothing: they say what values should
be. Numbers with units such as "days since 2000-01-01" stay numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.errors import DataError, DecodingWarning
from daskgmm.rows.labelled.attributes import dropped, floating_type, numbers, one_number, word
from daskgmm.user_warnings import warn_user

if TYPE_CHECKING:
    import xarray as xr

NAMES = ("_FillValue", "missing_value", "nodata")
"""Attributes that declare such values: of CF, and of rasters."""

BAND_BY_BAND = "nodatavals"
"""The attribute of rasters that has one such value for each band."""

PACKING = ("scale_factor", "add_offset")
"""Attributes of packed numbers."""

PACKED_BAND_BY_BAND = {"scales": 1.0, "offsets": 0.0}
"""Attributes of rasters whose bands are packed otherwise, and the numbers that change nothing."""

UNSIGNED = "_Unsigned"
"""The attribute of integers whose sign bit is one of their value, or is not."""

DECLARING = frozenset((*NAMES, BAND_BY_BAND, *PACKING, *PACKED_BAND_BY_BAND, UNSIGNED))
"""All attributes that say how stored numbers become values."""

LOWEST, HUGE = -9999.0, 1e20
"""Declared numbers at or below the one, or as large as the other, that computed values are not
by chance: -9999, -32768, the fill values of netCDF, the largest floats."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """How stored numbers become values.

    Attributes
    ----------
    nodata : tuple of float or int
        Stored numbers that mean NaN.
    scale, offset : float
        Of packed numbers: value = stored * scale + offset.
    unpacked : numpy.dtype
        The floating type that numbers are unpacked to, at least.
    unsigned : bool or None
        Whether integers are without a sign, whatever the type they are stored in.
    truth : bool
        Whether integers are truth values: all but 0 are true.
    """

    nodata: tuple[float, ...] = ()
    scale: float = 1.0
    offset: float = 0.0
    unpacked: np.dtype[Any] = np.dtype(np.float64)  # noqa: RUF009 (immutable)
    unsigned: bool | None = None
    truth: bool = False

    @property
    def packed(self) -> bool:
        """Whether values are stored numbers times a scale, plus an offset."""
        return (self.scale, self.offset) != (1.0, 0.0)

    @property
    def plain(self) -> bool:
        """Whether values are what is stored."""
        return not (self.nodata or self.packed or self.truth) and self.unsigned is None

    def dtype(self, stored: np.dtype[Any]) -> np.dtype[Any]:
        """Return the type of values: floating wherever they may be NaN."""
        if self.packed:
            return np.result_type(self._seen(stored), np.float32, self.unpacked)
        if self.nodata:
            return np.result_type(self._seen(stored), np.float32)
        return np.dtype(bool) if self.truth else self._seen(stored)

    def __call__(self, block: NDArray[Any]) -> NDArray[Any]:
        """Return the values of a block as it was stored."""
        if self.plain:
            return block
        stored, seen = block.dtype, block.view(self._seen(block.dtype))
        values = seen.astype(self.dtype(stored))
        if self.truth and self.nodata:
            values = (seen != 0).astype(values.dtype)
        for number in self.nodata:
            values[_equal(seen, self._as_seen(number, stored))] = np.nan
        if self.packed:
            values = values * values.dtype.type(self.scale) + values.dtype.type(self.offset)
        return values

    def _seen(self, stored: np.dtype[Any]) -> np.dtype[Any]:
        """Return the type that stored numbers are of, with or without a sign."""
        if self.unsigned is None or stored.kind not in "iu":
            return stored
        kind = "u" if self.unsigned else "i"
        return np.dtype(f"{stored.byteorder}{kind}{stored.itemsize}")

    def _as_seen(self, number: float, stored: np.dtype[Any]) -> float:
        """Return a number that is written in the stored type in the one that it is of."""
        seen = self._seen(stored)
        if seen == stored or number != int(number) or _fits(number, seen):
            return number
        bits = np.array(int(number), stored) if _fits(number, stored) else None
        return number if bits is None else int(bits.view(seen))


PLAIN = Decoding()


def _fits(number: float, dtype: np.dtype[Any]) -> bool:
    limits = np.iinfo(dtype)
    return bool(limits.min <= number <= limits.max)


def _equal(block: NDArray[Any], number: float) -> Any:
    """Return where a block holds a number, as near to it as its type can say."""
    if block.dtype.kind != "f":
        return block == number
    with np.errstate(over="ignore"):
        near = block.dtype.type(number)
    return block == near if np.isfinite(near) or np.isinf(number) else False


def taken_as_missing(nodata: Sequence[float], where: str | None = None) -> str | None:
    """Return in words which stored numbers mean NaN; None if none do."""
    if not nodata:
        return None
    stored = " and ".join(map(str, nodata))
    return f"{stored} {f'in {where!r} ' if where else ''}as stored, which is declared to be missing"


def declared(attributes: Mapping[str, Any]) -> Decoding:
    """Return what the attributes of a stored array declare."""
    _refuse_packed_bands(attributes)
    nodata = [number for name in NAMES for number in numbers(name, attributes.get(name))]
    nodata += _of_all_bands(attributes.get(BAND_BY_BAND))
    scale, offset = (one_number(name, attributes.get(name)) for name in PACKING)
    return Decoding(
        tuple(dict.fromkeys(number for number in nodata if number == number)),
        1.0 if scale is None else float(scale),
        0.0 if offset is None else float(offset),
        _unpacked(attributes),
        {"true": True, "false": False}.get(word(attributes.get(UNSIGNED))),
        word(attributes.get("dtype")) == "bool",
    )


def declared_by_xarray(array: xr.DataArray, what: str = "X") -> Decoding:
    """Return which of the things that its attributes declare hold for an array of xarray.

    What xarray has decoded is no attribute any more. But arithmetic keeps attributes, which then
    say nothing of its results. So they hold for what is as it was stored, which `as_stored` tells,
    and never for truth values. Else nothing holds but, of floats, missing values that no
    computation gives by chance: up to `LOWEST`, or from `HUGE` in size.
    """
    if array.dtype.kind not in "iuf":
        return PLAIN
    found = declared(array.attrs)
    if found.plain or as_stored(array):
        return found
    holds = PLAIN
    if array.dtype.kind == "f":
        holds = Decoding(tuple(n for n in found.nodata if n <= LOWEST or abs(n) >= HUGE))
    if found.packed or found.nodata != holds.nodata or _changes_sign(found, array.dtype):
        _warn_of_what_does_not_hold(array, holds, what)
    return holds


def as_stored(array: xr.DataArray) -> bool:
    """Tell whether the values of an array of xarray are those that were stored.

    The evidence is its encoding: whatever opens an array notes there the type that is stored,
    selecting, loading and laying out anew keep it, and arithmetic drops it. (All but arithmetic in
    place, as in ``x -= y``, ``x.copy(data=...)`` and ``xarray.map_blocks`` with x as its template.)
    A type that differs was decoded.
    """
    for name in ("dtype", "rasterio_dtype"):
        if name in array.encoding:
            try:
                stored = np.dtype(array.encoding[name])
            except TypeError:
                return False
            return bool(stored.newbyteorder("=") == array.dtype.newbyteorder("="))
    return False


def decoded_by_xarray(array: xr.DataArray) -> tuple[float, ...]:
    """Return which stored numbers became NaN when xarray decoded an array, by its encoding."""
    if array.dtype.kind != "f":
        return ()
    try:
        found = [n for name in NAMES for n in numbers(name, array.encoding.get(name))]
    except DataError:
        return ()
    return tuple(dict.fromkeys(n for n in found if n == n))


def declared_by_zarr(array: Any) -> Decoding:
    """Return what a Zarr array declares."""
    if np.dtype(array.dtype).kind not in "iuf":
        return PLAIN
    return declared(zarr_attributes(array))


def zarr_attributes(array: Any) -> dict[str, Any]:
    """Return the attributes of a Zarr array, its fill value among them if that is declared.

    In format 2, xarray declares `_FillValue` by the array's fill value and nowhere else, and so
    does what writes for it: there it counts for arrays whose dimensions have names, as it does
    in xarray. But 0 is what Zarr writes by itself. It counts where numbers are packed, which is
    the work of such a writer. In format 3 attributes declare, and the fill value does not.
    """
    found = dict(array.attrs)
    named = found.pop("_ARRAY_DIMENSIONS", None) is not None
    if named and array.metadata.zarr_format == 2 and np.dtype(array.dtype).kind in "iuf":
        fill = array.fill_value
        if fill is not None and (fill != 0 or _zero_is_declared(found)):
            found.setdefault("_FillValue", fill)
    return found


def tell_zeros(array: Any, where: str) -> None:
    """Warn where a Zarr array of format 2 leaves open what 0 means; see `zarr_attributes`."""
    about = dict(array.attrs)
    if (
        array.metadata.zarr_format != 2
        or np.dtype(array.dtype).kind not in "iuf"
        or array.fill_value is None
        or array.fill_value != 0
        or "_ARRAY_DIMENSIONS" not in about
        or any(name in about for name in (*NAMES, BAND_BY_BAND))
    ):
        return
    packed = _zero_is_declared(about)
    taken = "missing, as its numbers are packed" if packed else "values; xarray reads them as NaN"
    other = (
        "If they are values, write another fill_value to its .zarray, as null"
        if packed
        else "If they are missing, say so: array.attrs['_FillValue'] = 0"
    )
    warn_user(
        f"{where} has the fill value 0, which is the default of Zarr's format 2, and no attribute "
        f"declares it: zeros are taken as {taken}. {other}.",
        DecodingWarning,
    )


def _zero_is_declared(attributes: Mapping[str, Any]) -> bool:
    elsewhere = any(name in attributes for name in (*NAMES, BAND_BY_BAND))
    return not elsewhere and any(name in attributes for name in PACKING)


def _unpacked(attributes: Mapping[str, Any]) -> np.dtype[Any]:
    """Return the type to unpack to, as xarray chooses it: that of scale and offset, if one."""
    types = [floating_type(attributes[name]) for name in PACKING if name in attributes]
    if "add_offset" in attributes and len(set(types)) + ("scale_factor" not in attributes) > 1:
        return np.dtype(np.float64)
    return types[0] if types else np.dtype(np.float64)


def _changes_sign(decoding: Decoding, dtype: np.dtype[Any]) -> bool:
    return decoding.unsigned is not None and decoding.dtype(dtype).kind != dtype.kind


def _warn_of_what_does_not_hold(array: xr.DataArray, holds: Decoding, what: str) -> None:
    said = ", ".join(f"{name}={array.attrs[name]}" for name in sorted(DECLARING & {*array.attrs}))
    kept = " and ".join(map(str, holds.nodata))
    only = f" (but for {kept}, which is missing)" if kept else ""
    warn_user(
        f"The attributes {said} of {what} are not applied{only}: nothing says that its values are "
        "as they were stored, and arithmetic keeps attributes. If values were computed or decoded, "
        "drop these attributes, as with X.drop_attrs(). If they are as stored, say so: "
        "X.encoding['dtype'] = X.dtype.",
        DecodingWarning,
    )


def _refuse_packed_bands(attributes: Mapping[str, Any]) -> None:
    """Raise `DataError` if bands have scales or offsets of their own."""
    for name, nothing in PACKED_BAND_BY_BAND.items():
        value = attributes.get(name)
        # Words say nothing: others may call something else so.
        given = value if isinstance(value, (tuple, list, np.ndarray)) else ()
        if any(isinstance(each, (float, int, np.number)) and each != nothing for each in given):
            raise DataError(
                f"The attribute {name}={value!r} of X says that each band is packed otherwise. "
                "Unpack them as they are opened, with rioxarray.open_rasterio(..., "
                "mask_and_scale=True), or band by band; if the values are unpacked, drop the "
                f"attribute: del X.attrs[{name!r}]."
            )


def _of_all_bands(value: Any) -> list[float]:
    """Return the number that all bands declare, if they do."""
    found = numbers(BAND_BY_BAND, value)
    if len({number for number in found if number == number}) + any(n != n for n in found) > 1:
        raise DataError(
            f"The attribute {BAND_BY_BAND}={value!r} of X declares another missing value for each "
            "band. Make them missing band by band, as with xarray.where, and as for the attribute, "
            f"{dropped(BAND_BY_BAND)}."
        )
    return found[:1]
