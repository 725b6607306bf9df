"""The curvature of the log-likelihood of all rows, and the direction in which it is weakest.

Where components overlap, the curvature along some directions is a small rest of what rows tell, and
standard errors are its inverse: so it is a sum over all rows, never over a sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import cholesky, eigh

from daskgmm.arrays import Array
from daskgmm.em.curvature import squares_of_scores
from daskgmm.gaussian.charts.prior_scores import PriorScores
from daskgmm.gaussian.charts.restriction import Restriction
from daskgmm.gaussian.charts.score_chart import ScoreChart
from daskgmm.passes.dataset import Dataset


@dataclass(frozen=True, eq=False)
class Curvature:
    """Minus the second derivatives of the objective, in the coordinates of a chart.

    Attributes
    ----------
    matrix : ndarray of shape (P, P)
        Over the weight of the rows.
    of_rows : ndarray of shape (P, P), or None
        Mean of the squares of the scores of the rows, if it was asked for.
    """

    matrix: Array
    of_rows: Array | None = None

    def exceeds(self, least: float) -> bool:
        """Return whether all eigenvalues are above a number; a factor takes a tenth of them."""
        try:
            cholesky(self.matrix - least * np.eye(len(self.matrix)), lower=True)
        except np.linalg.LinAlgError:
            return False
        return True

    def within(self, restriction: Restriction, slope: Array, weight: float) -> Curvature:
        """Return that on a surface, where the log-likelihood of all rows has a slope (P,)."""
        basis, of_rows = restriction.basis, self.of_rows
        matrix = basis.T @ self.matrix @ basis - restriction.bending(slope) / weight
        if of_rows is not None:
            of_rows = basis.T @ of_rows @ basis
        return Curvature((matrix + matrix.T) / 2.0, of_rows)

    @cached_property
    def _eigen(self) -> tuple[Array, Array]:
        # Of all: asked for some, LAPACK returns none where many are nearly equal.
        values, vectors = eigh(self.matrix)
        return values, vectors

    @property
    def least(self) -> float:
        """Its smallest eigenvalue."""
        return float(self._eigen[0][0])

    @property
    def weakest(self) -> Array:
        """The eigenvector of that, (P,)."""
        return self._eigen[1][:, 0]


def curvature_of(
    data: Dataset, chart: ScoreChart, prior: PriorScores | None = None, *, rows_count: bool
) -> Curvature:
    """Return the curvature, from a pass; with a prior that of the log posterior.

    Where `rows_count`, rows are units, and the squares of their scores are wanted.
    """
    sums = squares_of_scores(data, chart, all_rows=rows_count)
    matrix = sums.curvature(chart)
    if prior is not None:
        matrix = matrix + prior.curvature / sums.weight
    return Curvature(matrix, sums.of_rows if rows_count else None)
