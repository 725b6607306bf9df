"""Stored arrays of any rank as Dask arrays; errors name the array that could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import zarr
from numpy.typing import NDArray

from daskgmm.errors import SourceError
from daskgmm.rows.checks.plain import plain
from daskgmm.rows.decoding.nodata import PLAIN, Decoding
from daskgmm.rows.retries import configured_retries, retried
from daskgmm.rows.stores.zarr_reading import READ_AGAIN, read
from daskgmm.rows.zarr_nodes.presence import check_present, may_be_missing
from daskgmm.storage.address import Address


@dataclass(frozen=True)
class StoredValues:
    """An array that reads the values of an index, with retries.

    Attributes
    ----------
    source : zarr.Array or xarray.Variable
    address : Address
        The address that errors name.
    decoding : Decoding
        The decoding that is still to be done.
    node : zarr.Array or zarr.Group, optional
        The Zarr node of a variable, in which `check_present` looks for missing chunks.
    retries : int
        Number of retries of a read.
    """

    source: Any
    address: Address
    decoding: Decoding = PLAIN
    node: Any = None
    retries: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return tuple(self.source.shape)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the decoded values."""
        return self.decoding.dtype(np.dtype(self.source.dtype))

    def __getitem__(self, key: Any) -> NDArray[Any]:
        return retried(partial(self._read, key), self.retries)

    def _read(self, key: Any) -> NDArray[Any]:
        if isinstance(self.source, zarr.Array):
            return self.decoding(read(self.source, key if isinstance(key, tuple) else (key,)))
        what = f"A chunk of {self.address} cannot be read"
        with self.address.explain(SourceError, what, READ_AGAIN):
            values = self.decoding(plain(self.source[key], "A chunk"))
            if self.node is not None and may_be_missing(values):
                check_present(self.node)
            return values


def lazy_values(
    source: Any, chunks: Any, address: Address, decoding: Decoding = PLAIN, node: Any = None
) -> Any:
    """Return a stored array as a Dask array with chunks as `dask.array.from_array` takes them."""
    # A new name each time: the values at an address may change.
    values = StoredValues(source, address, decoding, node, configured_retries())
    meta = np.empty((0,) * values.ndim, values.dtype)
    return da.from_array(values, chunks=chunks, name=False, meta=meta)


def lazily_read(dataset: Any, address: Address, nodes: Mapping[Any, Any] | None = None) -> Any:
    """Return a dataset that xarray opened without Dask as a lazy one, in the chunks of its store.

    The coordinates of its dimensions are in memory already. `nodes` are the Zarr arrays of
    variables, by name.
    """
    nodes = nodes or {}
    variables = {
        name: lazy_variable(variable, address.child(str(name)), nodes.get(name))
        for name, variable in dataset.variables.items()
        if name not in dataset.xindexes
    }
    coordinates = {name: variables.pop(name) for name in dataset.coords if name in variables}
    return dataset.assign_coords(coordinates).assign(variables)


def lazy_variable(variable: Any, address: Address, node: Any) -> Any:
    """Return a lazy variable in the chunks of its store, or else of Dask's choice."""
    stored: Mapping[Any, Any] = variable.encoding.get("preferred_chunks") or {}
    chunks = tuple(stored.get(dim, "auto") for dim in variable.dims)
    if variable.dtype.kind == "O":
        return variable
    lazy = variable.copy(data=lazy_values(variable, chunks, address, node=node))
    lazy.encoding = variable.encoding
    return lazy
