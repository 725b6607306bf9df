"""Tails that the compiled library has, in its units."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.tails.contaminated import ContaminatedDensities
from daskgmm.gaussian.tails.student import StudentDensities
from daskgmm.gaussian.tails.tail import TailDensities

LOG2_E, LOG_2 = math.log2(math.e), math.log(2.0)


@dataclass(frozen=True)
class LibraryTail(ABC):
    """A tail, of which the library makes densities; logarithms are to the base 2.

    Attributes
    ----------
    kind : int
        One of `Tail` in the source.
    scales : ndarray of shape (k,)
        What squared distances plus `TailDensities.shift` are multiplied by.
    parameters : ndarray of shape (m, k)
        As the source says.
    """

    kind: ClassVar[int]

    scales: Array
    parameters: Array

    @abstractmethod
    def sums(self, found: Array) -> Array:
        """Return `Moments.tail` of the sums (4, k) of the library."""


class LibraryStudent(LibraryTail):
    """Student-t components: distances are 1 / u."""

    kind = 1

    def sums(self, found: Array) -> Array:
        counts, logs, squares, _ = found
        return np.stack([counts, -LOG_2 * logs, squares])


class LibraryContaminated(LibraryTail):
    """Contaminated components: distances are log densities without their constant."""

    kind = 2

    def sums(self, found: Array) -> Array:
        counts, bad, of_bad, of_all = found
        return np.stack([counts, bad, -2.0 * LOG_2 * of_bad, -2.0 * LOG_2 * of_all])


def library_tail(densities: TailDensities) -> LibraryTail | None:
    """Return the tail as the library has it; None if it does not."""
    if type(densities) is StudentDensities:  # a subclass may be another tail
        # log p = constant + half log u, so that u = 1 makes the constant.
        parameters = np.stack([-densities.half[:, 0], LOG2_E * densities.constant[:, 0]])
        return LibraryStudent(1.0 / densities.top[:, 0], parameters)
    if type(densities) is ContaminatedDensities:
        (good, bad), slopes = LOG2_E * densities.constants[..., 0], densities.slopes[..., 0]
        parameters = np.stack([good, bad, slopes[1] / slopes[0]])
        return LibraryContaminated(-LOG2_E * slopes[0], parameters)
    return None
