"""A pass over labels alone: which classes there are, and of how many rows each is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.companions import ALONE, LABELS
from daskgmm.errors import DataError
from daskgmm.gaussian.block import Block
from daskgmm.passes.batches import Batch
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.over_batches import map_batches
from daskgmm.rows.companions.coded import UNKNOWN_CLASS
from daskgmm.rows.rows import Rows
from daskgmm.rows.texts import Texts

MOST_CLASSES = 1024
"""Labels of more values are taken for measurements."""

ODD = np.uint64(0x9E3779B97F4A7C15)
"""2**64 divided by the golden ratio: its multiples modulo 2**64 are spread evenly."""

SMALL = 1 << 16
"""Labels below are counted without sorting them."""


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """The labels of some rows.

    Attributes
    ----------
    values : ndarray of int64, shape (c,)
        Labels of known classes, sorted.
    counts : ndarray of int64, shape (c,)
        Number of rows of each.
    unknown : int
        Number of rows of unknown class.
    content : str
        A digest of all labels in their order, whatever the chunks.
    """

    values: NDArray[np.int64]
    counts: NDArray[np.int64]
    unknown: int
    content: str

    def all_of(self, values: NDArray[np.int64]) -> tuple[int, ...]:
        """Return the number of rows of each of sorted values, and last of unknown class."""
        found = np.zeros(len(values), np.int64)
        found[np.searchsorted(values, self.values)] = self.counts
        return (*found.tolist(), self.unknown)


def count_labels(labels: Rows, most: int | None = None) -> LabelCounts:
    """Count labels in a pass over them alone.

    -1 and NaN are labels of rows of unknown class; but -1 is a class where 1 is the only other
    label, as classes of two are often numbered: NaN alone is unknown then.

    Parameters
    ----------
    labels : Rows
        Of one axis.
    most : int, optional
        Labels have to be below.

    Raises
    ------
    DataError
        If a label is no whole number, or out of range: it names the row.
    """
    total: Counter[int | None] = Counter()
    checksum = 0
    with closing(Dataset.of(labels, ALONE, 1, 1)) as data:
        for part, own in map_batches(data, partial(_count, most), name="daskgmm_labels"):
            total.update(part)
            checksum = (checksum + own) % 2**64
            check_number(total)
    unknown = total.pop(None, 0)
    if most is not None or set(total) != {UNKNOWN_CLASS, 1}:
        unknown += total.pop(UNKNOWN_CLASS, 0)
    pairs = sorted((value, count) for value, count in total.items() if value is not None)
    found = np.array(pairs, np.int64).reshape(-1, 2)
    return LabelCounts(found[:, 0].copy(), found[:, 1].copy(), unknown, f"{checksum:016x}")


def distinct_texts(texts: Texts) -> tuple[str, ...]:
    """Return the texts of a column, each once and sorted, from a pass over it alone.

    Raises
    ------
    DataError
        If there are more than classes can be.
    """
    found: set[str] = set()
    with closing(Dataset.of(texts, ALONE, 1, 1)) as data:
        for part in map_batches(data, _distinct, name="daskgmm_names"):
            found |= part
            check_number(found)
    return tuple(sorted(found))


def _distinct(batch: Batch, blocks: Iterator[Block]) -> set[str]:
    found: set[str] = set()
    for block in blocks:
        found.update(block.x.tolist())
        found.discard(None)  # of missing ones
        check_number(found)
    return found


def _count(
    most: int | None, batch: Batch, blocks: Iterator[Block]
) -> tuple[Counter[int | None], int]:
    """Count the labels of a batch; those that are NaN under None, as -1 may be a class.

    The second value is the checksum of the labels.
    """
    total: Counter[int | None] = Counter()
    before = checksum = 0
    for block in blocks:
        labels: NDArray[Any] = block.x
        known = labels
        if labels.dtype.kind == "f":
            missing = np.isnan(labels)
            total[None] += int(missing.sum())
            known, labels = labels[~missing], np.where(missing, UNKNOWN_CLASS, labels)
        check_labels(labels, most, batch, before)
        total.update(_counted(known.astype(np.int64)))
        check_number(total)
        checksum += _checksum(labels.astype(np.int64), batch.start_row + before)
        before += len(labels)
    return total, checksum


def _checksum(labels: NDArray[np.int64], first: int) -> int:
    """Return a sum that tells labels of rows from others, and from another order of them.

    It is added up over blocks, modulo 2**64: each label times a number that its place decides.
    """
    factors = np.arange(first, first + len(labels), dtype=np.uint64) * ODD
    factors ^= factors >> np.uint64(32)
    return int(np.sum(labels.view(np.uint64) * (factors * ODD), dtype=np.uint64))


def _counted(labels: NDArray[np.int64]) -> dict[int, int]:
    """Return how often each label is there."""
    if not len(labels):
        return {}
    if labels.min() >= UNKNOWN_CLASS and labels.max() < SMALL:
        counts = np.bincount(labels - UNKNOWN_CLASS)
        there = np.flatnonzero(counts)
        return dict(zip((there + UNKNOWN_CLASS).tolist(), counts[there].tolist(), strict=True))
    values, counts = np.unique(labels, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def check_labels(labels: NDArray[Any], most: int | None, batch: Batch, before: int) -> None:
    """Raise `DataError` at the first label that names no class."""
    limit = 2.0**53 if most is None else most
    fine = (labels < limit) & (labels > -limit if most is None else labels >= UNKNOWN_CLASS)
    if labels.dtype.kind == "f":
        fine &= labels == np.rint(labels)
    if fine.all():
        return
    row = int(np.argmin(fine))
    allowed = "a whole number" if most is None else f"a component, 0 to {most - 1}"
    raise DataError(
        f"Input {LABELS} contains {labels[row]:g} in {batch.place(before + row)}. Unknown label "
        f"type: a label is {allowed}, and -1 or NaN where the class of a row is unknown."
    )


def check_number(values: Collection[Any]) -> None:
    """Raise `DataError` for more labels than there can be classes; None is no label."""
    found = len(values) - (None in values)
    if found > MOST_CLASSES:
        raise DataError(
            f"{LABELS} have {found:,} values or more, and at most {MOST_CLASSES:,} classes can be "
            "told apart. Give classes, not measurements or numbers of rows."
        )
