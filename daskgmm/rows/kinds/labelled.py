"""Labelled arrays of xarray, and the files that xarray opens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from daskgmm.companions import WEIGHTS
from daskgmm.errors import DataError
from daskgmm.rows.checks.layout import check_weights
from daskgmm.rows.kinds.dask_array import DaskArray
from daskgmm.rows.kinds.memory import Memory
from daskgmm.rows.kinds.zarr import StoredZarr
from daskgmm.rows.labelled.arrays import labelled
from daskgmm.rows.labelled.opening import SUFFIXES, is_labelled_file, open_labelled
from daskgmm.rows.labelled.variables import decoded_weight, is_labelled, listed
from daskgmm.rows.rows import Rows
from daskgmm.rows.source import Predictions, Source, path_of
from daskgmm.spelling import did_you_mean


class LabelledArrays(Source):
    """A DataArray or Dataset of xarray."""

    labelled = True

    @classmethod
    def matches(cls, x: Any) -> bool:
        return is_labelled(x)

    def rows(self, columns: Sequence[str] | None = None) -> Rows:
        return labelled(self.x, None, columns).rows()

    def predictions(self, of: Predictions) -> tuple[Any, ...]:
        return of.on_grid(self.x)

    def as_weights(self, rows: Rows, name: str = WEIGHTS) -> Rows:
        if hasattr(self.x, "data_vars"):
            raise DataError(
                f"{name} is a Dataset with {listed(self.x.data_vars)}; give one variable of it, "
                f"as {name}['name']."
            )
        check_weights(self.x.shape, self.x.dtype, rows.n_rows, name)
        values = decoded_weight(self.x, name).data
        kind = DaskArray if DaskArray.matches(values) else Memory
        return kind(values).as_weights(rows, name)

    def split(
        self, name: str, features: Sequence[str] | None, argument: str = WEIGHTS
    ) -> tuple[Source, Source] | None:
        """Return the other variables of a dataset, and this one; None if x is no dataset."""
        if not hasattr(self.x, "data_vars"):
            return None
        if name not in self.x.data_vars:
            raise DataError(
                f"{argument} is {name!r}, and X has no variable of that name; it has "
                f"{listed(self.x.data_vars)}.{did_you_mean(name, self.x.data_vars)}"
            )
        return LabelledArrays(self.x.drop_vars(name)), LabelledArrays(self.x[name])

    @property
    def origin(self) -> str | None:
        """The path or URL of the file, where xarray knows it."""
        return path_of(self.x.encoding.get("source"))

    @property
    def is_part(self) -> bool:
        """False, as xarray joins grids."""
        return False

    def leads_to(self) -> Iterable[Any]:
        """Return the files, and the values of all variables and coordinates."""
        x = self.x
        parts = [x, *x.coords.values(), *getattr(x, "data_vars", {}).values()]
        sources = [part.encoding.get("source") for part in parts]
        return [*sources, *(part.variable._data for part in parts if hasattr(part, "variable"))]


class LabelledFile(StoredZarr):
    """The path or URL of a file that xarray opens; it is refused as plain rows."""

    suffixes = SUFFIXES

    @classmethod
    def matches(cls, x: Any) -> bool:
        name = path_of(x)
        return name is not None and is_labelled_file(name)

    def open(self, columns: Sequence[str] | None = None) -> Any:
        """Return the variables of the file."""
        return open_labelled(self.x, None, self.options)

    def holds_variables(self) -> bool:
        return True
