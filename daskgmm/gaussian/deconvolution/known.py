"""The noise of rows as a survey tells it: its mean, and whether all rows have the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array


def is_diagonal(width: int, d: int) -> bool:
    """Return whether `width` numbers a row are variances of d features, and not a matrix."""
    return width == d


@dataclass(frozen=True, slots=True)
class KnownNoise:
    """What a survey tells of the noise of rows, those of weight 0 left out.

    A row has e numbers: variances (e = d), or a covariance matrix, row by row (e = d^2).

    Attributes
    ----------
    weight : float
        Sum of the weights.
    mean, minimum, maximum : ndarray of shape (e,)
    """

    weight: float
    mean: Array
    minimum: Array
    maximum: Array

    @classmethod
    def of_tile(cls, noise: Array, weights: Array | None) -> KnownNoise:
        """Return that of a tile (e, b); infinite bounds and a mean of 0 without rows."""
        if weights is not None:
            chosen = weights > 0
            noise, weights = noise[:, chosen], weights[chosen]
        b = noise.shape[1]
        weight = float(b) if weights is None else float(weights.sum())
        if not b:
            nothing = np.zeros(len(noise))
            return cls(0.0, nothing, nothing + np.inf, nothing - np.inf)
        shares = np.full(b, 1 / b) if weights is None else weights / weight
        return cls(weight, noise @ shares, noise.min(axis=1), noise.max(axis=1))

    def __add__(self, other: KnownNoise) -> KnownNoise:
        """Return that of both sets of rows."""
        weight = self.weight + other.weight
        share = other.weight / weight if weight else 0.0
        return KnownNoise(
            weight,
            self.mean + share * (other.mean - self.mean),
            np.minimum(self.minimum, other.minimum),
            np.maximum(self.maximum, other.maximum),
        )

    @property
    def constant(self) -> Array | None:
        """The noise that all rows have, (e,); None if it differs."""
        return self.minimum if (self.minimum == self.maximum).all() else None

    @property
    def is_zero(self) -> bool:
        """Whether no row has any noise."""
        return not (self.minimum.any() or self.maximum.any())

    def is_everywhere(self, d: int) -> bool:
        """Return whether every row has noise in every direction, as far as variances tell."""
        return is_diagonal(len(self.minimum), d) and bool(self.minimum.min() > 0)

    def matrix(self, d: int) -> Array:
        """Return the mean covariance of the noise, (d, d)."""
        return as_matrix(self.mean, d)


def as_matrix(noise: NDArray[np.float64], d: int) -> Array:
    """Return the covariance (d, d) of noise given as variances (d,) or as a matrix (d * d,)."""
    return np.diag(noise) if is_diagonal(len(noise), d) else noise.reshape(d, d)


def shrunk(covariances: Array, noise: Array) -> Array:
    r"""Return first covariances without noise (d, d), of those M of noisy rows, (m, d, d).

    :math:`M (M + C)^{-1} M` is positive, M - C to first order in C, and at least that: a component
    whose rows spread less than the noise keeps a spread, from which EM can go on.
    """
    whole = covariances + noise
    # In units of each column: what is negligible beside another column has a variance all the same.
    scales = np.sqrt(np.diagonal(whole, axis1=1, axis2=2))
    scales = np.where(scales > 0, scales, 1.0)
    across, down = scales[:, None, :], scales[:, :, None]
    inverse = np.linalg.pinv(whole / across / down, hermitian=True)
    scaled = covariances / across / down
    half = scaled @ inverse @ scaled / 2
    found: Array = (half + np.swapaxes(half, 1, 2)) * across * down
    return found
