"""What labels say of a fit: the class of each component, and how many rows are of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Labelling:
    """Classes of components and of rows.

    Attributes
    ----------
    classes : tuple of int, length k
        The class of each component. A row of a known class has responsibilities within its
        components alone.
    counts : tuple of int
        Number of rows of each class; last those of unknown class.
    """

    classes: tuple[int, ...]
    counts: tuple[int, ...]

    @property
    def known(self) -> int:
        """Number of rows of known class."""
        return sum(self.counts[:-1])

    @property
    def named(self) -> int:
        """Number of the first components, up to the last one that labels name."""
        return 1 + max((j for j, count in enumerate(self.counts[:-1]) if count), default=-1)

    @property
    def chances(self) -> NDArray[np.float64]:
        """Chance of a row of each class in a sample that has as many of each; 0 of unknown ones."""
        counts = np.array(self.counts, np.float64)
        counts[-1] = 0.0
        there = counts > 0
        shares: NDArray[np.float64] = there / np.where(there, counts, 1.0) / there.sum()
        return shares

    @property
    def spread(self) -> int:
        """By how much more rows a batch may keep for the sample than its share."""
        return 2 * len(self.counts)

    @property
    def shifts(self) -> tuple[int, ...]:
        """By how many bits the hashes of rows of each class are shifted down in a sample.

        A sample takes the smallest hashes: so it has about as many rows of each class, however rare
        it is, and of rows of unknown class.
        """
        total = sum(self.counts)
        return tuple((total // count).bit_length() - 1 if count else 0 for count in self.counts)
