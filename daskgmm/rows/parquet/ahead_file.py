"""A Parquet file in a store that answers late: what is read next is fetched before it is asked for.

Arrow asks for some bytes of a column, waits, and goes on with the next column. Which bytes it will
ask for is known from the footer, and their order nearly: all columns at the same pace.
"""

from __future__ import annotations

import io
import itertools
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from daskgmm.rows.ahead import fetched

Fetch = Callable[[int, int], bytes]
"""Returns the bytes of a file from a first to a last one (exclusive); several threads call it."""

STORED_PAGE_BYTES = 1 << 20
"""Bytes of a page, as most writers cut them: Arrow asks for so many of a column one after another,
and those of all columns that come meanwhile are held."""


class Extent(NamedTuple):
    """Bytes of a file, from a first to a last one (exclusive)."""

    start: int
    stop: int


class Coming(NamedTuple):
    """What is about to be read of a file: columns of row groups, and how far ahead.

    `limit` is the number of bytes that reads ahead may take in a process.
    """

    groups: range
    columns: Sequence[str]
    limit: int


class AheadFile(io.RawIOBase):
    """A file opened for reading, parts of which are fetched ahead, several at once.

    Parameters
    ----------
    source : file object
        Of the file system; it is closed with this one, and reads what nobody expected.
    fetch : callable
    """

    def __init__(self, source: Any, fetch: Fetch) -> None:
        self._source, self._fetch = source, fetch
        self._size: int = source.size
        self._position = 0
        self._starts: list[int] = []
        self._extents: list[Extent] = []
        self._results: Generator[bytes] | None = None
        self._due: set[Extent] = set()
        self._coming: deque[Extent] = deque()
        self._held: dict[Extent, bytes] = {}
        self._most = 0

    def expect(self, extents: Sequence[Extent], nbytes: int, limit: int, most: int) -> None:
        """Fetch these extents from the next read of one on, in this order, ahead of reads.

        They are of `nbytes` each at most; they do not overlap, and are read once. At most `most`
        that came are held: of more, the first that came is fetched again when it is read.
        """
        self._results = fetched(self._reads(extents), nbytes, limit)
        self._extents, self._due, self._most = sorted(extents), set(extents), max(1, most)
        self._starts = [extent.start for extent in self._extents]

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position, and return it."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = origin + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Return so many bytes from the position on, all if it is negative, or fewer at the end."""
        stop = self._size if size < 0 else min(self._position + size, self._size)
        parts = []
        while self._position < stop:
            part = self._expected(stop)
            if part is None:
                part = self._unexpected(stop)
            if not part:
                break
            parts.append(part)
            self._position += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _fetched(self, extent: Extent) -> bytes:
        """Return the bytes of an extent; a store that gives others would spoil its neighbours."""
        found, wanted = self._fetch(*extent), extent.stop - extent.start
        if len(found) != wanted:
            raise OSError(f"the store gave {len(found)} bytes of {wanted} from {extent.start} on")
        return found

    def _reads(self, extents: Sequence[Extent]) -> Iterator[Callable[[], bytes]]:
        """Yield what fetches each extent, but those that were read before their turn."""
        for extent in extents:
            if extent in self._due:
                self._due.remove(extent)
                self._coming.append(extent)
                yield partial(self._fetched, extent)

    def _expected(self, stop: int) -> bytes | None:
        """Return bytes from the position on, of the extent that holds it; None if none does."""
        place = bisect_right(self._starts, self._position) - 1
        if place < 0 or self._position >= self._extents[place].stop:
            return None
        extent = self._extents[place]
        while extent in self._coming or (extent in self._due and len(self._held) < self._most):
            self._receive()
        found = self._held.get(extent)
        if found is None:  # its turn has not come, or it was read already
            return None
        if stop >= extent.stop:
            del self._held[extent]
        return found[self._position - extent.start : stop - extent.start]

    def _receive(self) -> None:
        """Hold the next extent that comes."""
        assert self._results is not None, "some are due"
        try:
            found = next(self._results)
        except Exception:
            self._due.clear()  # no more come
            self._coming.clear()
            raise
        while len(self._held) >= self._most:
            del self._held[next(iter(self._held))]
        self._held[self._coming.popleft()] = found

    def _unexpected(self, stop: int) -> bytes:
        """Return bytes from the position on, up to the next extent that comes or is held."""
        place = max(0, bisect_right(self._starts, self._position) - 1)
        while place < len(self._starts) and self._starts[place] < stop:
            extent = self._extents[place]
            if extent.start > self._position and (extent in self._held or extent in self._coming):
                stop = extent.start
            elif extent.stop > self._position:
                self._due.discard(extent)
            place += 1
        self._source.seek(self._position)
        found: bytes = self._source.read(stop - self._position)
        return found

    def close(self) -> None:
        """Close the file; what is still on its way is waited for."""
        if not self.closed:
            if self._results is not None:
                self._results.close()
            self._held.clear()
            self._source.close()
        super().close()


def held_parts(nbytes: int) -> int:
    """Return the most parts of `nbytes` that are held of a column, as others may be: a page."""
    return -(-STORED_PAGE_BYTES // nbytes)


def extents(
    metadata: Any, names: Collection[str], coming: Coming, nbytes: int, size: int
) -> list[Extent]:
    """Return what Arrow reads of columns, `nbytes` at a time, in the order in which it is due.

    Row group by row group: the dictionaries with the first pages, as a value needs all of its
    dictionary; then each column's parts come at even distances. A file that lies has none.

    Parameters
    ----------
    metadata : pyarrow.parquet.FileMetaData
    names : collection of str
        All columns of the file: a name may have dots, as the path of a part of a column has.
    coming : Coming
    nbytes : int
    size : int
        Bytes of the file.
    """
    found = []
    for group in coming.groups:
        if group >= metadata.num_row_groups:
            break
        due = []
        for number, (whole, pages) in enumerate(
            _column_chunks(metadata.row_group(group), names, coming.columns)
        ):
            if not 0 <= whole.start <= whole.stop <= size:
                return []
            length = max(1, whole.stop - whole.start)
            for start in range(whole.start, whole.stop, nbytes):
                part = Extent(start, min(start + nbytes, whole.stop))
                due.append((max(0, start - pages) / length, number, part))
        found += [part for _, _, part in sorted(due)]
    ordered = sorted(found)
    overlap = any(one.stop > other.start for one, other in itertools.pairwise(ordered))
    return [] if overlap else found


def _column_chunks(
    group: Any, names: Collection[str], columns: Sequence[str]
) -> Iterator[tuple[Extent, int]]:
    """Yield the bytes of columns, and where the pages behind a dictionary begin."""
    wanted = set(columns)
    for number in range(group.num_columns):
        column = group.column(number)
        if _name_of(column.path_in_schema, names) not in wanted:
            continue
        start = pages = column.data_page_offset
        # Some writers leave 0 for the place of a dictionary, as Arrow knows.
        if column.has_dictionary_page and column.dictionary_page_offset > 0:
            start = min(start, column.dictionary_page_offset)
        yield Extent(start, start + column.total_compressed_size), pages


def _name_of(path: str, names: Collection[str]) -> str | None:
    """Return the column that a path is of: the longest of the names that it begins with."""
    parts = path.split(".")
    begins = (".".join(parts[:stop]) for stop in range(len(parts), 0, -1))
    return next((begin for begin in begins if begin in names), None)
