"""Sources in memory: arrays, memory maps, data frames of pandas, lists of numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from daskgmm.companions import WEIGHTS
from daskgmm.rows.arrays import ArrayRows
from daskgmm.rows.checks.layout import check_rows
from daskgmm.rows.checks.plain import checked, plain
from daskgmm.rows.checks.refusals import kind_of
from daskgmm.rows.matching import check_matched
from daskgmm.rows.rows import Rows
from daskgmm.rows.source import Source
from daskgmm.rows.tables.frame_tables import MemoryTable, taken_from_pandas
from daskgmm.rows.tables.frames import check_pandas, frame_dtype, is_pandas_frame
from daskgmm.rows.tables.keyed import Table
from daskgmm.rows.tables.pandas_columns import partition_array


class Memory(Source):
    """An array in memory, or anything that scikit-learn makes an array of."""

    @classmethod
    def matches(cls, x: Any) -> bool:
        """Return True: scikit-learn validates objects of no other kind."""
        return True

    @property
    def validated(self) -> bool:
        return True

    @property
    def is_part(self) -> bool:
        """Whether it is a matrix."""
        return isinstance(self.x, np.ndarray) and self.x.ndim == 2

    def rows(self, columns: Sequence[str] | None = None) -> Rows:
        """Return the rows of an array; raise `TypeError` for other objects."""
        x = self.x if isinstance(self.x, np.ndarray) else checked(self.x, "X")
        if not isinstance(x, np.ndarray):
            raise TypeError(
                f"X is a {kind_of(x)}; give a NumPy array, a dask array, a Zarr array, a dataset "
                "of h5py, the path or URL of a Zarr array or of Parquet files, the path of a .npy "
                "file, a Dask or Polars data frame, or a list of these."
            )
        check_rows(x.shape, x.dtype)
        return ArrayRows(x)

    def open(self, columns: Sequence[str] | None = None) -> Any:
        """Return the object itself."""
        return self.x

    def lazy(self, columns: Sequence[str] | None = None) -> Any:
        """Return None: nothing is lazy."""
        return None

    def as_weights(self, rows: Rows, name: str = WEIGHTS) -> Rows:
        values = plain(checked(self.x, name), name)
        check_matched(rows, values, name)
        return ArrayRows(values, rows.lengths)

    def leads_to(self) -> Iterable[Any]:
        """Return the file of a memory map, and the array that a view is of."""
        if not isinstance(self.x, np.ndarray):
            return []
        return [getattr(self.x, "filename", None), self.x.base]

    def values(self) -> Any:
        """Return the object; raise `DataError` if it would lose a mask or a unit."""
        return checked(self.x, "X")


class Mapped(Memory):
    """A memory map of a file, which is read in chunks."""

    @classmethod
    def matches(cls, x: Any) -> bool:
        return isinstance(x, np.memmap)

    @property
    def origin(self) -> str | None:
        """The path of the file."""
        return None if self.x.filename is None else str(self.x.filename)

    @property
    def validated(self) -> bool:
        return False

    @property
    def is_part(self) -> bool:
        return True


class PandasFrame(Memory):
    """A data frame of pandas."""

    @classmethod
    def matches(cls, x: Any) -> bool:
        return is_pandas_frame(x)

    def rows(self, columns: Sequence[str] | None = None) -> Rows:
        frame = self.x if columns is None else self.x[list(columns)]
        return ArrayRows(partition_array(frame, frame_dtype(frame)), columns=tuple(map(str, frame)))

    def values(self) -> Any:
        """Return the frame; raise `DataError` if a column holds no numbers."""
        check_pandas(self.x)
        return super().values()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(map(str, self.x.columns))

    def table(self, columns: Sequence[str] | None, keys: Any, part_rows: int) -> Table:
        return MemoryTable(taken_from_pandas(self.x, columns, keys), part_rows)

    def keeping(self, names: Sequence[str] | None) -> Source:
        """Return the frame without columns that are no features, such as weights."""
        columns = self.x.columns
        if names is None or len(columns) <= len(names):
            return self
        whole = columns.is_unique and set(names) <= set(columns)
        return PandasFrame(self.x[list(names)]) if whole else self

    def split(
        self, name: str, features: Sequence[str] | None, argument: str = WEIGHTS
    ) -> tuple[Source, Source] | None:
        """Return the frame and one column of it; None if it has none of that name."""
        if name not in self.x.columns:
            return None
        left = self.x if name in (features or ()) else self.x.drop(columns=name)
        return PandasFrame(left), Memory(self.x[name].to_numpy())
