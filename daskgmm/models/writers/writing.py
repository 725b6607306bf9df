"""Predictions of one batch, written where they belong: each chunk once, by one process.

A chunk of the target may hold rows of two batches. A batch writes the chunks that are all its
own; what is left at its two ends travels to the driver, which puts pieces together. So each
chunk is written whole, whatever the borders of chunks that are read, and nothing is read twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.gaussian.block import Block
from daskgmm.gaussian.parameters import Parameters
from daskgmm.models.predictions.made_outputs import Outputs
from daskgmm.models.predictions.output import MISSING
from daskgmm.models.predictions.place import Place, numbers_on_grid
from daskgmm.models.predictions.prediction import Predictor
from daskgmm.models.writers.marks import marked
from daskgmm.models.writers.ownership import Owner
from daskgmm.models.writers.tally import Arrays, Piece, Tally, WrittenBatch
from daskgmm.passes.batches import Batch
from daskgmm.rows.retries import retried
from daskgmm.rows.zarr_nodes.presence import check_present_here

PREDICTED_ROWS = 1 << 16
"""Rows that are predicted at once on their way to a chunk of the target."""


@dataclass(frozen=True)
class Putting:
    """Writes regions of the arrays.

    Attributes
    ----------
    targets : dict of zarr.Array
    retries : int
    guard : Owner or None
        Looked at before each write, where another run may have taken the place.
    compared : bool
        Whether what is written is compared at the end, as `Target.contested` places are.
    """

    targets: Mapping[str, Any]
    retries: int
    guard: Owner | None = None
    compared: bool = False

    def __call__(self, region: tuple[slice, ...], arrays: Arrays) -> dict[str, str]:
        """Write whole chunks; return their digest by region, where they are `compared`."""
        for name, values in arrays.items():
            retried(partial(self._put, self.targets[name], region, values), self.retries)
        return {text_of(region): digest_of(arrays)} if self.compared else {}

    def _put(self, target: Any, region: tuple[slice, ...], values: NDArray[Any]) -> None:
        if self.guard is not None:
            self.guard.check()
        # Zarr would make folders of its name where nobody looks for them.
        check_present_here(target)
        target[region] = values


def digest_of(arrays: Arrays) -> str:
    """Return a digest of the values of arrays."""
    found = hashlib.sha256()
    for name, values in sorted(arrays.items()):
        found.update(f"{name} {values.dtype} {values.shape}".encode())
        found.update(np.ascontiguousarray(values).tobytes())
    return found.hexdigest()


def text_of(region: tuple[slice, ...]) -> str:
    """Return a region as text: 0:5000, or 0:1,12:24."""
    return ",".join(f"{each.start}:{each.stop}" for each in region)


def region_of(text: str) -> tuple[slice, ...]:
    """Return the region of a text that `text_of` made."""
    return tuple(slice(*map(int, each.split(":"))) for each in text.split(","))


@dataclass(frozen=True)
class Writing:
    """Predicts and writes one batch.

    Attributes
    ----------
    predictor : Predictor
    outputs : Outputs
    put : Putting
    """

    predictor: Predictor
    outputs: Outputs
    put: Putting

    def _counts(self, arrays: Arrays) -> NDArray[np.int64]:
        return counts_of(arrays, self.outputs, self.predictor.parameters)


def n_counts(parameters: Parameters) -> int:
    """Return the length of `counts_of`."""
    return parameters.n_components + 2


def counts_of(arrays: Arrays, outputs: Outputs, parameters: Parameters) -> NDArray[np.int64]:
    """Return the rows of each component, then those that miss a value, and outliers.

    Of a classifier rows of each class. Rows of clusters, in the first places, where these are
    written and components are not. Zeros of what neither these nor the output `outlier` tell. With
    noise outliers are in no component, with tails in one.
    """
    counts = np.zeros(n_counts(parameters), np.int64)
    first = MISSING if parameters.has_noise else -1
    name = "label" if "label" in arrays else "cluster"
    if name in arrays:
        about = next(each for each in outputs.arrays if each.name == name)
        labels = about.numbers(arrays[name]) - first
        found = np.bincount(labels, minlength=parameters.n_components - first)
        counts[:-2], counts[-2] = found[-first:], found[0]
        counts[-1] = found[1] if parameters.has_noise else 0
    if "outlier" in arrays:
        outliers = arrays["outlier"]
        counts[-2:] = (outliers < 0).sum(), (outliers > 0).sum()
    return counts


@dataclass(frozen=True)
class RowWriting(Writing):
    """Writes rows in a line.

    Attributes
    ----------
    unit : int
        Rows of a chunk of the target, or of a shard.
    n : int
        All rows.
    """

    unit: int = 1
    n: int = 0

    def _predicted(self, batch: Batch, blocks: Iterator[Block]) -> Iterator[Arrays]:
        """Yield predictions of `PREDICTED_ROWS` rows of a block, or of those that are left."""
        before = 0
        for block in blocks:
            for first in range(0, max(1, len(block.x)), PREDICTED_ROWS):
                x, place = block.x[first : first + PREDICTED_ROWS], Place.of(batch)
                yield self.outputs.predict(self.predictor, x, place.after(before + first))
            before += len(block.x)

    def __call__(self, batch: Batch, blocks: Iterator[Block]) -> WrittenBatch:
        """Write the chunks that are the batch's own; return the rest."""
        pieces, digests = list[Piece](), dict[str, str]()
        mark, blocks = marked(blocks)
        start = batch.start_row
        buffer = self.outputs.empty(min(self.unit, batch.rows or 0))
        filled, counts = 0, np.zeros(n_counts(self.predictor.parameters), np.int64)
        for arrays in self._predicted(batch, blocks):
            counts += self._counts(arrays)
            taken, rows = 0, len(next(iter(arrays.values())))
            while taken < rows:
                # To the next border of the target, wherever the batch began.
                room = self.unit - (start + filled) % self.unit
                m = min(rows - taken, room)
                for name, values in arrays.items():
                    buffer[name][filled : filled + m] = values[taken : taken + m]
                taken, filled = taken + m, filled + m
                if m == room:
                    pieces += self._written(start, buffer, filled, digests)
                    start, filled = start + filled, 0
        pieces += self._written(start, buffer, filled, digests)
        rows = start + filled - batch.start_row
        return WrittenBatch(batch.index, rows, counts, tuple(pieces), mark, digests)

    def _written(
        self, start: int, buffer: Arrays, rows: int, digests: dict[str, str]
    ) -> list[Piece]:
        """Write the rows if they are a whole chunk; return them if not."""
        if not rows:
            return []
        piece = Piece(start, {name: values[:rows] for name, values in buffer.items()})
        if whole(piece, self.unit, self.n):
            digests.update(self.put(piece.region, piece.arrays))
            return []
        return [Piece(start, {name: values.copy() for name, values in piece.arrays.items()})]


def whole(piece: Piece, unit: int, n: int) -> bool:
    """Return whether a piece is all of its chunk."""
    return piece.start % unit == 0 and piece.stop == min(n, piece.start + unit)


@dataclass
class Joining:
    """Joins pieces on the driver, and tells which batches are all written.

    Attributes
    ----------
    put : Putting
    batches : dict of Batch
        By their numbers.
    unit, n : int
    tally : Tally
    """

    put: Putting
    batches: Mapping[int, Batch]
    unit: int
    n: int
    tally: Tally
    _pieces: dict[int, list[Piece]] = field(default_factory=dict)
    _open: dict[int, tuple[set[int], NDArray[np.int64]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._before = frozenset(self.tally.done)

    def __call__(self, result: WrittenBatch) -> None:
        """Take in a batch, and what it has left over."""
        self.tally.add(result)
        if not result.pieces:
            return
        waiting = set()
        for piece in result.pieces:
            chunk = piece.start // self.unit
            if not self._written_before(chunk):
                waiting.add(chunk)
                self._pieces.setdefault(chunk, []).append(piece)
        self._open[result.index] = waiting, result.counts
        for chunk in tuple(waiting):
            self._join(chunk)
        for index in [index for index, (chunks, _) in self._open.items() if not chunks]:
            self.tally.complete(index, self._open.pop(index)[1])

    def _written_before(self, chunk: int) -> bool:
        """Return whether an earlier run has written it: the batches done then had a part in it."""
        start, stop = chunk * self.unit, min(self.n, (chunk + 1) * self.unit)
        return any(
            self.batches[index].start_row < stop
            and start < self.batches[index].start_row + (self.batches[index].rows or 0)
            for index in self._before
        )

    def _join(self, chunk: int) -> None:
        """Write a chunk if all its pieces are there."""
        pieces = sorted(self._pieces[chunk], key=lambda piece: piece.start)
        rows = sum(piece.stop - piece.start for piece in pieces)
        if rows < min(self.n - chunk * self.unit, self.unit):
            return
        names = pieces[0].arrays
        joined = Piece(
            pieces[0].start,
            {name: np.concatenate([piece.arrays[name] for piece in pieces]) for name in names},
        )
        self.tally.digests.update(self.put(joined.region, joined.arrays))
        del self._pieces[chunk]
        for chunks, _ in self._open.values():
            chunks.discard(chunk)


@dataclass(frozen=True)
class GridWriting(Writing):
    """Writes blocks of a grid, each of which is a chunk of the target.

    Attributes
    ----------
    chunks : tuple of tuple of int
        Lengths of blocks along each axis.
    """

    chunks: tuple[tuple[int, ...], ...] = ()

    def __call__(self, batch: Batch, blocks: Iterator[Block]) -> WrittenBatch:
        """Write every block of the batch."""
        rows, counts = 0, np.zeros(n_counts(self.predictor.parameters), np.int64)
        digests: dict[str, str] = {}
        mark, blocks = marked(blocks)
        regions, sizes = self._regions(batch.first, batch.stop), tuple(map(sum, self.chunks))
        for region, block in zip(regions, blocks, strict=True):
            shape = tuple(each.stop - each.start for each in region)
            starts = tuple(each.start for each in region)
            number = partial(numbers_on_grid, starts, shape, sizes)  # that of no block by itself
            place = Place.of(batch).after(rows).numbered(number)
            arrays = self.outputs.predict(self.predictor, block.x, place)
            counts += self._counts(arrays)
            placed = {
                name: values.reshape(*shape, *values.shape[1:]) for name, values in arrays.items()
            }
            digests.update(self.put(region, placed))
            rows += int(np.prod(shape))
        return WrittenBatch(batch.index, rows, counts, (), mark, digests)

    def _regions(self, first: int, stop: int) -> Iterator[tuple[slice, ...]]:
        """Yield the regions of the blocks with these numbers."""
        edges = [np.cumsum([0, *lengths]) for lengths in self.chunks]
        sizes = tuple(len(lengths) for lengths in self.chunks)
        for number in range(first, stop):
            places = np.unravel_index(number, sizes)
            yield tuple(
                slice(int(edge[i]), int(edge[i + 1])) for edge, i in zip(edges, places, strict=True)
            )
