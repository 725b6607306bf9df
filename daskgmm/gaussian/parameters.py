"""What a mixture is: weights, means, covariances, and the factors of the precisions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of a Gaussian mixture of k components in d dimensions.

    Attributes
    ----------
    structure : str
        Which covariances are allowed; the key of `STRUCTURES`.
    weights : ndarray of shape (k,)
        Mixing proportions; they sum to 1.
    means : ndarray of shape (k, d)
    covariances : ndarray of shape (m, ...)
        As `Precision` holds them; m is k, or 1 where all components share one.
    precisions_cholesky : ndarray, shaped as `covariances`
        Upper triangular U with Sigma^-1 = U U^T, which is scikit-learn's convention; inverse
        standard deviations along axes.
    """

    structure: str
    weights: Array
    means: Array
    covariances: Array
    precisions_cholesky: Array

    @property
    def n_components(self) -> int:
        """The number of components, k."""
        return int(self.means.shape[0])

    @property
    def n_features(self) -> int:
        """The number of features, d."""
        return int(self.means.shape[1])
