"""The contract between sources of rows and passes: rows, and segments that read themselves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from daskgmm.errors import DataError
from daskgmm.rows.long_integers import is_long

UNKNOWN = -1
"""The length of a chunk whose number of rows is unknown before it is read."""


Get = Callable[[dict[Any, Any], list[Any]], Sequence[Any]]
"""A function that computes keys of a Dask graph."""


class Segment(Protocol):
    """A contiguous run of chunks that reads itself in the process that needs it.

    A segment is small and picklable: it holds the address of its rows, and not the rows, except
    rows in memory.
    """

    @property
    def dependencies(self) -> Sequence[Any]:
        """Futures of a Dask cluster whose results the segment needs, in a fixed order."""

    def stream(self, dependencies: Sequence[Any] = (), retries: int = 0) -> Iterator[NDArray[Any]]:
        """Yield the rows in order, block by block.

        Parameters
        ----------
        dependencies : sequence
            The results of `Segment.dependencies`, in the same order.
        retries : int
            Number of retries of a read.

        Yields
        ------
        ndarray of shape (m, d), or (m,) for weights; m may be 0
        """


class Rows(ABC):
    """Rows that come in chunks: n rows (perhaps unknown) of d features each.

    Attributes
    ----------
    dtype : numpy.dtype
        Type of the rows: boolean, integer or floating.
    n_features : int
        Number of columns, d.
    columns : tuple of str or None
        Names of the columns, if the source has them.
    long_integers : tuple of bool, or None
        For each column whether it is stored as integers of 64 bits; None where `dtype` tells.
    lengths : ndarray of int64, shape (number of chunks,)
        Number of rows of each chunk; `UNKNOWN` where only reading tells it.
    block_rows : int or None
        Largest number of rows of a block, where chunks are read in several blocks; None where a
        block is a chunk.
    reads : bool
        Whether rows are read from a store or computed, so that read-ahead saves time.
    read_copies : float
        Peak memory of reading a block, in multiples of its decoded bytes.
    ahead : int
        Bytes that reads ahead of its next one may take in each process that reads the rows.
    places : callable or None
        Describes the place of the row with a number, where rows are not those of a table.
    taken_as_missing : str or None
        Description of the stored numbers that are declared to be missing and become NaN.
    source : str or None
        The path or URL that the rows were opened by, if they have no other attribute for it.
    parts : tuple of Rows
        The elements of rows that were given as a list.
    content : str or None
        A digest of all values, where these were read before: a part of the identity of a fit.
    in_process : bool
        Whether only this process has or can read the rows; a pass over them is then never sent
        to a cluster.
    """

    dtype: np.dtype[Any]
    n_features: int
    columns: tuple[str, ...] | None = None
    places: Callable[[int], str] | None = None
    taken_as_missing: str | None = None
    source: str | None = None
    parts: tuple[Rows, ...] = ()
    content: str | None = None
    long_integers: tuple[bool, ...] | None = None
    lengths: NDArray[np.int64]
    block_rows: int | None = None
    reads: bool = True
    read_copies: float = 3.0
    ahead: int = 0
    in_process: bool = False

    def prepare(self, get: Get | None = None, retries: int = 0) -> None:  # noqa: B027
        """Compute the results that segments share, once, before the first segment.

        Parameters
        ----------
        get : callable, optional
            Function that computes a Dask graph; by default the current scheduler.
        retries : int
            Number of retries of a read.
        """

    @property
    def futures(self) -> Sequence[Any]:
        """Futures of a Dask cluster that hold persisted parts of the rows."""
        return ()

    @property
    def has_long_integers(self) -> tuple[bool, ...]:
        """For each column whether it is stored as integers that no float64 holds all of."""
        if self.long_integers is not None:
            return self.long_integers
        return (is_long(self.dtype),) * self.n_features

    def __repr__(self) -> str:
        rows = "unknown" if self.n_rows is None else f"{self.n_rows:,}"
        names = self.n_features if self.columns is None else ", ".join(self.columns)
        return f"{type(self).__name__}({rows} rows, {self.dtype}, columns: {names})"

    @abstractmethod
    def segment(self, first: int, stop: int) -> Segment:
        """Return the chunks `first` to `stop` (exclusive) as a segment."""

    @property
    def all_columns(self) -> tuple[str, ...]:
        """Names that `select` and `column` take: `columns`, and columns that are no features."""
        return self.columns or ()

    def select(self, names: Sequence[str]) -> Rows:
        """Return the rows with the columns of these names, in this order, as features.

        Raises
        ------
        DataError
            If there is no such column, or columns have no names.
        """
        raise DataError("The columns of these rows have no names to choose them by.")

    def column(self, name: str) -> Rows:
        """Return the column of that name as weights, cut as the rows are.

        Raises
        ------
        DataError
            If there is no such column, or columns have no names.
        """
        raise DataError("The columns of these rows have no names to choose one by.")

    def without(self, name: str) -> Rows:
        """Return the rows without the column of that name, if it is among the features."""
        if self.columns is None or name not in self.columns:
            return self
        return self.select([column for column in self.columns if column != name])

    @property
    def n_rows(self) -> int | None:
        """The number of rows, or None if a chunk's length is unknown."""
        return None if (self.lengths == UNKNOWN).any() else int(self.lengths.sum())

    @property
    def chunk_nbytes(self) -> int:
        """Decoded bytes of a chunk of median length."""
        known = self.lengths[self.lengths > 0]
        return int(np.median(known)) * self.row_nbytes if len(known) else 0

    @property
    def row_nbytes(self) -> int:
        """Decoded bytes of one row in the stored type."""
        return max(1, self.n_features * self.dtype.itemsize)
