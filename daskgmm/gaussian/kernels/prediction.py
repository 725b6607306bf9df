"""Predictions of whole blocks by a back end, into arrays of the caller."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array

TYPES: Mapping[str, tuple[str, ...]] = {
    "labels": ("i1", "i2", "i4", "i8"),
    "responsibilities": ("f8", "f4", "u1"),
    "log_densities": ("f8", "f4"),
}
"""Types that each of `Targets` may have, in the byte order of the processor; `u1` is of steps."""


@dataclass(frozen=True, slots=True)
class Targets:
    """Arrays to fill, each there or not; rows may lie at any distance from each other.

    Attributes
    ----------
    labels : ndarray of signed int, shape (n,), or None
        The most probable component, the first one of several; -1 for a uniform component.
    responsibilities : ndarray of shape (n, k) or (n, k + 1), or None
        Those of components, and then of the uniform one; of float64, float32 or uint8. The entries
        of a row lie beside each other.
    levels : int
        What a responsibility of 1 is in uint8; others are rounded to the next integer.
    log_densities : ndarray of shape (n,), or None
        In nats, of float64 or float32.
    """

    labels: NDArray[np.integer[Any]] | None = None
    responsibilities: NDArray[Any] | None = None
    levels: int = 0
    log_densities: NDArray[np.floating[Any]] | None = None

    def part(self, rows: slice) -> Targets:
        """Return the targets of some rows."""
        return replace(
            self,
            labels=None if self.labels is None else self.labels[rows],
            responsibilities=None if self.responsibilities is None else self.responsibilities[rows],
            log_densities=None if self.log_densities is None else self.log_densities[rows],
        )


class Prediction(ABC):
    """A kernel made ready to predict blocks of rows; several threads may use it at once."""

    @abstractmethod
    def fill(self, x: NDArray[Any], targets: Targets, half_range: Array) -> int:
        """Fill the targets of the first rows of a block, and return the number of these.

        All results of a row must depend on the kernel and the row alone, not on what else is asked
        for; float32 is float64 rounded.

        Parameters
        ----------
        x : ndarray of shape (n, d)
            Of any type, at any strides; values may be NaN or infinite.
        targets : Targets
            Of n rows; what is written behind the number that is returned is of no use.
        half_range : ndarray of shape (d,)
            How far from `Kernel.center` rows may be in each column: the rows filled end before
            the first one that is farther or has a NaN, by as much as suits the back end.
        """
