r"""Forms of covariances: matrices, variances along the axes, or one variance.

All arrays have a leading axis m: k, or 1 where components share one covariance; then all
arithmetic is broadcasting. Factors of the precisions are upper triangular U with
:math:`\Sigma^{-1} = U U^T`, as in scikit-learn.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from daskgmm.arrays import Array


class SingularError(Exception):
    """A covariance is not positive definite.

    Attributes
    ----------
    index : int
        Index of the covariance on the leading axis.
    """

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.index = index


def squared_norms(columns: Array) -> Array:
    """Return the squared length of each column of a (d, b) tile, shape (b,)."""
    squared: Array = np.einsum("ib,ib->b", columns, columns)
    return squared


class Precision(ABC):
    """Operations on covariances of one form.

    `factors` are U, shaped as the covariances, (m, ...); `vectors` have shape (k, d), one a
    component; d is the number of features.
    """

    detail: int
    """Part of the second moments that it needs: 0 the trace, 1 the diagonal, 2 the matrix."""

    requirement: str
    """Requirement on precisions that users give, for an error."""

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
        """Return the covariances nearest to matrices (m, d, d)."""

    @abstractmethod
    def matrices(self, covariances: Array, d: int) -> Array:
        """Return covariances (or precisions) as matrices, (m, d, d)."""

    def precision_matrices(self, factors: Array, d: int) -> Array:
        """Return the precisions of factors as matrices, (m, d, d)."""
        return self.matrices(self.precisions(factors), d)

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
        """Return the covariances of the factors."""

    @abstractmethod
    def log_determinants(self, factors: Array, d: int) -> Array:
        """Return log |Sigma|^(-1/2), shape (m,), as a sum of logarithms."""

    @abstractmethod
    def traces(self, factors: Array, d: int) -> Array:
        """Return the traces of the precisions, shape (m,)."""

    @abstractmethod
    def bilinear_bounds(self, factors: Array, *points: Array) -> list[Array]:
        """Return sum_ij |P_k|_ij |v_ki| |v_kj|, P_k the precisions, for each v: (k,) or (1,).

        It bounds every intermediate value of the quadratic form at points v of shape
        (k, d) or (1, d), and so its rounding.
        """

    @abstractmethod
    def multiply_precision(self, factors: Array, vectors: Array) -> Array:
        """Return P_k v_k, (k, d), P_k the precisions."""

    @abstractmethod
    def squared_distances(self, difference: Array, factors: Array, index: int) -> Array:
        """Return ||U^T (x - mu)||^2, shape (b,), for (d, b) differences from one mean."""

    @abstractmethod
    def multiply_ut(self, factors: Array, vectors: Array) -> Array:
        """Return U_k^T v_k, (k, d)."""

    @abstractmethod
    def multiply_u(self, factors: Array, vectors: Array) -> Array:
        """Return U_k v_k, (k, d)."""

    @abstractmethod
    def solve_ut(self, factors: Array, vectors: Array) -> Array:
        """Return U_k^-T v_k, (k, d)."""

    @abstractmethod
    def solve_u(self, factors: Array, vectors: Array) -> Array:
        """Return U_k^-1 v_k, (k, d)."""

    @abstractmethod
    def raised(self, covariances: Array, amount: float, index: int | None = None) -> Array:
        """Return the covariances with `amount` added to all diagonals, or to one."""

    @abstractmethod
    def halved(self, covariance: Array, d: int, part: float) -> tuple[Array, Array]:
        """Return `part` of the longest axis of a covariance (...), (d,), and what that leaves.

        Halves at the mean plus and minus the axis a have the joint covariance of what is left plus
        a a^T.
        """

    @abstractmethod
    def draw(self, mean: Array, covariance: Array, n: int, random: np.random.RandomState) -> Array:
        """Draw n rows (n, d) about a mean (d,), the same ones as scikit-learn."""


class Charted(Precision):
    """A form whose covariances, all of them, have coordinates, in which EM is accelerated."""

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
            T, what `relative` returned.
        factors : ndarray
        weights, shifts, covariances : ndarray
            Weights (k,) of the EM image of the parameters, its means minus theirs (k, d), and its
            covariances.
        """
