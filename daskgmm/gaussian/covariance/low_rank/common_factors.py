r"""Factors, noise and a centre that all components share (Baek, McLachlan & Flack 2010, MCFA).

Rows are :math:`x = \mu_0 + W^T u + e` with :math:`u | k \sim N(\xi_k, \Omega_k)` and
:math:`e \sim N(0, \Psi)`: components are apart and wide in one subspace alone. So

.. math:: \mu_k = \mu_0 + W^T \xi_k, \quad \Sigma_k = W^T \Omega_k W + \Psi

The authors have no :math:`\mu_0`; with it the model does not depend on the origin of the data.
For given W and noise all else has a closed form: :math:`\mu_0` is the mean of all rows.
"""

from __future__ import annotations

import numpy as np

from daskgmm.arrays import Array
from daskgmm.blas import one_blas_thread
from daskgmm.gaussian.covariance.algebra.precision import SingularError
from daskgmm.gaussian.covariance.algebra.scatter import Scatter
from daskgmm.gaussian.covariance.low_rank.common_likelihood import (
    LEAST_NOISE,
    Expected,
    likelier,
    most_likely_within,
)
from daskgmm.gaussian.covariance.low_rank.precision import TINY, LowRank, turned
from daskgmm.gaussian.covariance.low_rank.structure import LowRankStructure
from daskgmm.gaussian.covariance.low_rank.subspace import Subspace


class CommonFactors(LowRankStructure):
    """Loadings and noise variances that all components share, latent means and covariances of each.

    Covariances are kept for each component, (k, q + 1, d), as of other structures of low rank, so
    that kernels need not know what they share.
    """

    family = "mcfa"
    constrains_means = True

    def __init__(self, q: int) -> None:
        super().__init__(q)
        self.precision = LowRank(q)

    def n_covariance_parameters(self, k: int, d: int) -> int:
        # A subspace, the noise, and k matrices in the subspace.
        return self.q * (d - self.q) + d + k * self.q * (self.q + 1) // 2

    def n_mean_parameters(self, k: int, d: int) -> int:
        # Of the centre what is across the subspace.
        return d - self.q + k * self.q

    @one_blas_thread()  # more of them round otherwise
    def placed(self, means: Array, shares: Array, covariances: Array) -> Array:
        return self.subspace(covariances).placed(means, shares)

    @one_blas_thread()  # more of them round otherwise
    def maximise(self, scatter: Scatter, last: Array) -> Array:
        assert scatter.means is not None, "the structure constrains means"
        subspace = self.subspace(last)
        offsets = scatter.means - scatter.shares @ scatter.means
        if self.is_projected(scatter.n_features):
            if not subspace.is_exact:
                return subspace.covariances(subspace.within(last))
            return self._em_step(scatter, offsets, subspace, last)
        return likelier(scatter.shares, offsets, scatter.covariances, subspace)

    def subspace(self, covariances: Array) -> Subspace:
        """Return what components share."""
        return Subspace.of(self.precision.factorise(covariances))

    def _em_step(self, scatter: Scatter, offsets: Array, subspace: Subspace, last: Array) -> Array:
        """Return the covariances of an EM step from a projected scatter (k, q + 2, d)."""
        root, axes, shares = subspace.root, self.precision.axes(last), scatter.shares
        added = scatter.covariances[:, -1:]
        products = scatter.covariances[:, :-2] + added * axes.projections
        lengths = np.sqrt(1.0 - axes.shrinkage**2)[:, :, None]
        own = products * root / np.maximum(lengths, TINY)
        along = (axes.vectors @ subspace.vectors.T).swapaxes(-1, -2) @ own
        within = most_likely_within(along @ subspace.vectors.T)
        expected = Expected.of(shares, offsets * root, along, subspace.vectors, within)
        diagonals = scatter.covariances[:, -2] + scatter.covariances[:, -1]
        variances = shares @ (diagonals + offsets**2)
        try:
            loadings = np.linalg.solve(expected.squares, expected.products)
        except np.linalg.LinAlgError as error:
            raise SingularError(0) from error
        left = variances - (loadings * expected.products).sum(axis=0) / root**2
        noise = np.maximum(left, np.minimum(LEAST_NOISE * variances, subspace.noise))
        if not (noise > 0).all():
            raise SingularError(0)
        roots = np.linalg.cholesky(expected.within).swapaxes(-1, -2)
        return turned(roots @ (loadings / root), np.tile(noise, (len(shares), 1)))
