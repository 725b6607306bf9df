"""Decoding of missing values and packed numbers: the CF conventions, section 8.

https://cfconventions.org/cf-conventions/cf-conventions.html#_missing_data

The attributes are those that xarray decodes, and `nodata` and `nodatavals` of rasters. As in
xarray, `valid_min`, `valid_max` and `valid_range` change no value. Numbers with units such as "days
since 2000-01-01" stay numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.errors import DataError, DecodingWarning, SourceError
from daskgmm.readers import remedy
from daskgmm.rows.decoding.attributes import dropped, floating_type, numbers, one_number, word
from daskgmm.rows.zarr_nodes.node import address_of
from daskgmm.user_warnings import warn_user

if TYPE_CHECKING:
    import xarray as xr

NAMES = ("_FillValue", "missing_value", "nodata")
"""Attributes of CF and of rasters that declare missing values."""

BAND_BY_BAND = "nodatavals"
"""The attribute of rasters with a missing value for each band."""

PACKING = ("scale_factor", "add_offset")
"""Attributes of packed numbers."""

PACKED_BAND_BY_BAND = {"scales": 1.0, "offsets": 0.0}
"""Attributes of rasters that pack each band in its own way, and their neutral numbers."""

UNSIGNED = "_Unsigned"
"""The attribute of integers that says whether they are unsigned."""

DECLARING = frozenset((*NAMES, BAND_BY_BAND, *PACKING, *PACKED_BAND_BY_BAND, UNSIGNED))
"""All attributes that declare a decoding."""

LOWEST, HUGE = -9999.0, 1e20
"""Numbers up to the first, or from the second in size, that computed values hardly take by chance:
-9999, -32768, the fill values of netCDF, the largest floats."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """Decoding of stored numbers into values.

    Attributes
    ----------
    nodata : tuple of float or int
        Stored numbers that become NaN.
    scale, offset : float
        Packing: value = stored * scale + offset.
    unpacked : numpy.dtype
        The smallest floating type of unpacked numbers.
    unsigned : bool or None
        Whether integers are unsigned, whatever their stored type; None for their stored type.
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
        """Whether values are the stored numbers."""
        return not (self.nodata or self.packed or self.truth) and self.unsigned is None

    def dtype(self, stored: np.dtype[Any]) -> np.dtype[Any]:
        """Return the type of values: floating wherever they may be NaN."""
        if self.packed:
            return np.result_type(self._signed(stored), np.float32, self.unpacked)
        if self.nodata:
            return np.result_type(self._signed(stored), np.float32)
        return np.dtype(bool) if self.truth else self._signed(stored)

    def __call__(self, block: NDArray[Any]) -> NDArray[Any]:
        """Return the values of a block of stored numbers."""
        if self.plain:
            return block
        stored, numbers = block.dtype, block.view(self._signed(block.dtype))
        values = numbers.astype(self.dtype(stored))
        if self.truth and self.nodata:
            values = (numbers != 0).astype(values.dtype)
        for number in self.nodata:
            values[_equal(numbers, self._as_signed(number, stored))] = np.nan
        if self.packed:
            values = values * values.dtype.type(self.scale) + values.dtype.type(self.offset)
        return values

    def _signed(self, stored: np.dtype[Any]) -> np.dtype[Any]:
        """Return the stored type with the sign, or without it, that `unsigned` declares."""
        if self.unsigned is None or stored.kind not in "iu":
            return stored
        kind = "u" if self.unsigned else "i"
        return np.dtype(f"{stored.byteorder}{kind}{stored.itemsize}")

    def _as_signed(self, number: float, stored: np.dtype[Any]) -> float:
        """Return a number of the stored type as the same bits of the `_signed` type."""
        signed = self._signed(stored)
        if signed == stored or number != int(number) or _fits(number, signed):
            return number
        bits = np.array(int(number), stored) if _fits(number, stored) else None
        return number if bits is None else int(bits.view(signed))


PLAIN = Decoding()


def _fits(number: float, dtype: np.dtype[Any]) -> bool:
    limits = np.iinfo(dtype)
    return bool(limits.min <= number <= limits.max)


def _equal(block: NDArray[Any], number: float) -> Any:
    """Return where a block equals a number, rounded to the type of the block."""
    if block.dtype.kind != "f":
        return block == number
    with np.errstate(over="ignore"):
        near = block.dtype.type(number)
    return block == near if np.isfinite(near) or np.isinf(number) else False


def taken_as_missing(nodata: Sequence[float], where: str | None = None) -> str | None:
    """Return a description of the stored numbers that become NaN; None if there are none."""
    if not nodata:
        return None
    stored = " and ".join(map(str, nodata))
    return f"{stored} {f'in {where!r} ' if where else ''}as stored, which is declared to be missing"


def declared(attributes: Mapping[str, Any]) -> Decoding:
    """Return the decoding that the attributes of a stored array declare."""
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
    """Return the decoding that an array of xarray still needs; warn of attributes not applied.

    xarray removes the attributes that it decodes, but arithmetic keeps them, although its results
    are values. So attributes apply to stored numbers (`as_stored`), and never to truth values. To
    other floats only missing values apply that computations hardly give by chance: up to
    `LOWEST`, or from `HUGE` in size.
    """
    if array.dtype.kind not in "iuf":
        return PLAIN
    decoding = declared(array.attrs)
    if decoding.plain or as_stored(array):
        return decoding
    applied = PLAIN
    if array.dtype.kind == "f":
        applied = Decoding(tuple(n for n in decoding.nodata if n <= LOWEST or abs(n) >= HUGE))
    changes_sign = decoding.unsigned is not None and (
        decoding.dtype(array.dtype).kind != array.dtype.kind
    )
    if decoding.packed or decoding.nodata != applied.nodata or changes_sign:
        _warn_of_others(array, applied, what)
    return applied


def as_stored(array: xr.DataArray) -> bool:
    """Return whether the values of an array of xarray are stored numbers, by its encoding.

    Functions that open an array note its stored type there. Selecting, loading and rearranging
    keep the note, and arithmetic drops it, except arithmetic in place such as ``x -= y``,
    ``x.copy(data=...)`` and ``xarray.map_blocks`` with x as its template. An array of another type
    than its note was decoded.
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
    """Return the stored numbers that xarray decoded to NaN, by the encoding of an array."""
    if array.dtype.kind != "f":
        return ()
    try:
        nodata = [n for name in NAMES for n in numbers(name, array.encoding.get(name))]
    except DataError:
        return ()
    return tuple(dict.fromkeys(n for n in nodata if n == n))


def declared_by_zarr(array: Any) -> Decoding:
    """Return the decoding that a Zarr array declares."""
    if np.dtype(array.dtype).kind not in "iuf":
        return PLAIN
    return declared(zarr_attributes(array))


def zarr_attributes(array: Any) -> dict[str, Any]:
    """Return the attributes of a Zarr array, its fill value among them if that is declared.

    In format 2, xarray and writers like it declare `_FillValue` by the array's fill value alone,
    so it counts there for arrays whose dimensions have names, as in xarray. A fill value of 0 is
    also Zarr's default: it counts where numbers are packed, which only such a writer does. In
    format 3 the fill value declares nothing.
    """
    attributes = attributes_of(array)
    named = attributes.pop("_ARRAY_DIMENSIONS", None) is not None
    if named and array.metadata.zarr_format == 2 and np.dtype(array.dtype).kind in "iuf":
        fill = array.fill_value
        if fill is not None and (fill != 0 or _zero_is_declared(attributes)):
            attributes.setdefault("_FillValue", fill)
    return attributes


def attributes_of(array: Any) -> dict[str, Any]:
    """Return the attributes of a Zarr array; raise `SourceError` where they are no object."""
    given = array.metadata.attributes
    if isinstance(given, Mapping):
        return dict(given)
    raise SourceError(
        f"The attributes of {address_of(array)} are damaged: they are a {type(given).__name__}, "
        "and no object with names. Write them again."
    )


def fills_missing(array: Any, decoding: Decoding) -> bool:
    """Return whether chunks of a Zarr array that are not stored read as missing values."""
    if array.fill_value is None or np.dtype(array.dtype).kind not in "iuf":
        return False
    fill = decoding(np.full((1, 1), array.fill_value, array.dtype))
    return bool(fill.dtype.kind == "f" and np.isnan(fill).all())


def tell_zeros(array: Any, where: str) -> None:
    """Warn if zeros of a Zarr array of format 2 may be values or missing; see `zarr_attributes`."""
    about = attributes_of(array)
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
    """Return the type to unpack to, as xarray chooses it: the common one of scale and offset."""
    types = [floating_type(attributes[name]) for name in PACKING if name in attributes]
    if "add_offset" in attributes and len(set(types)) + ("scale_factor" not in attributes) > 1:
        return np.dtype(np.float64)
    return types[0] if types else np.dtype(np.float64)


def _warn_of_others(array: xr.DataArray, applied: Decoding, what: str) -> None:
    """Warn of the declaring attributes of an array that are not applied."""
    names = sorted(DECLARING & {*array.attrs})
    attributes = ", ".join(f"{name}={array.attrs[name]}" for name in names)
    nodata = " and ".join(map(str, applied.nodata))
    only = f" (but for {nodata}, which is missing)" if nodata else ""
    warn_user(
        f"The attributes {attributes} of {what} are not applied{only}: nothing says that its "
        "values are as they were stored, and arithmetic keeps attributes. "
        + remedy(
            "If values were computed or decoded, drop these attributes, as with X.drop_attrs(). "
            "If they are as stored, say so: X.encoding['dtype'] = X.dtype.",
            "If values were computed or decoded, write DATA without these attributes.",
        ),
        DecodingWarning,
    )


def _refuse_packed_bands(attributes: Mapping[str, Any]) -> None:
    """Raise `DataError` if bands have scales or offsets of their own."""
    for name, neutral in PACKED_BAND_BY_BAND.items():
        value = attributes.get(name)
        # Texts under these names are those of other conventions.
        given = value if isinstance(value, (tuple, list, np.ndarray)) else ()
        if any(isinstance(x, (float, int, np.number)) and x != neutral for x in given):
            raise DataError(
                f"The attribute {name}={value!r} of X says that each band is packed otherwise. "
                "Unpack them as they are opened, with rioxarray.open_rasterio(..., "
                "mask_and_scale=True), or band by band; if the values are unpacked, drop the "
                f"attribute{remedy(f': del X.attrs[{name!r}]', '')}."
            )


def _of_all_bands(value: Any) -> list[float]:
    """Return the number that all bands declare, if any."""
    nodata = numbers(BAND_BY_BAND, value)
    if len({n for n in nodata if n == n}) + any(n != n for n in nodata) > 1:
        raise DataError(
            f"The attribute {BAND_BY_BAND}={value!r} of X declares another missing value for each "
            "band. Make them missing band by band, as with xarray.where, and as for the attribute, "
            f"{dropped(BAND_BY_BAND)}."
        )
    return nodata[:1]
