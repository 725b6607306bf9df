"""Several sources of rows, one after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.counting import counted
from daskgmm.errors import DataError
from daskgmm.rows.grid import check_chunks
from daskgmm.rows.rows import Get, Rows, Segment
from daskgmm.rows.texts import Texts


@dataclass(frozen=True, slots=True)
class ChainSegment:
    """Segments of several sources, read one after another as one type."""

    segments: tuple[Segment, ...]
    dtype: np.dtype[Any]

    @property
    def dependencies(self) -> tuple[Any, ...]:
        """Dependencies of the segments, in their order."""
        return tuple(needed for segment in self.segments for needed in segment.dependencies)

    def stream(self, dependencies: Sequence[Any] = (), retries: int = 0) -> Iterator[NDArray[Any]]:
        """Yield the blocks of every segment in turn."""
        used = 0
        for segment in self.segments:
            count = len(segment.dependencies)
            for block in segment.stream(dependencies[used : used + count], retries):
                yield block.astype(self.dtype, copy=False)
            used += count


class ConcatenatedRows(Rows):
    """The rows of several sources with the same columns, in order."""

    def __init__(self, parts: Sequence[Rows]) -> None:
        if not parts:
            raise DataError("There is nothing to concatenate; give at least one source of rows.")
        self.parts = tuple(_alike(parts))
        missing = dict.fromkeys(part.taken_as_missing for part in parts if part.taken_as_missing)
        self.taken_as_missing = "; ".join(missing) or None
        self.n_features = parts[0].n_features
        for index, part in enumerate(self.parts):
            if part.n_features != self.n_features:
                raise DataError(
                    f"Element {index} has {counted(part.n_features, 'column')}, but element 0 has "
                    f"{self.n_features}; give every element the same columns."
                )
        self.dtype = np.result_type(*(part.dtype for part in self.parts))
        of_parts = zip(*(part.has_long_integers for part in self.parts), strict=True)
        self.long_integers = tuple(any(column) for column in of_parts)
        self.lengths = np.concatenate([part.lengths for part in self.parts])
        self.columns = _shared_columns(self.parts)
        self.in_process = any(part.in_process for part in parts)
        self.reads = any(part.reads for part in parts)
        self.ahead = max(part.ahead for part in parts)
        self._starts = np.cumsum([0, *(len(part.lengths) for part in parts)]).tolist()

    def prepare(self, get: Get | None = None, retries: int = 0) -> None:
        """Prepare each part."""
        for part in self.parts:
            part.prepare(get, retries)

    @property
    def futures(self) -> tuple[Any, ...]:
        """Futures of all parts."""
        return tuple(future for part in self.parts for future in part.futures)

    @property
    def all_columns(self) -> tuple[str, ...]:
        """Names that `select` and `column` of every part take."""
        first, *others = (part.all_columns for part in self.parts)
        return tuple(name for name in first if all(name in names for names in others))

    def select(self, names: Sequence[str]) -> ConcatenatedRows:
        """Return the rows of all parts with these columns only."""
        return ConcatenatedRows([part.select(names) for part in self.parts])

    def column(self, name: str) -> ConcatenatedRows:
        """Return one column of all parts as weights."""
        return ConcatenatedRows([part.column(name) for part in self.parts])

    def segment(self, first: int, stop: int) -> ChainSegment:
        """Return the chunks `first` to `stop` (exclusive), across sources."""
        check_chunks(first, stop, len(self.lengths))
        segments = []
        for part, start in zip(self.parts, self._starts, strict=False):
            begin, end = max(first - start, 0), min(stop - start, len(part.lengths))
            if begin < end:
                segments.append(part.segment(begin, end))
        return ChainSegment(tuple(segments), self.dtype)


class ConcatenatedTexts(ConcatenatedRows, Texts):
    """A column of texts of several sources, in order."""

    def __init__(self, parts: Sequence[Texts]) -> None:
        super().__init__(parts)
        self._texts = tuple(parts)

    def among(self, names: tuple[str, ...]) -> ConcatenatedRows:
        """Return the places of the texts among sorted ones, -1 where one is missing."""
        return ConcatenatedRows([part.among(names) for part in self._texts])

    def segment(self, first: int, stop: int) -> ChainSegment:
        """Return the chunks `first` to `stop` (exclusive), whose blocks hold texts."""
        return replace(super().segment(first, stop), dtype=np.dtype(object))


def _alike(parts: Sequence[Rows]) -> list[Rows]:
    """Put the columns of every part in the order of the first one, where they have names."""
    first = parts[0].columns
    if first is None:
        return list(parts)
    same = set(first)
    return [
        part.select(first) if part.columns and set(part.columns) == same else part for part in parts
    ]


def _shared_columns(parts: Sequence[Rows]) -> tuple[str, ...] | None:
    """Return the names of the columns, or None where a part has none."""
    first = parts[0].columns
    for index, part in enumerate(parts):
        if first is None or part.columns is None:
            return None
        if part.columns != first:
            other = next(name for name in part.columns if name not in first)
            raise DataError(
                f"Element {index} has a column {other!r}, which element 0 has not; give every "
                "element the same columns."
            )
    return first
