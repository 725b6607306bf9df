"""The base class of sources; each kind is a class, and a line in `sources.SOURCES`."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Protocol

from daskgmm.companions import WEIGHTS, entries_of
from daskgmm.errors import EntryError, SourceError
from daskgmm.readers import remedy
from daskgmm.rows.checks.naming import neither
from daskgmm.rows.checks.refusals import kind_of
from daskgmm.rows.checks.whereabouts import naming
from daskgmm.rows.lazy.lazy_rows import rows_as_dask
from daskgmm.rows.matching import column_of
from daskgmm.rows.rows import Rows
from daskgmm.rows.tables.keyed import Table
from daskgmm.rows.tables.text_columns import Columns
from daskgmm.rows.texts import Texts
from daskgmm.storage.address import Address
from daskgmm.storage.masking import StorageOptions, shown


class Predictions(Protocol):
    """Outputs of the predictions of a mixture, for rows in each form that they come in.

    All methods return a tuple with an array, series or frame for each output.

    Attributes
    ----------
    columns : tuple of str or None
        Names of the features that the mixture was fitted on.
    """

    @property
    def columns(self) -> tuple[str, ...] | None:
        """Names of the features, or None."""

    def here(self, source: Source) -> tuple[Any, ...]:
        """Return the predictions for all rows as NumPy arrays."""

    def lazily(self, array: Any) -> tuple[Any, ...]:
        """Return the predictions for a lazy array as lazy arrays with the same row chunks."""

    def by_partition(self, frame: Any) -> tuple[Any, ...]:
        """Return the predictions for a data frame of Dask as series or frames of Dask."""

    def on_grid(self, x: Any) -> tuple[Any, ...]:
        """Return the predictions for labelled arrays as labelled arrays."""


class Source(ABC):
    """A source of rows: an object, or a path or URL.

    A subclass must define which objects are of its kind (`suffixes`, or `matches`), and `rows`.
    The other methods have a default.

    Parameters
    ----------
    x : object
        X or weights, as the user gave them.
    options : mapping, optional
        Options of the file system of a URL.

    Attributes
    ----------
    suffixes : tuple of str
        Suffixes of files of this kind.
    named : bool
        Whether columns of a file of this kind are chosen by name (``--columns``).
    keyed : bool
        Whether `table` returns the rows of a file of this kind with keys.
    holds_arrays : bool
        Whether a file of this kind may hold arrays with named dimensions (``--variables``).
    labelled : bool
        Whether x is an array or dataset of xarray.
    """

    suffixes: ClassVar[tuple[str, ...]] = ()
    named: ClassVar[bool] = False
    keyed: ClassVar[bool] = False
    holds_arrays: ClassVar[bool] = False
    labelled: ClassVar[bool] = False

    def __init__(self, x: Any, options: StorageOptions | None = None) -> None:
        self.x, self.options = x, options

    @classmethod
    def matches(cls, x: Any) -> bool:
        """Return whether x is of this kind; by default a path or URL with one of `suffixes`."""
        name = path_of(x)
        return name is not None and name.endswith(cls.suffixes)

    @abstractmethod
    def rows(self, columns: Sequence[str] | None = None) -> Rows:
        """Return the rows, unread.

        Parameters
        ----------
        columns : sequence of str, optional
            The columns to take, in this order, where columns have names; by default all.

        Raises
        ------
        DataError
            If shape or type cannot be rows of real numbers, or there is no such column.
        SourceError
            If a path or URL cannot be opened.
        """

    def checked_rows(self, columns: Sequence[str] | None = None) -> Rows:
        """Return the rows; raise `EntryError` if a kind that was added returns none."""
        with naming(self.path):
            rows: Any = self.rows(columns)
        if isinstance(rows, Rows):
            rows.source = rows.source or self.path
            return rows
        kind = type(self)
        raise EntryError(
            f"{kind.__module__}.{kind.__qualname__}, of daskgmm.rows.sources.SOURCES: its rows() "
            f"returned a {type(rows).__name__} instead of Rows."
        )

    def open(self, columns: Sequence[str] | None = None) -> Any:
        """Return an object that can be fitted, as `daskgmm.open_data` does; by default the rows."""
        return self.checked_rows(columns)

    def lazy(self, columns: Sequence[str] | None = None) -> Any:
        """Return a lazy array with a block for each chunk; None if all rows are in memory."""
        return rows_as_dask(self.checked_rows(columns))

    def predictions(self, of: Predictions) -> tuple[Any, ...]:
        """Return predictions in the form of this kind: NumPy, lazy or labelled arrays."""
        lazy = self.lazy(of.columns)
        return of.here(self) if lazy is None else of.lazily(lazy)

    def predicted(self, of: Predictions) -> tuple[Any, ...]:
        """Return `predictions`; errors about what a path leads to name it."""
        with naming(self.path):
            return self.predictions(of)

    def table(self, columns: Sequence[str] | None, keys: Any, part_rows: int) -> Table:
        """Return the rows with key columns beside them.

        Parameters
        ----------
        columns : sequence of str or None
            The features; None for all columns but the keys.
        keys : tuple of str or None
            The key columns; None for the index.
        part_rows : int
            Number of rows of a chunk of a table in memory.

        Raises
        ------
        TypeError
            If this kind has no keys.
        """
        kind, what = type(self), f"a {kind_of(self.x)}" if self.path is None else shown(self.path)
        own = f" Or have {kind.__qualname__}.table return the rows beside their keys."
        raise TypeError(
            f"X is {what}, which is not a table: give Parquet files, a data frame or a table of "
            f"Arrow, or write to Zarr{remedy(' with predict_to_zarr', '')}."
            f"{'' if kind.__module__.startswith('daskgmm.') else own}"
        )

    def weights(self, rows: Rows, name: str = WEIGHTS) -> Rows:
        """Return x as the weights of `rows`: blocks of one axis with the same `lengths`.

        A string is a column of `rows` if there is one of that name. Labels are taken as weights
        are: `name` is that of the argument.

        Raises
        ------
        DataError
            If the weights are not real numbers on one axis, or there are not as many as rows.
        """
        if isinstance(self.x, str) and self.x in rows.all_columns:
            return rows.column(self.x)
        try:
            with naming(self.path):
                found = self.as_weights(rows, name)
            found.source = found.source or self.path
            return found
        except SourceError as error:
            if self.path is None or not rows.all_columns:
                raise
            what = f"{entries_of(name)}: {error}"
            raise neither(name, self.path, rows.all_columns, what) from error

    def as_weights(self, rows: Rows, name: str = WEIGHTS) -> Rows:
        """Return the values as the weights of `rows`; by default the only column."""
        return column_of(self.checked_rows(), rows, name)

    @property
    def path(self) -> str | None:
        """The path or URL, if x is one."""
        return path_of(self.x)

    @property
    def address(self) -> Address:
        """The address, if x is a path or URL."""
        return Address.of(self.x, self.options)

    @property
    def origin(self) -> str | None:
        """The path, URL or description of the place that rows are read from; None if unknown."""
        return path_of(self.x) or path_of(getattr(self.x, "source", None))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns, as far as they are known before the rows are opened."""
        return ()

    @property
    def validated(self) -> bool:
        """Whether x becomes an array in memory, which scikit-learn validates."""
        return False

    def values(self) -> Any:
        """Return the object that scikit-learn validates, if the source is `validated`."""
        return self.x

    def keeping(self, names: Sequence[str] | None) -> Source:
        """Return a table in memory with these columns only, if it has all of them."""
        return self

    def split(
        self, name: str, features: Sequence[str] | None, argument: str = WEIGHTS
    ) -> tuple[Source, Source] | None:
        """Split one column or variable off a table in memory or a dataset; return the rest first.

        `argument` is named in errors. None if there is none of that name. A column stays in the
        table if it is a feature.
        """
        return None

    def texts(
        self, name: str, features: Sequence[str] | None = None
    ) -> tuple[Source, Texts] | None:
        """Split a column of texts off a table that is read by names; return the rest first.

        The rest has the columns `features` at least, by default all others. None if no column of
        that name holds texts.
        """
        return None

    def columns(self) -> Columns:
        """Return the features of a table that is read by names, those of texts apart.

        There are none where features have no names.

        Raises
        ------
        DataError
            If texts are numbers mostly, so that they may have been meant as features.
        """
        return Columns()

    @property
    def is_part(self) -> bool:
        """Whether the rows may be an element of a list of rows."""
        return not self.validated

    def holds_variables(self) -> bool:
        """Return whether a file or group holds variables, rather than one array."""
        return False

    def leads_to(self) -> Iterable[Any]:
        """Return paths, and objects that refer to paths, that rows may be read from."""
        return [self.origin]


def path_of(x: Any) -> str | None:
    """Return a path or URL as a string; None if x is neither."""
    return os.fspath(x) if isinstance(x, (str, os.PathLike)) else None
