"""Labels as codes: numbers of classes in place of what is stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.companions import LABELS
from daskgmm.errors import DataError
from daskgmm.rows.rows import Get, Rows, Segment

UNKNOWN_CLASS = -1
"""The label, and the code, of a row of unknown class; NaN is another label of one."""


def codes_of(labels: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.int32]:
    """Return the place of each label (m,) among sorted classes (c,), -1 of an unknown one.

    NaN is unknown even where -1 is a class.
    """
    places = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
    found = classes[places] == labels
    # A comparison with itself is false for NaN alone.
    foreign = ~found & (labels != UNKNOWN_CLASS) & (labels == labels)
    if foreign.any():
        raise DataError(
            f"{LABELS} have changed while they were read: {labels[foreign][0]} is none of the "
            "classes that were there. Write them elsewhere, or wait."
        )
    return np.where(found, places, UNKNOWN_CLASS).astype(np.int32)


@dataclass(frozen=True, slots=True)
class CodedSegment:
    """Chunks of labels as codes of these classes."""

    segment: Segment
    classes: NDArray[Any]

    @property
    def dependencies(self) -> Sequence[Any]:
        """Those of the labels."""
        return self.segment.dependencies

    def stream(self, dependencies: Sequence[Any] = (), retries: int = 0) -> Iterator[NDArray[Any]]:
        """Yield codes, (m,)."""
        for block in self.segment.stream(dependencies, retries):
            yield codes_of(block, self.classes)


class CodedRows(Rows):
    """Labels of rows as codes of sorted classes (c,)."""

    n_features = 1

    def __init__(self, labels: Rows, classes: NDArray[Any]) -> None:
        self._labels, self._classes = labels, classes
        self.dtype = max(labels.dtype, np.dtype(np.int32), key=lambda kind: kind.itemsize)
        self.lengths, self.block_rows, self.source = (
            labels.lengths,
            labels.block_rows,
            labels.source,
        )
        self.in_process, self.reads = labels.in_process, labels.reads
        self.read_copies, self.taken_as_missing = labels.read_copies, labels.taken_as_missing

    def prepare(self, get: Get | None = None, retries: int = 0) -> None:
        """Prepare the labels."""
        self._labels.prepare(get, retries)

    @property
    def futures(self) -> Sequence[Any]:
        """Those of the labels."""
        return self._labels.futures

    def segment(self, first: int, stop: int) -> CodedSegment:
        """Return the chunks `first` to `stop` (exclusive) as codes."""
        return CodedSegment(self._labels.segment(first, stop), self._classes)
