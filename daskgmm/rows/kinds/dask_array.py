"""Arrays of Dask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import dask.array as da

from daskgmm.companions import WEIGHTS
from daskgmm.counting import counted
from daskgmm.errors import DataError
from daskgmm.rows.checks.layout import check_rows, check_weights
from daskgmm.rows.checks.plain import unmasked
from daskgmm.rows.labelled.undecoded import warn_of_undecoded
from daskgmm.rows.lazy.dask_array import DaskRows
from daskgmm.rows.lazy.graph import held_by_collection
from daskgmm.rows.matching import FIND_LENGTHS, check_count
from daskgmm.rows.rows import Rows
from daskgmm.rows.source import Source
from daskgmm.rows.stores.stored_chunks import stored_chunks


class DaskArray(Source):
    """An array of Dask."""

    @classmethod
    def matches(cls, x: Any) -> bool:
        return isinstance(x, da.Array)

    def rows(self, columns: Sequence[str] | None = None) -> Rows:
        check_rows(self.x.shape, self.x.dtype)
        x = self.lazy()
        return stored_chunks(x) or DaskRows(x)

    def lazy(self, columns: Sequence[str] | None = None) -> Any:
        """Return the array, unless it is masked."""
        unmasked(self.x._meta, "X")
        warn_of_undecoded(self.x)
        return self.x

    def as_weights(self, rows: Rows, name: str = WEIGHTS) -> Rows:
        """Return the values as weights: rechunked as `rows` are, where lengths are known."""
        weights = self.x
        check_weights(weights.shape, weights.dtype, rows.n_rows, name)
        unmasked(weights._meta, name)
        warn_of_undecoded(weights, name)
        known = weights.shape[0] == weights.shape[0]
        if rows.n_rows is not None and known:
            check_count(weights.shape, rows.n_rows, name)
            if list(weights.chunks[0]) != rows.lengths.tolist():
                weights = weights.rechunk((tuple(rows.lengths.tolist()),), method="tasks")
        elif len(weights.chunks[0]) != len(rows.lengths):
            raise DataError(
                f"{name} has {counted(len(weights.chunks[0]), 'chunk')} and X has "
                f"{len(rows.lengths)}, of lengths that are not all known, so they cannot be "
                f"matched; chunk both alike, or {FIND_LENGTHS}."
            )
        return DaskRows(weights, rows.lengths)

    def leads_to(self) -> Iterable[Any]:
        """Return the objects in the layers of the graph."""
        return held_by_collection(self.x)
