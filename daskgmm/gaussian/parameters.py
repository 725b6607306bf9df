"""Parameters of a mixture: weights, means, covariances, and factors of the precisions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from daskgmm.arrays import Array


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of a Gaussian mixture of k components in d dimensions.

    Attributes
    ----------
    structure : str
        Name of the covariance structure, a key of `STRUCTURES`.
    weights : ndarray of shape (k,)
        Mixing proportions; they sum to 1.
    means : ndarray of shape (k, d)
    covariances : ndarray of shape (m, ...)
        In the form of `Precision`; m is k, or 1 if all components share one.
    precisions_cholesky : ndarray, shaped as `covariances`
        Upper triangular U with Sigma^-1 = U U^T, as in scikit-learn; for variances along the axes
        the inverse standard deviations.
    log_weights : ndarray of shape (k,), or None
        Logarithms of the weights in densities, which then need not sum to 1; None for those of
        `weights`.
    noise_weight : float, or None
        Proportion of a uniform component, which with `weights` sums to 1; None without one.
    log_volume : float, or None
        Logarithm of the volume that it is uniform over.
    clean, inflation : ndarray of shape (k,), or None
        Of contaminated components: the proportion of each that has its covariance, and what the
        covariance of the others is multiplied by.
    degrees : ndarray of shape (k,), or None
        Degrees of freedom of Student-t components, whose scatter matrices `covariances` are.
    """

    structure: str
    weights: Array
    means: Array
    covariances: Array
    precisions_cholesky: Array
    log_weights: Array | None = None
    noise_weight: float | None = None
    log_volume: float | None = None
    clean: Array | None = None
    inflation: Array | None = None
    degrees: Array | None = None

    @property
    def n_components(self) -> int:
        """Number of components, k."""
        return int(self.means.shape[0])

    def with_equal_weights(self) -> Parameters:
        """Return the parameters with the same weight for each component."""
        k, rest = self.n_components, 1.0 - (self.noise_weight or 0.0)
        return replace(self, weights=np.full(k, rest / k))

    @property
    def has_noise(self) -> bool:
        """Whether there is a uniform component."""
        return self.noise_weight is not None

    @property
    def is_contaminated(self) -> bool:
        """Whether a part of each component has a larger covariance."""
        return self.inflation is not None

    @property
    def makes_room(self) -> bool:
        """Whether there is more than Gaussian components, for outliers."""
        return self.has_noise or self.is_contaminated or self.degrees is not None

    def without_noise(self) -> Parameters:
        """Return the components without the uniform one, their weights as they are."""
        return replace(self, noise_weight=None, log_volume=None)

    def without_outliers(self) -> Parameters:
        """Return the components as Gaussians, without room for outliers."""
        if not self.makes_room:
            return self
        bare = replace(self, noise_weight=None, log_volume=None)
        bare = replace(bare, clean=None, inflation=None, degrees=None)
        return replace(bare, weights=self.weights / self.weights.sum())

    def with_tails_of(self, other: Parameters) -> Parameters:
        """Return these parameters with the tails of others."""
        return replace(self, clean=other.clean, inflation=other.inflation, degrees=other.degrees)

    @property
    def n_features(self) -> int:
        """Number of features, d."""
        return int(self.means.shape[1])
