"""Concatenation of variables along a new last axis, block by block."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from daskgmm.rows.checks.plain import plain, unmasked
from daskgmm.rows.decoding.nodata import Decoding
from daskgmm.rows.labelled.variables import Variable

if TYPE_CHECKING:
    import xarray as xr


def stack_features(
    variables: Sequence[Variable], dims: Sequence[Hashable], order: list[int] | None
) -> Any:
    """Return the variables side by side along a new last axis."""
    parts = [_part(variable, dims) for variable in variables]
    concatenate = partial(_concatenate, parts=parts, order=order)
    if all(variable.array.chunks is None for variable in variables):
        return concatenate(*(variable.array.data for variable in variables))
    # Axes have numbers: those of the grid, that of the features, then each variable's own.
    feature, arguments = len(dims), list[Any]()
    own = count(feature + 1)
    for variable in variables:
        axes = [dims.index(dim) if dim in dims else next(own) for dim in variable.array.dims]
        arguments += [_as_dask(variable.array), axes]
    d = sum(len(variable.names) for variable in variables) if order is None else len(order)
    dtype = np.result_type(*(v.decoding.dtype(v.array.dtype) for v in variables))
    return da.blockwise(
        concatenate,
        range(feature + 1),
        *arguments,
        new_axes={feature: d},
        concatenate=True,
        dtype=dtype,
        meta=np.empty((0,) * (len(dims) + 1), dtype),
        name=None,
        token="daskgmm-rows",
    )


def _as_dask(array: xr.DataArray) -> Any:
    if array.chunks is None:
        return da.from_array(array.data, chunks=-1)
    unmasked(array.data._meta, "X")
    return array.data


@dataclass(frozen=True, slots=True)
class _Part:
    """A variable among those that are concatenated.

    Attributes
    ----------
    axes : tuple of bool
        For each sample dimension, whether the variable has it.
    decoding : Decoding
    name : str
        Name of its blocks in errors.
    """

    axes: tuple[bool, ...]
    decoding: Decoding
    name: str

    def spread(self, block: NDArray[Any]) -> NDArray[Any]:
        """Return the block with all sample axes, some of length 1, and one of features."""
        values = self.decoding(plain(block, self.name))
        own = iter(block.shape)
        sizes = [next(own) if there else 1 for there in self.axes]
        return values.reshape(*sizes, math.prod(own))


def _part(variable: Variable, dims: Sequence[Hashable]) -> _Part:
    name = variable.array.name
    name = "X" if name is None else f"A block of {name!r} of X"
    return _Part(tuple(dim in variable.array.dims for dim in dims), variable.decoding, name)


def _concatenate(
    *blocks: NDArray[Any], parts: Sequence[_Part], order: list[int] | None
) -> NDArray[Any]:
    spread = [part.spread(block) for part, block in zip(parts, blocks, strict=True)]
    if len(spread) == 1 and order is None:
        return spread[0]
    shape = np.broadcast_shapes(*(block.shape[:-1] for block in spread))
    full = [np.broadcast_to(block, (*shape, block.shape[-1])) for block in spread]
    joined = np.concatenate(full, axis=-1)
    return joined if order is None else np.ascontiguousarray(joined[..., order])
