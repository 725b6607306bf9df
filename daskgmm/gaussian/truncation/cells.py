"""Cells of the space of rows, each with the components that its rows may belong to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.gaussian.truncation.anchors import Anchors


@dataclass(frozen=True, slots=True)
class Cells:
    """Voronoi cells about anchors.

    Attributes
    ----------
    origin, scales : ndarray of shape (d,)
        Distances are between rows less the origin, each column divided by its scale.
    anchors : Anchors
        In these units.
    candidates : ndarray of int64, shape (s, m)
        Components that rows of each cell may belong to, ascending.
    """

    origin: Array
    scales: Array
    anchors: Anchors
    candidates: NDArray[np.int64]

    @property
    def n_candidates(self) -> int:
        """Number of candidates of a row, m."""
        return int(self.candidates.shape[1])

    def of_rows(self, x: Array) -> NDArray[np.intp]:
        """Return the cell of each row (n, d)."""
        # Of rows that overflow any cell will do: the density under its candidates is a bound too.
        with np.errstate(over="ignore", invalid="ignore"):
            return self.anchors.nearest((x - self.origin) / self.scales)
