"""Base of structures of low rank: their statistic, and the scatter that it gives."""

from __future__ import annotations

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.algebra.projections import (
    FactorStatistic,
    is_projected,
    projected_scatter,
)
from daskgmm.gaussian.covariance.algebra.scatter import Scatter
from daskgmm.gaussian.covariance.low_rank.precision import LowRank, parts
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.moments import EMPTY, Moments

TILE_ROWS = 512
"""Least number of rows of a tile of projected moments, which are few for a row: with half as many,
products take 4 % longer, and sums of pairs 40 % (d=1000, k=20, q=10)."""


class LowRankStructure(Structure):
    """Base of structures whose covariances are of rank q plus noise.

    Parameters
    ----------
    q : int
        Number of factors of each component.
    """

    family: str
    precision: LowRank
    free = False

    def __init__(self, q: int) -> None:
        self.q, self.name = q, name_of(self.family, q)
        self.statistic = FactorStatistic(q)

    def is_projected(self, d: int) -> bool:
        """Return whether moments of d features are projected, and no matrix (d, d) is made."""
        return is_projected(d, self.q)

    def n_buffer_rows(self, k: int, d: int) -> int:
        # 1, what is linear, and projections.
        return 1 + k + k * self.q if self.is_projected(d) else self.n_statistics(d)

    def least_tile_rows(self, d: int) -> int:
        return TILE_ROWS if self.is_projected(d) else 0

    def step_work(self, d: int) -> int:
        return d * self.q**2 if self.is_projected(d) else d**3

    def scatter_of(self, moments: Moments, reg_covar: float, last: Array) -> Scatter:
        d, counts, empty = moments.reference.shape[1], moments.scale_counts, moments.empty
        if not self.is_projected(d):
            return super().scatter_of(moments, reg_covar, last)
        covariances = projected_scatter(moments, self.precision.axes(last).projections)
        covariances[:, -1] += reg_covar
        if empty.any():
            counts = np.where(empty, EMPTY * counts.sum(), counts)
            covariances[empty] = self.scatter(last, counts, d).covariances[empty]
        return Scatter(counts, covariances, d)

    def scatter(self, covariances: Array, counts: Array, d: int) -> Scatter:
        """Return the scatter of components with these covariances, along their own axes."""
        counts = np.maximum(counts, EMPTY * counts.sum())
        if not self.is_projected(d):
            return Scatter(counts, self.precision.matrices(covariances, d), d)
        (loadings, noise), axes = parts(covariances), self.precision.axes(covariances).projections
        products = axes * noise[:, None, :] + axes @ loadings.swapaxes(-1, -2) @ loadings
        diagonals = self.precision.diagonals(covariances, d)[:, None]
        zeros = np.zeros_like(diagonals)
        return Scatter(counts, np.concatenate([products, diagonals, zeros], axis=1), d)


def name_of(family: str, q: int) -> str:
    """Return the name of the structure of a family with q factors."""
    return f"{family}-{q}"
