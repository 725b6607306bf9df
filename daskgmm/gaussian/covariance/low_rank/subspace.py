r"""The subspace of factors that all components share, and what the components are in it.

With noise variances :math:`\Psi` and orthonormal rows V (q, d) a row x has the latent coordinates
:math:`V \Psi^{-1/2} (x - \mu_0)`. Across the subspace all components have the noise alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.low_rank.factor_analysis import signed
from daskgmm.gaussian.covariance.low_rank.precision import Axes, joined, parts

ROUNDING = 1e-7
"""By how much axes of components that share a subspace may miss it, in units of the noise."""


@dataclass(frozen=True, slots=True)
class Subspace:
    r"""Axes and noise that are common to all components.

    Attributes
    ----------
    vectors : ndarray of shape (q, d)
        V, orthonormal: loadings are multiples of :math:`V \Psi^{1/2}`.
    noise : ndarray of shape (d,)
        Noise variances, Psi.
    is_exact : bool
        Whether the covariances that it was found for are in it, but for rounding.
    """

    vectors: Array
    noise: Array
    is_exact: bool = True

    @classmethod
    def of(cls, factors: Array) -> Subspace:
        """Return the one of components (k, q + 1, d), given as `LowRank.factorise` returns them.

        Of components that share none it is the one nearest to all of them.
        """
        axes, q = Axes(factors), factors.shape[1] - 1
        same = (axes.root == axes.root[0]).all()
        noise = axes.root[0] ** -2 if same else (axes.root**-2).mean(axis=0)
        # Rounding turns an axis the more, the less variance there is along it.
        weighed = np.sqrt(1.0 - axes.shrinkage**2)[:, :, None] * axes.vectors
        _, values, vectors = np.linalg.svd(weighed.reshape(-1, weighed.shape[-1]), False)
        rest = float((values[q:] ** 2).sum()) ** 0.5
        return cls(signed(vectors[:q]), noise, bool(same) and rest <= ROUNDING)

    @property
    def root(self) -> Array:
        """Inverse standard deviations of the noise, (d,)."""
        return np.asarray(1.0 / np.sqrt(self.noise))

    def within(self, covariances: Array) -> Array:
        """Return the covariances of latent coordinates without noise, (k, q, q)."""
        loadings, noise = parts(covariances)
        along = loadings * self.root @ self.vectors.T
        found = along.swapaxes(-1, -2) @ along
        if not self.is_exact:
            # What a component has of noise beyond the common one is along all axes.
            more = np.maximum(noise * self.root**2 - 1.0, 0.0)
            found += (self.vectors * more[:, None, :]) @ self.vectors.T
        return np.asarray(found)

    def covariances(self, within: Array) -> Array:
        """Return covariances (k, q + 1, d) of components with these of latent coordinates."""
        values, vectors = np.linalg.eigh(within)
        lengths = np.sqrt(np.maximum(values[:, ::-1], 0.0))[:, :, None]
        rows = signed(vectors.swapaxes(-1, -2)[:, ::-1] @ self.vectors / self.root)
        return joined(lengths * rows, np.tile(self.noise, (len(within), 1)))

    def placed(self, means: Array, shares: Array) -> Array:
        """Return the most likely means (k, d) of those of the rows.

        They are the common mean plus what is in the subspace, orthogonal in units of the noise.
        """
        center = shares @ means
        latent = (means - center) * self.root @ self.vectors.T
        return np.asarray(center + latent @ self.vectors / self.root)
