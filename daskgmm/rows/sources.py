"""The table of the kinds of sources, and lists of sources."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import dask.array as da
import numpy as np

from daskgmm.companions import WEIGHTS, entries_of
from daskgmm.counting import counted
from daskgmm.errors import DataError
from daskgmm.rows.checks.refusals import kind_of
from daskgmm.rows.compositions.concatenated import ConcatenatedRows, ConcatenatedTexts
from daskgmm.rows.kinds.csv import CsvFile, OpenCsv
from daskgmm.rows.kinds.dask_array import DaskArray
from daskgmm.rows.kinds.frames import ArrowTable, DaskFrame, PolarsFrame
from daskgmm.rows.kinds.hdf5 import HDF5
from daskgmm.rows.kinds.labelled import LabelledArrays, LabelledFile
from daskgmm.rows.kinds.memory import Mapped, Memory, PandasFrame
from daskgmm.rows.kinds.npy import Npy
from daskgmm.rows.kinds.parquet import OpenParquet, OpenRows, ParquetFiles
from daskgmm.rows.kinds.zarr import StoredZarr, Zarr
from daskgmm.rows.lazy.lazy_rows import rows_as_dask
from daskgmm.rows.parquet.tables import parquet_table
from daskgmm.rows.rows import Rows
from daskgmm.rows.source import Source, path_of
from daskgmm.rows.tables.frames import is_pandas_frame, is_series
from daskgmm.rows.tables.keyed import Table
from daskgmm.rows.texts import Texts
from daskgmm.storage.address import Address
from daskgmm.storage.masking import StorageOptions

PANDAS_SERIES = ("pandas.Series", "pandas.core.series.Series")

NUMBERS = (int, float, complex, np.number, np.bool_)


class Parts(Memory):
    """A list or tuple of sources, whose rows follow each other, or of numbers."""

    @classmethod
    def matches(cls, x: Any) -> bool:
        """Return whether x is a list or tuple."""
        return isinstance(x, (list, tuple))

    @property
    def parts(self) -> list[Source]:
        """The elements as sources."""
        return [source_of(part, self.options) for part in self.x]

    @property
    def validated(self) -> bool:
        """Whether it is a list of numbers."""
        return not (self.x and all(source_of(part).is_part for part in self.x))

    @property
    def is_part(self) -> bool:
        """Whether it is a list of sources, which `rows` then refuses with a reason."""
        return not self.validated

    def values(self) -> Any:
        """Return the list of numbers; raise `DataError` for tables, which scikit-learn stacks."""
        for index, part in enumerate(self.x):
            if is_pandas_frame(part):
                raise DataError(
                    f"Element {index} of the list X is a data frame of pandas; its rows do not "
                    "follow those of others. Join the frames with pandas.concat first."
                )
            if isinstance(part, np.ndarray) and part.dtype.names is not None:
                raise DataError(
                    f"Element {index} of the list X is a structured array. Join the arrays with "
                    "numpy.concatenate, and make a pandas.DataFrame of the result."
                )
            if is_series(part):
                series = all(kind_of(other) in PANDAS_SERIES for other in self.x)
                joined = "pandas.concat(X, axis=1)" if series else "numpy.column_stack(X)"
                raise DataError(
                    f"Element {index} of the list X is a {kind_of(part)}, and scikit-learn takes "
                    "each element of a list as a row. Give numpy.stack(X) if that is meant, and "
                    f"{joined} if each is a column."
                )
        return super().values()

    def rows(self, columns: Sequence[str] | None = None) -> Rows:
        """Return the rows of all elements, in order."""
        if not self.x:
            raise DataError("X is an empty list; give at least one array.")
        for index, part in enumerate(self.x):
            if isinstance(part, (*NUMBERS, list, tuple)):
                raise TypeError(
                    f"Element {index} of the list X is a {type(part).__name__}; convert lists of "
                    "numbers with numpy.asarray first."
                )
        return ConcatenatedRows([part.checked_rows(columns) for part in self.parts])

    def lazy(self, columns: Sequence[str] | None = None) -> Any:
        """Return the elements as one lazy array; None if all of them are in memory."""
        parts = [(part, part.lazy(columns)) for part in self.parts]
        if all(lazy is None for _, lazy in parts):
            return None
        arrays = [_lazy(part.open(columns)) if lazy is None else lazy for part, lazy in parts]
        return da.concatenate(arrays, axis=0)

    def table(self, columns: Sequence[str] | None, keys: Any, part_rows: int) -> Table:
        """Return the rows of a list of paths of Parquet files with key columns beside them."""
        if not self.x or any(path_of(part) is None for part in self.x):
            return super().table(columns, keys, part_rows)
        return parquet_table(Address.all_of(self.x, self.options), columns, keys)

    def texts(
        self, name: str, features: Sequence[str] | None = None
    ) -> tuple[Source, Texts] | None:
        """Split a column of texts off all elements; None if one has none of that name."""
        split = [] if self.validated else [part.texts(name, features) for part in self.parts]
        found = [each for each in split if each is not None]
        if not found or len(found) < len(split):
            return None
        left, texts = zip(*found, strict=True)
        return Parts([each.x for each in left], self.options), ConcatenatedTexts(texts)

    def as_weights(self, rows: Rows, name: str = WEIGHTS) -> Rows:
        """Return the weights of rows of a list, element by element, or numbers of all rows."""
        paths = bool(rows.parts) and all(path_of(part) is not None for part in self.x)
        if not (paths or any(map(_is_array, self.x))):
            return super().as_weights(rows, name)
        if len(rows.parts) != len(self.x):
            given = f"a list of {len(rows.parts)}" if rows.parts else "a single array"
            raise DataError(
                f"{name} is a list of {counted(len(self.x), 'array')}, but X is {given}; give one "
                f"array of {entries_of(name)} for each element of X, or one array for all rows."
            )
        pairs = zip(self.parts, rows.parts, strict=True)
        return ConcatenatedRows([weights.weights(part, name) for weights, part in pairs])

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns of the first element."""
        return source_of(self.x[0]).names if self.x else ()

    def leads_to(self) -> Iterable[Any]:
        """Return the elements."""
        return list(self.x)


SOURCES: list[type[Source]] = [
    Memory,
    StoredZarr,
    ParquetFiles,
    LabelledFile,
    CsvFile,
    Npy,
    Mapped,
    PandasFrame,
    ArrowTable,
    PolarsFrame,
    DaskFrame,
    DaskArray,
    HDF5,
    Zarr,
    LabelledArrays,
    OpenRows,
    OpenParquet,
    OpenCsv,
    Parts,
]
"""The kinds of sources, the most general first: an object is of the last kind that matches it.
Further kinds are appended."""


def source_of(x: Any, options: StorageOptions | None = None) -> Source:
    """Return what is given as X or as weights as a source; the options are those of URLs."""
    kind = next(kind for kind in reversed(SOURCES) if kind.matches(x))
    return kind(x, options)


def _lazy(x: Any) -> Any:
    """Return an array or rows in memory as a lazy array."""
    return rows_as_dask(x) if isinstance(x, Rows) else da.from_array(x, chunks="auto")


def _is_array(value: Any) -> bool:
    """Return whether an element is an array or a source of another kind, and no number."""
    if isinstance(value, NUMBERS):
        return False
    if hasattr(value, "ndim"):
        return bool(value.ndim)
    if np.ndim(value):
        return True
    return path_of(value) is None and not isinstance(source_of(value), Memory)
