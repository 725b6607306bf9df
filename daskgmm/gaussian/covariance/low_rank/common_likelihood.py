r"""Maximum likelihood of factors that components share, for their means and covariances S_k.

For given noise and axes V (q, d) the most likely latent covariances are those of the rows less the
noise, :math:`\Omega_k = (V S_k V^T - I)_+` in units of the noise. What is left, in nats per row
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
from scipy.optimize import OptimizeResult, minimize

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.algebra.precision import SingularError
from daskgmm.gaussian.covariance.low_rank.subspace import Subspace

LEAST_NOISE = 1e-6
"""Least noise variance in units of the feature's over all rows: below, f loses the more digits, and
the likelihood may have no maximum with all of them positive (Heywood 1931)."""

LEAST_WITHIN = 1e-6
"""Least latent variance of a component in units of the noise: each has all axes, so that the next
step finds them. A component without variance along one loses at most half as many nats per row."""

SMALL_GAIN = 1e-2
"""Last gain of an M-step, in units of all its gains, at which it ends: the next pass moves the
maximum by more than what is left, and near the end of a fit all gains are small."""

LEAST_ACROSS = 0.1
"""Least part of a feature's noise across the axes, where curvatures are estimated."""

LIMITS = {"maxiter": 100, "maxcor": 20, "ftol": 1e-14}
"""Where the iteration ends at the latest; ftol is about the rounding of f."""

FLAT = 1e-7
"""Largest entry of a gradient, of curvatures about 1, that gains no more than the rounding of f."""


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
        seen = _symmetric(gain @ _symmetric(along @ axes.T) @ gain + gain)
        return cls(*_over_all(shares, offsets, offsets @ axes.T, along, gain, seen), seen)


def _over_all(
    shares: Array, offsets: Array, latent: Array, along: Array, gain: Array, seen: Array
) -> tuple[Array, Array]:
    """Return E(u y^T) (q, d) and E(u u^T) (q, q) over all components.

    Parameters
    ----------
    shares : ndarray of shape (k,)
    offsets : ndarray of shape (k, d)
    latent : ndarray of shape (k, q)
        Means of u.
    along : ndarray of shape (k, q, d)
    gain : ndarray of shape (k, q, q)
        What u has on average of a deviation along the axes.
    seen : ndarray of shape (k, q, q)
        Covariances of u.
    """
    k, q, d = along.shape
    weighed = (shares[:, None] * latent).T
    gains = (shares[:, None, None] * gain).swapaxes(0, 1).reshape(q, k * q)
    products = weighed @ offsets + gains @ along.reshape(k * q, d)
    squares = weighed @ latent + (shares @ seen.reshape(k, q * q)).reshape(q, q)
    return products, squares


def likelier(shares: Array, offsets: Array, covariances: Array, start: Subspace) -> Array:
    """Return covariances (k, q + 1, d) of the structure, likelier than all of a subspace.

    Parameters
    ----------
    shares : ndarray of shape (k,)
        Parts of the rows that the components have.
    offsets : ndarray of shape (k, d)
        Means of the components about that of all rows.
    covariances : ndarray of shape (k, d, d)
    start : Subspace
        If no other is likelier, its most likely covariances are returned.

    Raises
    ------
    SingularError
        If a feature has no variance; its index is 0.
    """
    diagonals = np.diagonal(covariances, axis1=-2, axis2=-1)
    variances = shares @ (diagonals + offsets**2)
    if not ((variances > 0) & np.isfinite(variances)).all():
        raise SingularError(0)
    root = start.root
    scaled = variances * root**2
    profile = Profile(shares, offsets * root, covariances * root[:, None] * root, scaled)
    largest = np.log(scaled)
    low, high = np.minimum(largest + np.log(LEAST_NOISE), 0.0), np.maximum(largest, 0.0)
    at = profile.at(*_descended(profile, start.vectors, low, high))
    subspace = Subspace(at.vectors, at.noise * start.noise)
    return subspace.covariances(at.within)


def _descended(profile: Profile, vectors: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """Return loadings and log noise within bounds, with f not above that of axes V (q, d)."""
    chart = _Chart.about(profile, vectors)
    if not np.abs(chart.gradient).max() > FLAT:
        return chart.parts(np.zeros(len(chart.units)))
    values = [chart.value]

    def end_if_small(intermediate_result: OptimizeResult) -> None:
        values.append(float(intermediate_result.fun))
        if values[-2] - values[-1] <= SMALL_GAIN * (values[0] - values[-1]):
            raise StopIteration

    units = chart.units[-len(low) :]
    found = minimize(
        chart,
        np.zeros(len(chart.units)),
        jac=True,
        method="L-BFGS-B",
        bounds=[*[(None, None)] * vectors.size, *zip(low / units, high / units, strict=True)],
        callback=end_if_small,
        options={**LIMITS, "gtol": FLAT * chart.length},
    )
    return chart.parts(found.x if found.fun <= chart.value else np.zeros(len(chart.units)))


@dataclass(frozen=True, slots=True)
class _Chart:
    """f about a start: a step of length 1 against the gradient is about the right one.

    L-BFGS-B begins with such a step. Were all curvatures 1, it would be the gradient.

    Attributes
    ----------
    profile : Profile
    begin : ndarray of shape (q, d)
        Loadings of the start, whose log noise is 0.
    value : float
        f at the start.
    gradient : ndarray of shape (q d + d,)
        Its gradient there, in units that make curvatures about 1.
    units : ndarray of shape (q d + d,)
        What a coordinate of 1 moves loadings and log noise by.
    """

    profile: Profile
    begin: Array
    value: float
    gradient: Array
    units: Array

    @classmethod
    def about(cls, profile: Profile, vectors: Array) -> _Chart:
        """Return the chart about axes V (q, d) and the noise that is the unit."""
        begin = profile.loadings(vectors)
        value, *gradients = profile(begin, np.zeros(vectors.shape[1]))
        # Curvatures of loadings are about 2, those of log noise about what is across the axes.
        across = np.maximum(1.0 - (vectors**2).sum(axis=0), LEAST_ACROSS)
        units = 1.0 / np.sqrt(np.concatenate([np.full(vectors.size, 2.0), across]))
        gradient = units * np.concatenate(gradients, axis=None)
        return cls(profile, begin, value, gradient, units * float(np.linalg.norm(gradient)))

    @property
    def length(self) -> float:
        """Length of the gradient."""
        return float(np.linalg.norm(self.gradient))

    def parts(self, point: Array) -> tuple[Array, Array]:
        """Return the loadings (q, d) and the log noise (d,) of a point."""
        moves, n = point * self.units, self.begin.size
        return self.begin + moves[:n].reshape(self.begin.shape), moves[n:]

    def __call__(self, point: Array) -> tuple[float, Array]:
        """Return f and its gradient at a point."""
        if not point.any():
            return self.value, self.gradient * self.length
        value, *gradients = self.profile(*self.parts(point))
        return value, self.units * np.concatenate(gradients, axis=None)


@dataclass(frozen=True, slots=True)
class At:
    """f and what it is made of.

    Attributes
    ----------
    value : float
    vectors : ndarray of shape (q, d)
        V, the axes of loadings.
    noise : ndarray of shape (d,)
    left : ndarray of shape (q, q)
        What makes gradients along V those of loadings.
    along : ndarray of shape (k, q, d)
        V S_k in units of the noise.
    turn : ndarray of shape (k, q, q)
        Eigenvectors of V S_k V^T, in columns.
    variances, kept : ndarray of shape (k, q)
        Eigenvalues, and those of I + Omega_k.
    """

    value: float
    vectors: Array
    noise: Array
    left: Array
    along: Array
    turn: Array
    variances: Array
    kept: Array

    @property
    def within(self) -> Array:
        """The most likely latent covariances, (k, q, q)."""
        return self.turned(self.kept - 1.0)

    def turned(self, values: Array) -> Array:
        """Return matrices (k, q, q) with these eigenvalues (k, q)."""
        return np.asarray((self.turn * values[:, None, :]) @ self.turn.swapaxes(-1, -2))


@dataclass(frozen=True, slots=True)
class Profile:
    """f at loadings (q, d), of which the row space alone counts, and log noise (d,).

    Attributes
    ----------
    shares : ndarray of shape (k,)
    offsets : ndarray of shape (k, d)
    covariances : ndarray of shape (k, d, d)
    variances : ndarray of shape (d,)
        Of all rows.
    """

    shares: Array
    offsets: Array
    covariances: Array
    variances: Array

    def loadings(self, vectors: Array) -> Array:
        """Return axes V for noise of 1, times the deviations along them: curvatures are alike."""
        latent = self.offsets @ vectors.T
        total = np.tensordot(self.shares, vectors @ self.covariances @ vectors.T, 1)
        total += (self.shares * latent.T) @ latent
        values, turn = np.linalg.eigh(total)
        return np.asarray(np.sqrt(np.maximum(values, 1.0))[:, None] * (turn.T @ vectors))

    def at(self, loadings: Array, logs: Array) -> At:
        """Return f and its parts."""
        root = np.exp(-0.5 * logs)
        left, values, vectors = np.linalg.svd(loadings * root, full_matrices=False)
        along = (vectors * root) @ self.covariances * root
        variances, turn = np.linalg.eigh(_symmetric(along @ vectors.T))
        kept = np.maximum(variances, 1.0 + LEAST_WITHIN)
        latent = self.offsets * root @ vectors.T
        own = (np.log(kept) + variances / kept - variances).sum(axis=1) - (latent**2).sum(axis=1)
        value = float(logs.sum() + self.variances @ root**2 + self.shares @ own)
        turned = left / np.maximum(values, np.finfo(np.float64).tiny)
        return At(value, vectors, root**-2, turned, along, turn, variances, kept)

    def __call__(self, loadings: Array, logs: Array) -> tuple[float, Array, Array]:
        """Return f and its gradients."""
        at = self.at(loadings, logs)
        root = np.exp(-0.5 * logs)
        offsets, gain = self.offsets * root, 1.0 - 1.0 / at.kept
        seen = at.turned(gain**2 * at.variances + gain)
        products, squares = _over_all(
            self.shares, offsets, offsets @ at.vectors.T, at.along, at.turned(gain), seen
        )
        fitted = squares @ at.vectors
        of_loadings = at.left @ (2.0 * (fitted - products)) * root
        left = self.variances * root**2 + (at.vectors * (fitted - 2.0 * products)).sum(axis=0)
        return at.value, of_loadings, 1.0 - left


def most_likely_within(variances: Array) -> Array:
    """Return the most likely latent covariances for those of rows along the axes, (k, q, q)."""
    values, turn = np.linalg.eigh(_symmetric(variances))
    kept = np.maximum(values - 1.0, LEAST_WITHIN)
    return np.asarray((turn * kept[:, None, :]) @ turn.swapaxes(-1, -2))


def _symmetric(matrices: Array) -> Array:
    return np.asarray((matrices + matrices.swapaxes(-1, -2)) / 2)
