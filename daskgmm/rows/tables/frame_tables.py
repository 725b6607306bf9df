"""Data frames with keys: of Dask, partition by partition, and in memory."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from daskgmm.errors import DataError
from daskgmm.rows.arrays import ArrayRows
from daskgmm.rows.checks.naming import check_among
from daskgmm.rows.grid import check_chunks, regular_lengths
from daskgmm.rows.lazy.dask_array import DaskRows, chunk_lengths
from daskgmm.rows.lazy.graph_segment import GraphSegment
from daskgmm.rows.tables.frames import arrow_array, frame_dtype, partition_dtype, polars_array
from daskgmm.rows.tables.keyed import KeyedRows, KeyedSegment, Table, keys_of_type
from daskgmm.rows.tables.pandas_columns import partition_array
from daskgmm.rows.tables.requiring import require

BY_CHANCE = re.compile(r"0x[0-9a-f]+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}")
"""Parts of descriptions that differ from process to process: addresses, unique names."""

PROBED_ROWS = 1000
"""Number of rows at either end of rows in memory that `MemoryTable.mark` is made of."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The columns of a data frame of pandas that are features and keys, and whether its index is.

    Attributes
    ----------
    features, keys : tuple
        Names of columns.
    index : bool
        Whether the index is a key.
    """

    features: tuple[Any, ...]
    keys: tuple[Any, ...]
    index: bool

    @classmethod
    def of(cls, frame: Any, features: Sequence[str] | None, keys: tuple[str, ...] | None) -> Choice:
        """Choose columns of a data frame of pandas or Dask."""
        if frame.ndim != 2:
            raise DataError("X is a series, which has one axis; give a frame: frame[['a', 'b']].")
        columns = list(frame.columns)
        index = keys is None or any(key not in columns and key == frame.index.name for key in keys)
        keys = tuple(key for key in keys or () if key in columns or key != frame.index.name)
        check_among(keys, columns, "X")
        if features is None:
            features = [name for name in columns if name not in keys]
        check_among(features, columns, "X")
        return cls(tuple(features), keys, index)

    @property
    def columns(self) -> list[Any]:
        """Features and keys, without repetition."""
        return list(dict.fromkeys((*self.features, *self.keys)))

    def features_of(self, frame: Any) -> Any:
        """Return the features as a frame."""
        return frame[list(self.features)]

    def schema(self, frame: Any) -> Any:
        """Return the schema of the keys of a frame; the index comes first."""
        schema = self._keys_as_arrow(frame).schema
        fields = [schema.field(name) for name in _index_first(schema)]
        return require("pyarrow").schema(fields, schema.metadata)

    def keys_of(self, frame: Any, schema: Any) -> Any:
        """Return the keys of a frame in the types of a schema, in its order."""
        try:
            keys = self._keys_as_arrow(frame, schema)
        except require("pyarrow").ArrowException as error:
            raise DataError(
                f"A key column holds values of several types: {error}. Give it one type, as with "
                "frame[key].astype(str)."
            ) from error
        return keys_of_type(keys.select(schema.names), schema, "a partition")

    def _keys_as_arrow(self, frame: Any, schema: Any = None) -> Any:
        keys = frame[list(self.keys)]
        if keys.columns.inferred_type not in ("string", "empty"):
            # pandas would read all names as what these are, those of predictions too.
            keys = keys.set_axis(keys.columns.map(str).astype(object), axis=1)
        return require("pyarrow").Table.from_pandas(
            keys, schema, preserve_index=self.index, nthreads=1
        )


def _index_first(schema: Any) -> list[str]:
    index = [name for name in schema.pandas_metadata["index_columns"] if isinstance(name, str)]
    return [*index, *(name for name in schema.names if name not in index)]


@dataclass(frozen=True, slots=True)
class KeyedPartitions(KeyedSegment):
    """Consecutive partitions of a data frame of Dask.

    Attributes
    ----------
    first : int
        Index of the first partition.
    boxes : GraphSegment
        Segment whose blocks are rows and keys of a partition in an array of one object.
    """

    first: int
    boxes: GraphSegment

    @property
    def dependencies(self) -> Sequence[Any]:
        """Futures that the partitions need."""
        return self.boxes.dependencies

    def keyed(self, dependencies: Sequence[Any] = (), retries: int = 0) -> Iterator[KeyedRows]:
        """Compute and yield partition after partition."""
        for number, [box] in enumerate(self.boxes.values(dependencies, retries), self.first):
            yield KeyedRows(number, *box[0])


class _Boxes(DaskRows):
    """Partitions as arrays of one object: a pair of rows and keys."""

    def __init__(self, boxes: Any, columns: tuple[str, ...] | None, d: int, dtype: Any) -> None:
        self._begin(boxes, [(key,) for key in boxes.__dask_keys__()], chunk_lengths(boxes), 1)
        self.columns, self.n_features, self.dtype = columns, d, dtype


class PartitionTable(Table):
    """A data frame of Dask.

    Parameters
    ----------
    frame : dask.dataframe.DataFrame
    features : sequence of str, or None
        None for all columns that are no keys.
    keys : tuple of str, or None
        Columns, or the name of the index; None for the index.
    """

    def __init__(
        self, frame: Any, features: Sequence[str] | None, keys: tuple[str, ...] | None
    ) -> None:
        choice = Choice.of(frame, features, keys)
        dtype = partition_dtype(choice.features_of(frame))
        self.schema = choice.schema(frame._meta_nonempty)
        self.mark = mark_of(frame)
        self.features = tuple(map(str, choice.features))
        box = partial(_boxed, choice, dtype, self.schema)
        boxes = frame[choice.columns].map_partitions(box, meta=np.empty(0, object))
        self._boxes = _Boxes(boxes, _text(choice.features), len(choice.features), dtype)
        self.rows = self._boxes

    def segment(self, first: int, stop: int) -> KeyedPartitions:
        """Return the partitions `first` to `stop` (exclusive), not computed."""
        return KeyedPartitions(first, self._boxes.segment(first, stop))


def mark_of(frame: Any) -> str:
    """Return an identity of a data frame of Dask that is the same in every process.

    Dask's own names of Parquet files differ at each opening.
    """
    steps = BY_CHANCE.sub("", frame.expr.tree_repr())
    sources = [
        step._name if type(step).__name__ == "FromPandas" else getattr(step, "checksum", "")
        for step in frame.expr.walk()
    ]
    return repr((steps, sources, frame.divisions))


def _boxed(choice: Choice, dtype: np.dtype[Any], schema: Any, frame: Any) -> NDArray[Any]:
    box = np.empty(1, object)
    rows = partition_array(choice.features_of(frame), dtype)
    box[0] = rows, choice.keys_of(frame, schema)
    return box


@dataclass(frozen=True, slots=True)
class KeyedParts(KeyedSegment):
    """Consecutive chunks of a table in memory."""

    parts: tuple[KeyedRows, ...]

    dependencies: ClassVar[tuple[()]] = ()

    def keyed(self, dependencies: Sequence[Any] = (), retries: int = 0) -> Iterator[KeyedRows]:
        """Yield part after part, without a copy."""
        yield from self.parts


Taken = tuple[NDArray[Any], Any, tuple[str, ...] | None]


class MemoryTable(Table):
    """Features and keys of a data frame of pandas or Polars, or of a table of Arrow.

    Parameters
    ----------
    taken : tuple
        As `taken_from_pandas` returns it.
    part_rows : int
        Rows of a chunk.
    """

    def __init__(self, taken: Taken, part_rows: int) -> None:
        self._x, self._keys, columns = taken
        self.schema, self.features = self._keys.schema, columns or ()
        lengths = regular_lengths(len(self._x), part_rows)
        self.rows = ArrayRows(self._x, lengths, columns)
        self._starts = np.concatenate([[0], np.cumsum(lengths)]).tolist()
        ends = (self._x[:PROBED_ROWS], self._x[-PROBED_ROWS:])
        self.mark = hashlib.sha256(b"".join(end.tobytes() for end in ends)).hexdigest()

    def segment(self, first: int, stop: int) -> KeyedParts:
        """Return the chunks `first` to `stop` (exclusive) as views."""
        check_chunks(first, stop, len(self.rows.lengths))
        return KeyedParts(tuple(map(self._part, range(first, stop))))

    def _part(self, chunk: int) -> KeyedRows:
        start, stop = self._starts[chunk : chunk + 2]
        return KeyedRows(chunk, self._x[start:stop], self._keys.slice(start, stop - start))


def taken_from_pandas(
    frame: Any, features: Sequence[str] | None, keys: tuple[str, ...] | None
) -> Taken:
    """Return features (n, d), keys and names of features of a data frame of pandas."""
    choice = Choice.of(frame, features, keys)
    features = choice.features_of(frame)
    x = partition_array(features, frame_dtype(features))
    return x, choice.keys_of(frame, choice.schema(frame)), _text(choice.features)


def taken_from_polars(
    frame: Any, features: Sequence[str] | None, keys: tuple[str, ...] | None
) -> Taken:
    """Return features and keys of a data frame of Polars as `taken_from_pandas` does."""
    features = _but_keys(frame.collect_schema().names(), features, keys)
    x, columns = polars_array(frame, features)
    return x, frame.select(list(keys or ())).to_arrow(), columns


def taken_from_arrow(
    table: Any, features: Sequence[str] | None, keys: tuple[str, ...] | None
) -> Taken:
    """Return features and keys of a table or batch of Arrow as `taken_from_pandas` does."""
    x, columns = arrow_array(table, _but_keys(table.schema.names, features, keys))
    chosen = table.select(list(keys or ()))
    # What the metadata tell pandas of an index holds for the whole table.
    return x, require("pyarrow").table(chosen).replace_schema_metadata(None), columns


def _but_keys(
    known: Sequence[str], features: Sequence[str] | None, keys: tuple[str, ...] | None
) -> Sequence[str]:
    """Return the features, by default all columns but the keys; refuse keys that do not exist."""
    check_among(keys or (), known, "X")
    return [n for n in known if n not in (keys or ())] if features is None else features


def _text(names: tuple[Any, ...]) -> tuple[str, ...] | None:
    return names if all(isinstance(name, str) for name in names) else None
