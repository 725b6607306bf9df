"""Covariances within components, of which structures make theirs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from daskgmm.arrays import Array


@dataclass(frozen=True, slots=True)
class Scatter:
    """Covariances of the rows of each component about its new mean, S, and their weights, s.

    `reg_covar` and ridges are on the diagonals: the covariances of a structure that maximise the
    likelihood of this scatter maximise that of rows with noise of this variance, and are in the
    structure.

    Attributes
    ----------
    counts : ndarray of shape (m,)
        s, positive. A component without rows counts next to nothing, with its last covariance as S.
    covariances : ndarray of shape (m, d, d), (m, d) or (m, 1)
        S, in the form of the statistic; m is 1 if it pools.
    n_features : int
        d.
    means : ndarray of shape (k, d), or None
        Means of the rows of each component, for structures that constrain means.
    """

    counts: Array
    covariances: Array
    n_features: int
    means: Array | None = None

    @property
    def shares(self) -> Array:
        """Counts as parts of their sum, (m,); equal ones where a uniform component has all rows."""
        counts = self.counts if self.counts.any() else np.ones_like(self.counts)
        shares: Array = counts / counts.sum()
        return shares
