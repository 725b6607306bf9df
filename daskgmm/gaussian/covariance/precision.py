r"""How covariances are held: as matrices, as variances along the axes, or as one variance.

All arrays have a leading axis m: k, or 1 where components share one covariance; then all
arithmetic is broadcasting. Covariances stand beside factors U of their inverses,
:math:`\Sigma^{-1} = U U^T`, U upper triangular: scikit-learn's convention.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class SingularError(Exception):
    """A covariance is not positive definite.

    Attributes
    ----------
    index : int
        Its place on the leading axis.
    """

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.index = index


def squared_norms(columns: Array) -> Array:
    """Return the squared length of each column of a (d, b) tile, shape (b,)."""
    squared: Array = np.einsum("ib,ib->b", columns, columns)
    return squared


class Precision(ABC):
    """Covariances of one form, and what a mixture asks of them.

    `factors` are U, shaped as the covariances, (m, ...); `vectors` have shape (k, d), one a
    component; d is the number of features.
    """

    detail: int
    """What of second moments it needs: 0 their trace, 1 their diagonal, 2 all of them."""

    requirement: str
    """What given precisions have to be, for an error."""

    @abstractmethod
    def shape(self, d: int) -> tuple[int, ...]:
        """Return the shape of one covariance."""

    def external_shape(self, d: int) -> tuple[int, ...]:
        """Return the shape of one covariance at scikit-learn's surface."""
        return self.shape(d)

    @abstractmethod
    def n_parameters(self, d: int) -> int:
        """Return the number of free parameters of one covariance."""

    @abstractmethod
    def of_matrices(self, matrices: Array) -> Array:
        """Return the covariances nearest to matrices (m, d, d): the parts of these they have."""

    @abstractmethod
    def matrices(self, covariances: Array, d: int) -> Array:
        """Return covariances (or precisions) as matrices, (m, d, d)."""

    @abstractmethod
    def diagonals(self, covariances: Array, d: int) -> Array:
        """Return the diagonals of covariances (or precisions), (m, d)."""

    @abstractmethod
    def factorise(self, covariances: Array) -> Array:
        """Return the factors of the precisions; raise `SingularError` if there are none."""

    @abstractmethod
    def factorise_precisions(self, precisions: Array) -> Array:
        """Return the factors of given precisions, shaped as the covariances."""

    @abstractmethod
    def are_positive(self, precisions: Array) -> bool:
        """Return whether given precisions meet the requirement."""

    @abstractmethod
    def precisions(self, factors: Array) -> Array:
        """Return the precisions, shaped as the covariances."""

    @abstractmethod
    def covariances(self, factors: Array) -> Array:
        """Return the covariances that belong to the factors."""

    @abstractmethod
    def log_determinants(self, factors: Array, d: int) -> Array:
        """Return log |Sigma|^(-1/2), shape (m,), as a sum of logs."""

    @abstractmethod
    def traces(self, factors: Array, d: int) -> Array:
        """Return the traces of the precisions, shape (m,)."""

    @abstractmethod
    def bilinear_bounds(self, factors: Array, *points: Array) -> list[float]:
        """Return the largest sum_ij |P_k|_ij |v_ki| |v_kj|, P_k the precisions, for each v.

        It bounds every intermediate value of the quadratic form at points v of shape
        (k, d) or (1, d), and hence its rounding.
        """

    @abstractmethod
    def weighed(self, factors: Array, vectors: Array) -> Array:
        """Return P_k v_k, (k, d), P_k the precisions."""

    @abstractmethod
    def whiten(self, difference: Array, factors: Array, index: int) -> Array:
        """Return ||U^T (x - mu)||^2, shape (b,), for (d, b) differences from one mean."""

    @abstractmethod
    def pulled(self, factors: Array, vectors: Array) -> Array:
        """Return U_k^T v_k, (k, d)."""

    @abstractmethod
    def pushed(self, factors: Array, vectors: Array) -> Array:
        """Return U_k v_k, (k, d)."""

    @abstractmethod
    def pulled_back(self, factors: Array, vectors: Array) -> Array:
        """Return U_k^-T v_k, (k, d)."""

    @abstractmethod
    def pushed_back(self, factors: Array, vectors: Array) -> Array:
        """Return U_k^-1 v_k, (k, d)."""

    @abstractmethod
    def raised(self, covariances: Array, amount: float, index: int | None = None) -> Array:
        """Return the covariances with `amount` added to the diagonals (of one of them)."""

    @abstractmethod
    def relative(self, anchor: Array, factors: Array) -> Array:
        r"""Return square roots of covariances relative to those of an anchor.

        With :math:`\Sigma = L L^T` that is :math:`T = L_0^{-1} L`, shaped as the factors; along
        axes the ratios of the standard deviations.

        Parameters
        ----------
        anchor, factors : ndarray
            `Parameters.precisions_cholesky`, U with :math:`L = U^{-T}`.
        """

    @abstractmethod
    def relative_scale(self, relative: Array, d: int) -> Array:
        r"""Return coordinates of covariances relative to those of an anchor, (m, q).

        The entries of T below its diagonal, and those on it as :math:`\sqrt 2 \log T_{ii}`.
        At the anchor the Fisher information of one row in these coordinates is the identity.

        Parameters
        ----------
        relative : ndarray
            T, what `relative` returned.
        d : int
        """

    @abstractmethod
    def absolute_factors(self, anchor: Array, scale: Array, d: int) -> Array:
        """Return the factors whose `relative_scale` is `scale`."""

    @abstractmethod
    def scale_gradient(
        self, relative: Array, factors: Array, weights: Array, shifts: Array, covariances: Array
    ) -> Array:
        """Return the gradient of the mean log-likelihood in those coordinates, (m, q).

        Parameters
        ----------
        relative : ndarray
            As of `relative_scale`.
        factors : ndarray
        weights, shifts, covariances : ndarray
            Of the EM image of the parameters: its weights (k,), its means minus theirs
            (k, d), and its covariances.
        """

    @abstractmethod
    def draw(self, mean: Array, covariance: Array, n: int, random: np.random.RandomState) -> Array:
        """Return n rows (n, d) drawn about a mean (d,), as scikit-learn draws them."""

    def largest_variance(self, covariances: Array, index: int, d: int) -> float:
        """Return the largest variance of one of the covariances, for a ridge relative to it."""
        return float(np.abs(self.diagonals(covariances[index : index + 1], d)).max())
