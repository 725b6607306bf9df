r"""Maximum likelihood of factors that components share, for their means and covariances S_k.

For given noise and axes V (q, d) the most likely latent covariances are those of the rows less the
noise, :math:`\Omega_k = (V S_k V^T - I)_+` in units of the noise. What is left, in nats a row
times -2 and without constants,

.. math::
    f = \log|\Psi| + \mathrm{tr}\, T + \sum_k p_k (\log|I + \Omega_k| + \mathrm{tr}
    ((I + \Omega_k)^{-1} - I) V S_k V^T) - \mathrm{tr}\, V B V^T,

with T the covariance of all rows and B that of the means, is minimised in loadings and the
logarithms of the noise by L-BFGS-B (Zhu, Byrd, Lu & Nocedal 1997). Its gradient is that of the
expected likelihood of rows whose factors are known (Fisher's identity).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.precision import SingularError
from daskgmm.gaussian.covariance.subspace import Subspace

LEAST_NOISE = 1e-6
"""Least noise variance in units of the feature's over all rows: below, f loses the more digits, and
the likelihood may have no maximum with all of them positive (Heywood 1931)."""

LEAST_WITHIN = 1e-6
"""Least latent variance of a component in units of the noise: each has all axes, so that the next
step finds them. A component without variance along one loses at most half as many nats a row."""

LIMITS = {"maxiter": 200, "maxcor": 20, "ftol": 1e-14, "gtol": 1e-9}
"""Where the iteration ends; ftol is about the rounding of f."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Moments of rows and of their factors u, as far as the pass and the last axes tell them.

    Attributes
    ----------
    products : ndarray of shape (q, d)
        E(u y^T), of rows y in units of the noise about their mean.
    squares : ndarray of shape (q, q)
        E(u u^T).
    within : ndarray of shape (k, q, q)
        Covariances of u in the components.
    """

    products: Array
    squares: Array
    within: Array

    @classmethod
    def of(
        cls, shares: Array, offsets: Array, along: Array, axes: Array, within: Array
    ) -> Expected:
        """Return the moments under axes V (q, d) and latent covariances (k, q, q).

        Parameters
        ----------
        shares : ndarray of shape (k,)
        offsets : ndarray of shape (k, d)
            Means of the components about that of all rows, in units of the noise.
        along : ndarray of shape (k, q, d)
            V S_k, in units of the noise.
        """
        gain = _symmetric(np.asarray(np.linalg.solve(within + np.eye(len(axes)), within)))
        latent = offsets @ axes.T
        seen = gain @ _symmetric(along @ axes.T) @ gain + gain
        products = np.einsum("k,kq,kd->qd", shares, latent, offsets)
        products += np.tensordot(shares, gain @ along, 1)
        squares = np.einsum("k,kq,kr->qr", shares, latent, latent) + np.tensordot(shares, seen, 1)
        return cls(products, squares, _symmetric(seen))


def most_likely(shares: Array, offsets: Array, covariances: Array, start: Subspace) -> Array:
    """Return the most likely covariances (k, q + 1, d) of the structure, beginning at a subspace.

    Parameters
    ----------
    shares : ndarray of shape (k,)
        Parts of the rows that the components have.
    offsets : ndarray of shape (k, d)
        Means of the components about that of all rows.
    covariances : ndarray of shape (k, d, d)
    start : Subspace

    Raises
    ------
    SingularError
        If a feature has no variance; its index is 0.
    """
    diagonals = np.diagonal(covariances, axis1=-2, axis2=-1)
    variances = shares @ (diagonals + offsets**2)
    if not ((variances > 0) & np.isfinite(variances)).all():
        raise SingularError(0)
    scales = np.sqrt(variances)
    scaled = _Scaled(
        shares, offsets / scales, covariances / np.outer(scales, scales), len(start.vectors)
    )
    first = np.log(start.noise / variances)
    begin = scaled.point(start.vectors, first)
    low, high = np.minimum(np.log(LEAST_NOISE), first), np.maximum(0.0, first)
    unbounded = [(None, None)] * start.vectors.size
    bounds = [*unbounded, *zip(low, high, strict=True)]
    found = minimize(scaled, begin, jac=True, method="L-BFGS-B", bounds=bounds, options=LIMITS)
    better = found.x if found.fun <= scaled(begin)[0] else begin
    at = scaled.at(better)
    subspace = Subspace(at.vectors, at.noise * variances)
    return subspace.covariances(at.within)


@dataclass(frozen=True, slots=True)
class _At:
    """f and its parts for loadings whose axes have the singular values and left vectors given."""

    value: float
    vectors: Array
    noise: Array
    left: Array
    along: Array
    within: Array


@dataclass(frozen=True, slots=True)
class _Scaled:
    """f of features with the variance 1, at loadings (q, d) and log noise in one vector."""

    shares: Array
    offsets: Array
    covariances: Array
    q: int

    def point(self, vectors: Array, logs: Array) -> Array:
        """Return the point of axes V, times the deviations along them for like curvatures."""
        root = np.exp(-0.5 * logs)
        along = vectors * root
        latent = self.offsets @ along.T
        total = np.tensordot(self.shares, along @ self.covariances @ along.T, 1)
        total += (self.shares * latent.T) @ latent
        values, turn = np.linalg.eigh(total)
        lengths = np.sqrt(np.maximum(values, 1.0))[:, None]
        return np.concatenate([(lengths * (turn.T @ vectors) / root).ravel(), logs])

    def at(self, point: Array) -> _At:
        """Return f at a point."""
        d = self.offsets.shape[1]
        loadings, logs = point[:-d].reshape(self.q, d), point[-d:]
        root = np.exp(-0.5 * logs)
        left, values, vectors = np.linalg.svd(loadings * root, full_matrices=False)
        along = (vectors * root) @ self.covariances * root
        squares = _symmetric(along @ vectors.T)
        variances, turn = np.linalg.eigh(squares)
        kept = np.maximum(variances, 1.0 + LEAST_WITHIN)
        within = (turn * (kept - 1.0)[:, None, :]) @ turn.swapaxes(-1, -2)
        latent = self.offsets * root @ vectors.T
        own = (np.log(kept) + variances / kept - variances).sum(axis=1) - (latent**2).sum(axis=1)
        value = float(logs.sum() + (root**2).sum() + self.shares @ own)
        turned = left / np.maximum(values, np.finfo(np.float64).tiny)
        return _At(value, vectors, root**-2, turned, along, within)

    def __call__(self, point: Array) -> tuple[float, Array]:
        """Return f and its gradient at a point."""
        at = self.at(point)
        root = 1.0 / np.sqrt(at.noise)
        expected = Expected.of(self.shares, self.offsets * root, at.along, at.vectors, at.within)
        fitted = expected.squares @ at.vectors
        of_axes = 2.0 * (fitted - expected.products)
        left = root**2 + (at.vectors * (fitted - 2.0 * expected.products)).sum(axis=0)
        return at.value, np.concatenate([(at.left @ of_axes * root).ravel(), 1.0 - left])


def _symmetric(matrices: Array) -> Array:
    return np.asarray((matrices + matrices.swapaxes(-1, -2)) / 2)
