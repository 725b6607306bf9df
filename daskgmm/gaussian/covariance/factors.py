"""Structures with few dimensions in each component: probabilistic PCA and factor analysers.

The number of factors q is part of their names, as in "ppca-3", so that files, checkpoints and
workers know it.
"""

from __future__ import annotations

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.factor_analysis import factor_analysis, principal_components
from daskgmm.gaussian.covariance.low_rank import LowRank, LowRankIsotropic, joined, parts
from daskgmm.gaussian.covariance.precision import SingularError
from daskgmm.gaussian.covariance.scatter import Scatter
from daskgmm.gaussian.covariance.statistic import Products
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.moments import EMPTY


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
    separate = True

    def __init__(self, q: int) -> None:
        self.q, self.name = q, f"{self.family}-{q}"
        self.statistic = Products()

    def maximise(self, scatter: Scatter, last: Array) -> Array:
        _, noise = parts(last)
        found = []
        for index, covariance in enumerate(scatter.covariances):
            try:
                found.append(joined(*self._most_likely(covariance, noise[index])))
            except SingularError as error:
                raise SingularError(index) from error
        return np.stack(found)

    def _most_likely(self, covariance: Array, noise: Array) -> tuple[Array, Array]:
        """Return the most likely loadings and noise of a covariance matrix, given the last."""
        raise NotImplementedError

    def scatter(self, covariances: Array, counts: Array, d: int) -> Scatter:
        matrices = self.precision.matrices(covariances, d)
        return Scatter(np.maximum(counts, EMPTY * counts.sum()), matrices, d)


class PrincipalComponents(LowRankStructure):
    """Loadings and one noise variance a component (Tipping & Bishop 1999)."""

    family = "ppca"

    def __init__(self, q: int) -> None:
        super().__init__(q)
        self.precision = LowRankIsotropic(q)

    def _most_likely(self, covariance: Array, noise: Array) -> tuple[Array, Array]:
        return principal_components(covariance, self.q)


class FactorAnalysers(LowRankStructure):
    """Loadings and a noise variance for each feature and component (Ghahramani & Hinton 1996)."""

    family = "factor"

    def __init__(self, q: int) -> None:
        super().__init__(q)
        self.precision = LowRank(q)

    def _most_likely(self, covariance: Array, noise: Array) -> tuple[Array, Array]:
        return factor_analysis(covariance, self.q, noise)


FAMILIES: dict[str, type[LowRankStructure]] = {
    family.family: family for family in (PrincipalComponents, FactorAnalysers)
}
"""Structures with a number of factors, by what users call them."""
