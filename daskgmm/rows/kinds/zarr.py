"""Zarr arrays and groups, open or behind a path or URL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import zarr

from daskgmm.companions import WEIGHTS
from daskgmm.errors import SourceError
from daskgmm.rows.checks.layout import check_rows
from daskgmm.rows.decoding.nodata import declared_by_zarr
from daskgmm.rows.labelled.opening import data_array, labelled_group
from daskgmm.rows.matching import check_matched
from daskgmm.rows.parquet.tables import parquet_table
from daskgmm.rows.rows import Rows
from daskgmm.rows.source import Source, path_of
from daskgmm.rows.stores.stored_values import lazy_values
from daskgmm.rows.stores.zarr_array import ZarrRows
from daskgmm.rows.stores.zarr_opening import group_refused, open_node, open_zarr
from daskgmm.rows.tables.keyed import Table
from daskgmm.rows.zarr_nodes.node import address_of, location
from daskgmm.rows.zarr_nodes.obstore_backend import portable


class Zarr(Source):
    """A Zarr array; a group of arrays is refused with a list of these."""

    @classmethod
    def matches(cls, x: Any) -> bool:
        return isinstance(x, (zarr.Array, zarr.Group))

    def rows(self, columns: Sequence[str] | None = None) -> Rows:
        array = self._array()
        check_rows(array.shape, array.dtype)
        return ZarrRows(array)

    def lazy(self, columns: Sequence[str] | None = None) -> Any:
        x = self._array()
        chunks = tuple(int(m) for m in self.rows().lengths) or (0,), (x.shape[1],)
        decoding = declared_by_zarr(x)
        return lazy_values(portable(x), chunks, address_of(x), decoding)

    def as_weights(self, rows: Rows, name: str = WEIGHTS) -> Rows:
        array = self._array()
        check_matched(rows, array, name)
        return ZarrRows(array, rows.lengths)

    @property
    def origin(self) -> str | None:
        """The path or URL of the array, or the kind of a store without an address."""
        return location(self.x)

    def _array(self) -> Any:
        if isinstance(self.x, zarr.Group):
            raise SourceError(group_refused(address_of(self.x), self.x))
        return self.x


class StoredZarr(Source):
    """The path or URL of a Zarr array or group: one that is of no other kind."""

    holds_arrays = True

    @classmethod
    def matches(cls, x: Any) -> bool:
        return path_of(x) is not None

    def rows(self, columns: Sequence[str] | None = None) -> Rows:
        return self._zarr().rows()

    def open(self, columns: Sequence[str] | None = None) -> Any:
        """Return an array of two axes; a group or an array of more axes as a labelled array."""
        node = open_node(self.address)
        if isinstance(node, zarr.Group):
            return labelled_group(self.address, node)
        return node if node.ndim < 3 else data_array(node)

    def lazy(self, columns: Sequence[str] | None = None) -> Any:
        return self._zarr().lazy()

    def as_weights(self, rows: Rows, name: str = WEIGHTS) -> Rows:
        return self._zarr().as_weights(rows, name)

    def table(self, columns: Sequence[str] | None, keys: Any, part_rows: int) -> Table:
        """Return the rows of a folder of Parquet files at a URL, which no suffix shows."""
        return parquet_table([self.address], columns, keys)

    def holds_variables(self) -> bool:
        return isinstance(open_node(self.address), zarr.Group)

    def leads_to(self) -> Iterable[Any]:
        """Return the path."""
        return [self.path]

    def _zarr(self) -> Zarr:
        return Zarr(open_zarr(self.address))
