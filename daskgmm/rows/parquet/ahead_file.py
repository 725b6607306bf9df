"""A Parquet file in a store that answers late: what is read next is fetched before it is asked for.

Arrow asks for some bytes of a column, waits, and goes on with the next column. Which bytes it will
ask for is known from the footer, and their order nearly: all columns at the same pace.
"""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from daskgmm.rows.ahead import fetched

Fetch = Callable[[int, int], bytes]
"""Returns the bytes of a file from a first to a last one (exclusive); several threads call it."""


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
        self._order: Iterator[Extent] = iter(())
        self._held: dict[Extent, bytes] = {}
        self._waited: set[Extent] = set()

    def expect(self, extents: Sequence[Extent], nbytes: int, limit: int) -> None:
        """Fetch these extents from the next read of one on, in this order, ahead of reads.

        They are of `nbytes` each at most; they do not overlap, and are read once.
        """
        reads = (partial(self._fetched, extent) for extent in extents)
        self._results, self._order = fetched(reads, nbytes, limit), iter(extents)
        self._extents, self._waited = sorted(extents), set(extents)
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

    def _expected(self, stop: int) -> bytes | None:
        """Return bytes from the position on, of the extent that holds it; None if none does."""
        place = bisect_right(self._starts, self._position) - 1
        if place < 0 or self._position >= self._extents[place].stop:
            return None
        extent = self._extents[place]
        while self._results is not None and extent in self._waited:
            came = next(self._order)
            self._waited.remove(came)
            try:
                self._held[came] = next(self._results)
            except Exception:
                self._waited.clear()  # no more come
                raise
        found = self._held.get(extent)
        if found is None:  # it was read already
            return None
        if stop >= extent.stop:
            del self._held[extent]
        return found[self._position - extent.start : stop - extent.start]

    def _unexpected(self, stop: int) -> bytes:
        """Return bytes from the position on, up to the next extent that is expected."""
        place = bisect_right(self._starts, self._position)
        if place < len(self._starts):
            stop = min(stop, self._starts[place])
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


def extents(metadata: Any, coming: Coming, nbytes: int) -> list[Extent]:
    """Return what Arrow reads of columns, `nbytes` at a time, in the order in which it is due.

    Row group by row group, each column's parts come at even distances.
    """
    found = []
    for group in coming.groups:
        if group >= metadata.num_row_groups:
            break
        due = []
        for number, whole in enumerate(_column_chunks(metadata.row_group(group), coming.columns)):
            length = max(1, whole.stop - whole.start)
            for start in range(whole.start, whole.stop, nbytes):
                part = Extent(start, min(start + nbytes, whole.stop))
                due.append(((start - whole.start) / length, number, part))
        found += [part for _, _, part in sorted(due)]
    return found


def _column_chunks(group: Any, columns: Iterable[str]) -> Iterator[Extent]:
    wanted = set(columns)
    for number in range(group.num_columns):
        column = group.column(number)
        if column.path_in_schema.split(".")[0] not in wanted:
            continue
        start = column.data_page_offset
        if column.has_dictionary_page:
            start = min(start, column.dictionary_page_offset)
        yield Extent(start, start + column.total_compressed_size)
