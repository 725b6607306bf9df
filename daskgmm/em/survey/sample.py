"""A uniform sample of rows that depends on the seed and the row numbers alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.companions import ALONE, Companions, concatenated
from daskgmm.gaussian.block import Block
from daskgmm.passes.batches import Batch

MIN_SAMPLE = 100_000
"""Rows below which a sample saves nothing: smaller data sets are taken whole."""

ROWS_PER_PARAMETER = 20
"""A fit on m rows loses p / 2m nats per row for p free parameters; with fewer than 20 rows a
parameter the better of two starts was often not recognised."""

SAMPLE_BYTES = 128 << 20
"""Largest sample, in bytes of float64."""

SLACK = 8.0
"""Standard deviations by which the rows kept at first exceed the sample."""


LEAST_DRAWN = 10_000
"""Rows below which a drawn sample costs hardly less."""

LEAST_PER_PARAMETER = 4
"""Rows for each parameter below which most starts collapse."""

DRAWN_PER_PARAMETER = 50
"""A start on m rows is p / 2m nats per row off: with so many a hundredth."""

COMPARED_PER_PARAMETER, COMPARED_ROWS = 150, 60_000
"""Rows for each parameter by which many models are compared: by 50 the better of two maxima was
often not recognised. No more than so many in all, so that large models take no longer."""

WHOLE, NEARLY_WHOLE = 2, 1.25
"""Multiples of a drawn sample below which all rows are taken instead: of that of one model, and of
that by which many are compared."""


@dataclass(frozen=True, slots=True)
class Starts:
    """Rows that the starts of a fit are made on.

    Attributes
    ----------
    count : int
        Number of initialisations that go on to all rows.
    surveyed_rows : int
        Most rows of the survey's sample; 0 if none is needed.
    rows : int
        Most rows that starts are made on, in the memory of this process.
    at_once : int
        Number of starts that are made at the same time.
    drawn : bool
        Whether they are drawn in a pass of their own, in the coordinates of the model.
    one_goes_on : bool
        Whether the best start alone goes on, whatever `count`, if each row counts.
    """

    count: int
    surveyed_rows: int = 0
    rows: int = 0
    at_once: int = 1
    drawn: bool = False
    one_goes_on: bool = False

    @classmethod
    def of(
        cls, n: int | None, whole: int, drawn: int, *, count: int = 1, at_once: int = 1
    ) -> Starts:
        """Return starts on all n rows, if these are at most `whole`, else on those drawn."""
        if n is None:
            return cls(count, whole, max(whole, drawn), at_once)
        return cls(count, whole, n if n <= whole else min(n, drawn), at_once, n > whole)


def rows_taken_whole(n_parameters: int, d: int, wanted: int | None, *, draws: bool) -> int:
    """Return the number of rows up to which the survey's sample is the data set itself.

    Of larger data sets there is a sample of so many rows, or, if it `draws`, one in a pass of its
    own. `wanted` are the rows of the sample that the user asked for.
    """
    if draws:
        return WHOLE * drawn_rows(n_parameters, d, wanted)
    return sample_capacity(n_parameters, d) if wanted is None else wanted


def drawn_rows(n_parameters: int, d: int, wanted: int | None = None) -> int:
    """Return the number of rows to draw for a model of that size: what is wanted, if enough."""
    if wanted is not None:
        return max(wanted, LEAST_PER_PARAMETER * n_parameters)
    rows = max(LEAST_DRAWN, DRAWN_PER_PARAMETER * n_parameters)
    return max(1, min(rows, SAMPLE_BYTES // (8 * d)))


def compared_rows(n_parameters: int, d: int, wanted: int | None = None) -> tuple[int, int]:
    """Return the rows to draw for a comparison of models, and those up to which all are taken.

    The largest of these models has so many parameters.
    """
    least = drawn_rows(n_parameters, d, wanted)
    if wanted is not None:
        return least, WHOLE * least
    most = min(COMPARED_PER_PARAMETER * n_parameters, COMPARED_ROWS, SAMPLE_BYTES // (8 * d))
    drawn = max(least, most)
    return drawn, max(WHOLE * least, int(NEARLY_WHOLE * drawn))


def sample_capacity(n_parameters: int, d: int) -> int:
    """Return the largest number of rows in the sample for a model of that size."""
    wanted = max(MIN_SAMPLE, ROWS_PER_PARAMETER * n_parameters)
    return max(1, min(wanted, SAMPLE_BYTES // (8 * d)))


GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""The increment of splitmix64: 2^64 over the golden ratio."""


def row_hashes(seed: int, start_row: int, count: int) -> NDArray[np.uint64]:
    """Return a hash of each row number: splitmix64 (Steele, Lea & Flood 2014).

    A bijection of the row number for every seed, so no two rows have the same.
    """
    with np.errstate(over="ignore"):
        state = np.arange(start_row, start_row + count, dtype=np.uint64) * GOLDEN
        state += scrambled(np.uint64(seed))
    hashes: NDArray[np.uint64] = scrambled(state)
    return hashes


def scrambled(state: Any) -> Any:
    """Return states of 64 bits after a step of splitmix64; a bijection."""
    with np.errstate(over="ignore"):
        state = state + GOLDEN
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return state ^ (state >> np.uint64(31))


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows x (m, d) with the smallest hashes (m,), their numbers `index` (m,), and companions.

    `gaps` (m, d) tells which values were missing, once these are filled.
    """

    hashes: NDArray[np.uint64]
    index: NDArray[np.int64]
    x: NDArray[Any]
    beside: Companions[NDArray[Any]] = ALONE
    gaps: NDArray[np.bool_] | None = None

    @property
    def weights(self) -> NDArray[Any] | None:
        """Weights of the rows, (m,), or None."""
        return self.beside.weights

    def smallest(self, m: int) -> Sample:
        """Return the m rows with the smallest hashes, in the order of their numbers."""
        keep = np.arange(len(self.hashes))
        if len(keep) > m:
            keep = np.argpartition(self.hashes, m - 1)[:m]
        keep = keep[np.argsort(self.index[keep], kind="stable")]
        return self.at(keep)

    def at(self, indices: NDArray[np.intp]) -> Sample:
        """Return the rows of these indices."""
        beside = self.beside.map(lambda part: part[indices])
        gaps = None if self.gaps is None else self.gaps[indices]
        return Sample(self.hashes[indices], self.index[indices], self.x[indices], beside, gaps)


def join(samples: list[Sample]) -> Sample:
    """Return the rows of all samples."""
    return Sample(
        np.concatenate([s.hashes for s in samples]),
        np.concatenate([s.index for s in samples]),
        np.concatenate([s.x for s in samples]),
        concatenated([s.beside for s in samples]),
    )


@dataclass(frozen=True, slots=True)
class SampleRule:
    """Rule that chooses the rows of a sample.

    Attributes
    ----------
    seed : int
    capacity : int
        The most rows.
    n_rows : int or None
        Rows of the data set, if known: then hardly more than the sample is ever kept.
    shifts : tuple of int, or None
        `Labelling.shifts`, if rows have labels.
    """

    seed: int
    capacity: int
    n_rows: int | None
    shifts: tuple[int, ...] | None = None

    @property
    def _threshold(self) -> int:
        if self.n_rows is None or self.n_rows <= self.capacity:
            return 2**64 - 1
        expected = self.capacity + SLACK * self.capacity**0.5 + SLACK
        if self.shifts is not None:
            # A shift is the logarithm of what a class is of all rows, rounded down: so twice the
            # threshold keeps as many rows of each class as are expected, or all of it.
            expected *= 2.0
        return min(2**64 - 1, int(2**64 * (expected / self.n_rows)))

    def watch(self, batch: Batch, blocks: Iterator[Block], kept: list[Sample]) -> Iterator[Block]:
        """Pass the blocks on; put what the sample takes of them into `kept`."""
        row, threshold, held = batch.start_row, np.uint64(self._threshold), 0
        for block in blocks:
            taken = self._take(block, row, threshold)
            row, held = row + block.n_read, held + len(taken.hashes)
            kept.append(taken)
            if held > 2 * self.capacity:
                kept[:] = [join(kept).smallest(self.capacity)]
                held = self.capacity
            yield block

    def _take(self, block: Block, row: int, threshold: np.uint64) -> Sample:
        hashes = block.hashes(partial(row_hashes, self.seed, row))
        if self.shifts is not None:
            hashes = hashes >> np.array(self.shifts, np.uint64)[block.beside.labels]
        keep = hashes <= threshold
        if block.weights is not None:
            keep &= block.weights > 0
        chosen = np.flatnonzero(keep)
        beside = block.beside.map(lambda part: part[chosen])
        return Sample(hashes[chosen], block.numbers(row)[chosen], block.x[chosen], beside)
