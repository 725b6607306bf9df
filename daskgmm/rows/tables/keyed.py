"""Rows with key columns, which predictions copy unchanged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from daskgmm.errors import DataError
from daskgmm.rows.rows import Rows
from daskgmm.storage.masking import shown


@dataclass(frozen=True, slots=True)
class KeyedRows:
    """Rows read at once, with their keys.

    Attributes
    ----------
    chunk : int
        Index of the chunk that they are, or are a part of.
    x : ndarray of shape (m, d)
    keys : pyarrow.Table
        Keys of the same rows; without columns it has no rows either.
    """

    chunk: int
    x: NDArray[Any]
    keys: Any


class KeyedSegment(ABC):
    """A `rows.Segment` whose rows have keys."""

    @property
    @abstractmethod
    def dependencies(self) -> Sequence[Any]:
        """Futures of a Dask cluster whose results the segment needs, in a fixed order."""

    @abstractmethod
    def keyed(self, dependencies: Sequence[Any] = (), retries: int = 0) -> Iterator[KeyedRows]:
        """Yield rows and keys in order; each chunk once or in several parts, empty ones too."""

    def stream(self, dependencies: Sequence[Any] = (), retries: int = 0) -> Iterator[NDArray[Any]]:
        """Yield the rows alone."""
        for part in self.keyed(dependencies, retries):
            yield part.x


class Table(ABC):
    """Rows and their key columns.

    Attributes
    ----------
    rows : Rows
        The rows without keys.
    features : tuple of str
        The columns that hold the features.
    schema : pyarrow.Schema
        Schema of the keys; its metadata tell pandas which of them are an index.
    mark : str
        Identity of the rows: it differs for other rows of the same shape.
    whole : bool
        Whether the table has all rows of its files; a frame may leave out some.
    """

    rows: Rows
    features: tuple[str, ...]
    schema: Any
    mark: str
    whole: bool = False

    @abstractmethod
    def segment(self, first: int, stop: int) -> KeyedSegment:
        """Return the chunks `first` to `stop` (exclusive) with their keys, unread."""


def keys_of_type(keys: Any, schema: Any, where: str) -> Any:
    """Return a table of keys in the types of a schema."""
    import pyarrow as pa

    if not schema.names or keys.schema.equals(schema):
        return keys.replace_schema_metadata(schema.metadata)
    try:
        return keys.cast(schema)
    except (pa.ArrowException, ValueError) as error:
        raise DataError(
            f"The key columns of {shown(where)} are not of the types of the first ones: {error}. "
            "Give them one type throughout."
        ) from error


def as_names(key: str | Sequence[str] | None) -> tuple[str, ...] | None:
    """Return names of columns from what a user gives for `key`."""
    return (key,) if isinstance(key, str) else None if key is None else tuple(key)
