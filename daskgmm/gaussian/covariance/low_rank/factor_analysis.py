r"""Maximum likelihood of low rank plus noise for a covariance matrix S, (d, d).

Of one noise variance it has a closed form (Tipping & Bishop 1999, section 3.2). Of a noise
variance for each feature the loadings have one for given :math:`\Psi`; what is left,

.. math:: f(\log \Psi) = \sum_i \log \Psi_i + \sum_{m \le q} \log \theta_m + \sum_{m > q} \theta_m

with the eigenvalues :math:`\theta` of :math:`\Psi^{-1/2} S \Psi^{-1/2}` in falling order, is
minimised by Newton's method (Clarke 1970), and never ends above where it begins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.algebra.precision import SingularError

EPS = float(np.finfo(np.float64).eps)

ROUNDING = 16
"""Least eigenvalue of S, in units of d eps times the largest: below, it is rounding."""

LEAST_PART = 1e-6
"""Least noise variance in units of the feature's given all others: the likelihood may have no
maximum with all of them positive (Heywood 1931)."""

STEPS, HALVINGS = 200, 30
"""Most steps of Newton's method, and most halvings of one."""

FLAT = 1e-13
"""Largest entry of a gradient that is rounding."""

LEAST_CURVATURE = 1e-10
"""Least curvature of a step, so that steps along a ridge of the likelihood are finite."""

FLAT_SADDLE = 1e-3
"""Largest negative curvature, in absolute value, that a step makes use of: of a larger one the
positive part of the curvatures leads away, and ends of fits are higher."""

LONGEST = 1.0
"""Largest change of a logarithm of noise in a step where not all curvatures are positive."""


def principal_components(covariance: Array, q: int) -> tuple[Array, Array]:
    """Return the most likely loadings (q, d) and noise variances (d,), which are all equal.

    Raises
    ------
    SingularError
        If no noise is left beside q axes; its index is 0.
    """
    d = len(covariance)
    _check_finite(covariance)
    values, vectors = eigh(covariance)
    noise = values[: d - q].mean()  # of little noise the trace less the others has few digits
    if not noise > ROUNDING * d * EPS * values[-1]:
        raise SingularError(0)
    lengths = np.sqrt(np.maximum(values[: d - q - 1 : -1] - noise, 0.0))
    return lengths[:, None] * signed(vectors.T[: d - q - 1 : -1]), np.full(d, noise)


def factor_analysis(covariance: Array, q: int, noise: Array) -> tuple[Array, Array]:
    """Return the most likely loadings (q, d) and noise variances (d,), beginning at `noise`.

    Raises
    ------
    SingularError
        If the covariance is singular to rounding; its index is 0.
    """
    d = len(covariance)
    _check_finite(covariance)
    scales = np.sqrt(np.diagonal(covariance))
    if not (scales > 0).all():
        raise SingularError(0)
    correlation = covariance / np.outer(scales, scales)
    values, vectors = eigh(correlation)
    if not values[0] > ROUNDING * d * EPS * values[-1]:
        raise SingularError(0)
    precisions = vectors**2 @ (1.0 / values)
    root = np.linalg.cholesky(correlation).T
    at = _Profile.at(np.log(noise) - 2 * np.log(scales), root, q)
    low = np.minimum(np.log(least_noise(precisions, np.ones(d))), at.x)
    high = np.maximum(0.0, at.x)
    for _ in range(STEPS):
        best = _improved(at, root, low, high)
        if best is None:
            break
        at = best
    return at.loadings * scales, np.exp(at.x) * scales**2


def least_noise(precisions: Array, variances: Array) -> Array:
    """Return noise variances below which a feature's is not estimated, shape (..., d).

    Parameters
    ----------
    precisions, variances : ndarray of shape (..., d)
        Diagonals of precisions, 1 over the variance of a feature given all others, and of
        covariances.
    """
    alone = variances / np.maximum(variances * precisions, 1.0)
    return np.asarray(np.maximum(LEAST_PART * alone, ROUNDING * EPS * variances))


def principal_factors(covariance: Array, q: int) -> tuple[Array, Array]:
    """Return loadings (q, d) and noise variances (d,) without iteration: axes of correlations."""
    diagonal = np.diagonal(covariance)
    if not (diagonal > 0).all():
        raise SingularError(0)
    scales = np.sqrt(diagonal)
    loadings, _ = principal_components(covariance / np.outer(scales, scales), q)
    loadings *= scales
    noise = np.maximum(diagonal - (loadings**2).sum(axis=0), LEAST_PART * diagonal)
    return loadings, noise


def first_noise(covariance: Array, q: int) -> Array:
    """Return noise variances (d,) to begin with: Joereskog's (1967)."""
    d = len(covariance)
    diagonal = np.diagonal(covariance)
    if not (diagonal > 0).all():
        raise SingularError(0)
    scales = np.sqrt(diagonal)
    correlation = covariance / np.outer(scales, scales)
    try:
        precisions = np.diagonal(np.linalg.inv(correlation))
    except np.linalg.LinAlgError:
        precisions = np.ones(d)
    # Of a matrix that is singular up to rounding they may be anything, 0 among it.
    known = (precisions >= 1) & np.isfinite(precisions)
    alone = 1.0 / np.where(known, precisions, 1.0)
    return np.asarray(alone * (1 - q / (2 * d)) * diagonal)


def signed(rows: Array) -> Array:
    """Return rows (..., d) with the signs that make their largest entries positive."""
    largest = np.argmax(np.abs(rows), axis=-1)[..., None]
    signs = np.where(np.take_along_axis(rows, largest, axis=-1) < 0, -1.0, 1.0)
    return np.asarray(signs * rows)


@dataclass(frozen=True, slots=True)
class _Profile:
    """f at logarithms of noise variances x, with eigenvalues (d,) in falling order and vectors.

    `kept` is the number of axes, q at most, along which there is more variance than the noise.
    """

    x: Array
    q: int
    value: float
    values: Array
    vectors: Array
    kept: int

    @classmethod
    def at(cls, x: Array, root: Array, q: int) -> _Profile:
        """Return f for a correlation matrix root^T root.

        Singular values of the root have twice the digits of eigenvalues where noise is little.
        """
        _, lengths, vectors = np.linalg.svd(root * np.exp(-0.5 * x))
        values, vectors = lengths**2, vectors.T
        kept = int((values[:q] > 1.0).sum())
        value = float(x.sum() + np.log(values[:kept]).sum() + values[kept:].sum())
        return cls(x, q, value, values, vectors, kept)

    @property
    def loadings(self) -> Array:
        """The most likely loadings for this noise, (q, d)."""
        lengths = np.sqrt(np.maximum(self.values[: self.q] - 1.0, 0.0))
        loadings: Array = lengths[:, None] * signed(self.vectors.T[: self.q]) * np.exp(0.5 * self.x)
        return loadings

    @property
    def gradient(self) -> Array:
        """Gradient of f, (d,)."""
        rest = self.vectors[:, self.kept :]
        return np.asarray(rest**2 @ (1.0 - self.values[self.kept :]))

    def hessian(self, exact: bool) -> Array:
        """Return the second derivatives (d, d); the part that is never negative if not exact.

        f has none where an axis that is kept has as much variance as one that is not: they are not
        finite then.
        """
        rest, values = self.vectors[:, self.kept :], self.values[self.kept :]
        found: Array = ((rest * values) @ rest.T) * (rest @ rest.T)
        if exact:
            kept, axes = self.values[: self.kept, None], self.vectors.T[: self.kept]
            with np.errstate(divide="ignore", invalid="ignore"):
                turned = (1.0 - values) * (kept + values) / (kept - values)
                both = (rest * turned[:, None, :]) @ rest.T
                found += (both * axes[:, :, None] * axes[:, None, :]).sum(axis=0)
        return found


def _improved(at: _Profile, root: Array, low: Array, high: Array) -> _Profile | None:
    """Return f after a step of Newton's method within bounds; None if none goes down."""
    gradient = at.gradient
    bound = ((at.x <= low) & (gradient > 0)) | ((at.x >= high) & (gradient < 0))
    free = np.flatnonzero(~bound)
    if not free.size or np.abs(gradient[free]).max() <= FLAT:
        return None
    step = np.zeros(len(at.x))
    step[free] = _descent(at, gradient, free)
    rounding = FLAT * max(1.0, abs(at.value))
    for halving in range(HALVINGS if -gradient @ step > rounding else 1):
        x = np.clip(at.x + step * 0.5**halving, low, high)
        found = _Profile.at(x, root, at.q)
        if found.value < at.value - rounding:
            return found
        if found.value <= at.value + rounding:
            # Where values differ by rounding the gradient tells.
            flatter = np.abs(found.gradient[free]).max() < 0.5 * np.abs(gradient[free]).max()
            return found if flatter else None
    return None


def _descent(at: _Profile, gradient: Array, free: NDArray[np.intp]) -> Array:
    """Return the step of Newton's method in free entries, or of its positive part.

    At a flat saddle point it goes down along axes of negative curvature too, by as much as of a
    positive one, and so leaves it in few steps (Dauphin et al. 2014).
    """
    for exact in (True, False):
        hessian = at.hessian(exact)[np.ix_(free, free)]
        if exact and not np.isfinite(hessian).all():
            continue
        values, vectors = np.linalg.eigh(hessian)
        if values[0] > -FLAT_SADDLE:
            break
    curvatures = np.maximum(np.abs(values), LEAST_CURVATURE)
    step = -vectors @ ((vectors.T @ gradient[free]) / curvatures)
    return np.asarray(step if values[0] > 0 else step * min(1.0, LONGEST / np.abs(step).max()))


def _check_finite(covariance: Array) -> None:
    if not np.isfinite(covariance).all():
        raise SingularError(0)
