"""The contract between the places rows come from and everything that reads them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from daskgmm.errors import DataError

UNKNOWN = -1
"""The length of a chunk whose number of rows nobody knows before it is read."""


Get = Callable[[dict[Any, Any], list[Any]], Sequence[Any]]
"""Computes keys of a Dask graph."""


class Segment(Protocol):
    """A contiguous run of chunks that reads itself where it lands.

    A segment is small and picklable: it says where its rows are, it does not hold them
    (rows that are already in memory are the exception: those it refers to).
    """

    @property
    def dependencies(self) -> Sequence[Any]:
        """Futures of a Dask cluster whose results the segment needs, in a fixed order."""

    def stream(self, dependencies: Sequence[Any] = (), retries: int = 0) -> Iterator[NDArray[Any]]:
        """Yield the rows in order, block by block.

        Parameters
        ----------
        dependencies : sequence
            The results of `dependencies`, in the same order.
        retries : int
            How often a read that fails is tried again.

        Yields
        ------
        ndarray of shape (m, d), or (m,) for weights; m may be 0
        """


class Rows(ABC):
    """Rows that come in chunks: n rows (perhaps unknown) of d features each.

    Attributes
    ----------
    dtype : numpy.dtype
        The type the rows are stored in; real: boolean, integer or floating.
    n_features : int
        d, the number of columns.
    columns : tuple of str or None
        Names of the columns, if the source has them.
    lengths : ndarray of int64, shape (number of chunks,)
        Rows of each chunk; `UNKNOWN` where only reading tells.
    block_rows : int or None
        Most rows of a block, where chunks are read in several; None where a block is a chunk.
    reads : bool
        True if getting at the rows takes time in which arithmetic can be done: where they
        are read from a store or computed.
    read_copies : float
        How many times a block's decoded bytes are held at the peak of reading it.
    places : callable or None
        Says in words where the row of a number is, if that is no place in a table.
    taken_as_missing : str or None
        Which stored numbers were declared to be missing and so are NaN, in words.
    source : str or None
        The path or URL that the rows were opened by, if the source does not tell itself.
    parts : tuple of Rows
        The elements, where rows were given as a list.
    in_process : bool
        True if the rows live in this process's memory or can be read from this process
        only; a pass over them is then never sent to a cluster.
    """

    dtype: np.dtype[Any]
    n_features: int
    columns: tuple[str, ...] | None = None
    places: Callable[[int], str] | None = None
    taken_as_missing: str | None = None
    source: str | None = None
    parts: tuple[Rows, ...] = ()
    lengths: NDArray[np.int64]
    block_rows: int | None = None
    reads: bool = True
    read_copies: float = 3.0
    in_process: bool = False

    def prepare(self, get: Get | None = None, retries: int = 0) -> None:  # noqa: B027
        """Compute what segments share, once, before the first; nothing unless overridden.

        Parameters
        ----------
        get : callable, optional
            How a Dask graph is computed; by default with the scheduler in force.
        retries : int
            How often a read that fails is tried again.
        """

    @property
    def futures(self) -> Sequence[Any]:
        """Futures of a Dask cluster that the rows are made of: of what was persisted there."""
        return ()

    def __repr__(self) -> str:
        rows = "unknown" if self.n_rows is None else f"{self.n_rows:,}"
        names = self.n_features if self.columns is None else ", ".join(self.columns)
        return f"{type(self).__name__}({rows} rows, {self.dtype}, columns: {names})"

    @abstractmethod
    def segment(self, first: int, stop: int) -> Segment:
        """Return the chunks `first` to `stop` (exclusive) as a segment."""

    @property
    def all_columns(self) -> tuple[str, ...]:
        """Names that `select` and `column` take; more than `columns` where others are stored."""
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
        """Decoded bytes of a typical chunk as the source has them."""
        known = self.lengths[self.lengths > 0]
        return int(np.median(known)) * self.row_nbytes if len(known) else 0

    @property
    def row_nbytes(self) -> int:
        """Bytes of one row as it is stored, decoded."""
        return max(1, self.n_features * self.dtype.itemsize)
