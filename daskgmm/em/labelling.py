"""What labels say of a fit: the class of each component, and how many rows are of each."""

from __future__ import annotations

from dataclasses import dataclass


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
