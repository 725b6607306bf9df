"""Warning about lazy arrays of stored numbers whose attributes declare a decoding.

`dask.array.from_zarr` and `from_array` read stored numbers, among them those that stand for missing
values. A graph that computes with them may decode them; one that only selects does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import zarr

from daskgmm.errors import DataError, DecodingWarning
from daskgmm.rows.decoding.nodata import (
    DECLARING,
    PLAIN,
    Decoding,
    declared,
    declared_by_zarr,
    zarr_attributes,
)
from daskgmm.rows.stores.hdf5 import declared_by_hdf5, is_hdf5
from daskgmm.user_warnings import warn_user

MOVING = frozenset(
    ("original-from-zarr", "from-zarr", "original-array", "array", "getitem", "concatenate",
     "stack", "block", "vstack", "hstack", "reshape", "transpose", "rechunk", "rechunk-merge",
     "rechunk-split")
)  # fmt: skip
"""Names of Dask's layers that read stored arrays, or rearrange their values."""


def warn_of_undecoded(x: Any, what: str = "X") -> None:
    """Warn if a Dask array only selects from stored arrays that declare a decoding."""
    if not {name.rpartition("-")[0] for name in x.dask.layers} <= MOVING:
        return
    for stored in _stored(x):
        declarations = _declarations(stored)
        if declarations:
            warn_user(
                f"{what} is a Dask array that reads numbers as they are stored, and what it reads "
                f"declares {declarations}: that is not applied. Give the stored array, its path or "
                "what xarray opens instead of dask.array.from_zarr or from_array, or decode it, as "
                "with dask.array.where.",
                DecodingWarning,
            )
            return


def _stored(x: Any) -> Iterator[Any]:
    """Yield the arrays that the first layers of a graph hold."""
    for name, layer in x.dask.layers.items():
        if name.startswith("original-"):
            for node in layer.values():
                yield getattr(node, "value", node)


def _declarations(stored: Any) -> str:
    """Return the attributes that declare a decoding; empty if the numbers are values."""
    try:
        if _decoding(stored).plain:
            return ""
    except DataError:  # of bands that differ, too
        pass
    about = _attributes(stored)
    return ", ".join(f"{name}={about[name]}" for name in sorted(DECLARING & {*about}))


def _decoding(stored: Any) -> Decoding:
    if isinstance(stored, zarr.Array):
        return declared_by_zarr(stored)
    if is_hdf5(stored):
        return declared_by_hdf5(stored)
    return declared(_attributes(stored)) if _of_netcdf(stored) else PLAIN


def _attributes(stored: Any) -> dict[str, Any]:
    if _of_netcdf(stored):
        return {name: stored.getncattr(name) for name in stored.ncattrs()}
    return zarr_attributes(stored) if isinstance(stored, zarr.Array) else dict(stored.attrs)


def _of_netcdf(stored: Any) -> bool:
    """Return whether a variable of netCDF4 was opened without decoding."""
    return hasattr(stored, "ncattrs") and not (stored.mask or stored.scale)
