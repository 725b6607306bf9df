r"""Structures with few dimensions in each component: probabilistic PCA and factor analysers.

Of few features the M-step has the covariance S of a component's rows, and its maximum is exact. Of
many it has projections of S (`covariance.projections`), and is an EM step with the factors as
missing data, whose covariance is estimated too (Liu, Rubin & Wu 1998, PX-EM):

.. math::
    \Theta = I - \beta W^T + \beta S \beta^T = L L^T, \quad W \leftarrow L^{-1} \beta S, \quad
    \Psi \leftarrow \mathrm{diag}(S - W^T W), \quad \beta = W \Sigma^{-1}

It never lowers the likelihood, as plain EM, and takes fewer steps.

The number of factors q is part of their names, as in "ppca-3", so that files, checkpoints and
workers know it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from daskgmm.arrays import Array
from daskgmm.blas import one_blas_thread
from daskgmm.gaussian.covariance.factor_analysis import (
    EPS,
    ROUNDING,
    factor_analysis,
    least_noise,
    principal_components,
)
from daskgmm.gaussian.covariance.low_rank import (
    Axes,
    LowRank,
    LowRankIsotropic,
    joined,
    parts,
    turned,
)
from daskgmm.gaussian.covariance.precision import SingularError
from daskgmm.gaussian.covariance.projections import (
    FactorStatistic,
    is_projected,
    projected_scatter,
)
from daskgmm.gaussian.covariance.scatter import Scatter
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.moments import EMPTY, Moments


class LowRankStructure(Structure, ABC):
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
        self.q, self.name = q, name_of(self.family, q)
        self.statistic = FactorStatistic(q)

    def is_projected(self, d: int) -> bool:
        """Return whether moments of d features are projected, and no matrix (d, d) is made."""
        return is_projected(d, self.q)

    def n_buffer_rows(self, k: int, d: int) -> int:
        # 1, x^2, what is linear, and projections.
        return 1 + d + k + k * self.q if self.is_projected(d) else self.n_statistics(d)

    def step_work(self, d: int) -> int:
        return d * self.q**2 if self.is_projected(d) else d**3

    @one_blas_thread()  # more of them round otherwise
    def maximise(self, scatter: Scatter, last: Array) -> Array:
        if self.is_projected(scatter.n_features):
            return self._step(scatter.covariances, last)
        _, noise = parts(last)
        found = []
        for index, covariance in enumerate(scatter.covariances):
            try:
                found.append(joined(*self._most_likely(covariance, noise[index])))
            except SingularError as error:
                raise SingularError(index) from error
        return np.stack(found)

    @abstractmethod
    def _most_likely(self, covariance: Array, noise: Array) -> tuple[Array, Array]:
        """Return the most likely loadings and noise of a covariance matrix, given the last."""

    def _step(self, scatter: Array, last: Array) -> Array:
        """Return the covariances of an EM step from a projected scatter (k, q + 2, d)."""
        factors = self.precision.factorise(last)
        axes, added = Axes(factors), scatter[:, -1:]
        diagonals = scatter[:, -2] + scatter[:, -1]
        shrinkage = axes.shrinkage[:, :, None]
        # beta S, and the covariance of the factors: beta = s b, as loadings are orthogonal.
        projected = shrinkage * (scatter[:, :-2] + added * axes.projections)
        squares = projected @ (shrinkage * axes.projections).swapaxes(-1, -2)
        squares = (squares + squares.swapaxes(-1, -2)) / 2
        squares += np.eye(self.q) * shrinkage**2
        singular = ~(np.linalg.eigvalsh(squares)[:, 0] > 0)
        if singular.any():  # by rounding: the moments are about a point too far away
            raise SingularError(int(np.argmax(singular)))
        loadings = np.linalg.solve(np.linalg.cholesky(squares), projected)
        left = diagonals - (loadings**2).sum(axis=1)
        precisions = self.precision.precision_diagonals(factors, last.shape[-1])
        least = np.minimum(least_noise(precisions, diagonals), last[:, -1])
        noise = self._noise(left, diagonals, least)
        low = ~(noise > 0).all(axis=1)
        if low.any():
            raise SingularError(int(np.argmax(low)))
        return turned(loadings, noise)

    @abstractmethod
    def _noise(self, left: Array, variances: Array, least: Array) -> Array:
        """Return noise variances (k, d) of what loadings leave of variances; 0 if rounding."""

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


class PrincipalComponents(LowRankStructure):
    """Loadings and one noise variance a component (Tipping & Bishop 1999)."""

    family = "ppca"

    def __init__(self, q: int) -> None:
        super().__init__(q)
        self.precision = LowRankIsotropic(q)

    def _most_likely(self, covariance: Array, noise: Array) -> tuple[Array, Array]:
        return principal_components(covariance, self.q)

    def _noise(self, left: Array, variances: Array, least: Array) -> Array:
        noise = left.mean(axis=1)
        noise[noise <= ROUNDING * EPS * variances.sum(axis=1)] = 0.0
        return np.repeat(noise[:, None], variances.shape[1], axis=1)


class FactorAnalysers(LowRankStructure):
    """Loadings and a noise variance for each feature and component (Ghahramani & Hinton 1996)."""

    family = "factor"

    def __init__(self, q: int) -> None:
        super().__init__(q)
        self.precision = LowRank(q)

    def _most_likely(self, covariance: Array, noise: Array) -> tuple[Array, Array]:
        return factor_analysis(covariance, self.q, noise)

    def _noise(self, left: Array, variances: Array, least: Array) -> Array:
        return np.asarray(np.maximum(left, least), np.float64)


FAMILIES: dict[str, type[LowRankStructure]] = {
    family.family: family for family in (PrincipalComponents, FactorAnalysers)
}
"""Structures with a number of factors, by what users call them."""


def name_of(family: str, q: int) -> str:
    """Return the name of the structure of a family with q factors."""
    return f"{family}-{q}"


def family_of(name: str) -> tuple[str, int] | None:
    """Return the family and the number of factors that a structure's name says; None of others."""
    family, _, digits = name.rpartition("-")
    if family not in FAMILIES or not digits.isdecimal():
        return None
    q = int(digits)
    return (family, q) if q >= 1 and name_of(family, q) == name else None
