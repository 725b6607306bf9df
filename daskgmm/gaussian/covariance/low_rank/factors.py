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
from daskgmm.gaussian.covariance.algebra.precision import SingularError
from daskgmm.gaussian.covariance.algebra.scatter import Scatter
from daskgmm.gaussian.covariance.low_rank.factor_analysis import (
    EPS,
    ROUNDING,
    factor_analysis,
    least_noise,
    principal_components,
)
from daskgmm.gaussian.covariance.low_rank.precision import (
    Axes,
    LowRank,
    LowRankIsotropic,
    joined,
    parts,
    turned,
)
from daskgmm.gaussian.covariance.low_rank.structure import LowRankStructure


class OwnFactors(LowRankStructure, ABC):
    """Base of structures whose components have loadings and noise of their own."""

    separate = True

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
        noise = self.noise_of(left, diagonals, least)
        low = ~(noise > 0).all(axis=1)
        if low.any():
            raise SingularError(int(np.argmax(low)))
        return turned(loadings, noise)

    @abstractmethod
    def noise_of(self, left: Array, variances: Array, least: Array) -> Array:
        """Return noise variances (k, d) of what loadings leave of variances; 0 if rounding.

        Those of each feature are no less than `least`, where the structure has such.
        """


class PrincipalComponents(OwnFactors):
    """Loadings and one noise variance a component (Tipping & Bishop 1999)."""

    family = "ppca"

    def __init__(self, q: int) -> None:
        super().__init__(q)
        self.precision = LowRankIsotropic(q)

    def _most_likely(self, covariance: Array, noise: Array) -> tuple[Array, Array]:
        return principal_components(covariance, self.q)

    def noise_of(self, left: Array, variances: Array, least: Array) -> Array:
        noise = left.mean(axis=1)
        noise[noise <= ROUNDING * EPS * variances.sum(axis=1)] = 0.0
        return np.repeat(noise[:, None], variances.shape[1], axis=1)


class FactorAnalysers(OwnFactors):
    """Loadings and a noise variance for each feature and component (Ghahramani & Hinton 1996)."""

    family = "factor"

    def __init__(self, q: int) -> None:
        super().__init__(q)
        self.precision = LowRank(q)

    def _most_likely(self, covariance: Array, noise: Array) -> tuple[Array, Array]:
        return factor_analysis(covariance, self.q, noise)

    def noise_of(self, left: Array, variances: Array, least: Array) -> Array:
        return np.asarray(np.maximum(left, least), np.float64)
