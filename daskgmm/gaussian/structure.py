"""What every covariance structure answers: one subclass, one file, a structure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class SingularError(Exception):
    """A covariance is not positive definite.

    Attributes
    ----------
    component : int or None
        Which one; None where all components share it.
    """

    def __init__(self, component: int | None) -> None:
        super().__init__(component)
        self.component = component


def squared_norms(columns: Array) -> Array:
    """Return the squared length of each column of a (d, b) tile, shape (b,)."""
    squared: Array = np.einsum("ib,ib->b", columns, columns)
    return squared


class Structure(ABC):
    """The covariances a mixture may have, and the statistic T(x) they need.

    `factors` are `Parameters.precisions_cholesky` throughout, `offsets` the means minus
    the centre of the tile, shape (k, d), and a tile holds one feature a row, (d, b).
    """

    name: ClassVar[str]
    shared: ClassVar[bool] = False
    """True if all components have one covariance: its quadratic term is the same for all
    of them, drops out of the responsibilities, and is taken once per data set."""

    @abstractmethod
    def n_statistics(self, d: int) -> int:
        """Return p, the number of entries of T(x)."""

    @abstractmethod
    def n_covariance_parameters(self, k: int, d: int) -> int:
        """Return the number of free parameters of the covariances."""

    @abstractmethod
    def covariance_shape(self, k: int, d: int) -> tuple[int, ...]:
        """Return the shape of the covariances."""

    @abstractmethod
    def repeat(self, covariance: Array, k: int) -> Array:
        """Return covariances that give every component the (d, d) one, as far as they can."""

    @abstractmethod
    def factorise(self, covariances: Array) -> Array:
        """Return the factors of the precisions; raise `SingularError` if there are none."""

    @abstractmethod
    def factorise_precisions(self, precisions: Array) -> Array:
        """Return the factors of given precisions, shaped as the covariances."""

    @abstractmethod
    def precisions(self, factors: Array) -> Array:
        """Return the precisions, shaped as the covariances."""

    @abstractmethod
    def covariances(self, factors: Array) -> Array:
        """Return the covariances that belong to the factors."""

    @abstractmethod
    def log_determinants(self, factors: Array, d: int) -> Array:
        """Return log |Sigma_k|^(-1/2), shape (k,) or (), as a sum of logs."""

    @abstractmethod
    def bilinear_bounds(self, factors: Array, *points: Array) -> list[float]:
        """Return the largest sum_ij |P_k|_ij |v_ki| |v_kj|, P_k the precisions, for each v.

        It bounds every intermediate value of the quadratic form at points v of shape
        (k, d) or (1, d), and hence its rounding.
        """

    @abstractmethod
    def natural_quadratic(self, factors: Array, offsets: Array) -> tuple[Array, Array]:
        """Return the linear and the quadratic natural parameters.

        Shapes (k, d) and (k, p - 1 - d). The linear ones are P_k (mu_k - c).
        """

    @abstractmethod
    def quadratic_filler(self, rows: Array, d: int, out: Array) -> Callable[[], None]:
        """Return what writes the quadratic entries of T(z) for a tile z to `out`.

        All views are taken here, once for many tiles.

        Parameters
        ----------
        rows : ndarray of shape (d + d // 2, b)
            The tile z (d, b), and room to repeat its first half.
        d : int
        out : ndarray of shape (p - 1 - d, b)
        """

    @abstractmethod
    def whiten(self, difference: Array, factors: Array, component: int) -> Array:
        """Return ||U^T (x - mu)||^2, shape (b,), for one component's (d, b) differences."""

    @abstractmethod
    def second_moment(self, difference: Array, weights: Array) -> Array:
        """Return the weighted second moment of (d, b) differences, shape (p - 1 - d,).

        For a shared structure, where T has none, the whole (d, d) matrix.
        """

    @abstractmethod
    def maximise(self, counts: Array, shifts: Array, second: Array, pooled: Array | None) -> Array:
        """Return the maximum likelihood covariances.

        Parameters
        ----------
        counts : ndarray of shape (k,)
            N_k; positive.
        shifts : ndarray of shape (k, d)
            New means minus the reference points of the moments.
        second : ndarray of shape (k, p - 1 - d)
            Second moments about the reference points, as in `Statistics.sums`.
        pooled : ndarray of shape (d, d) or None
            `Statistics.pooled`.
        """

    @abstractmethod
    def regularise(self, covariances: Array, amount: float, component: int | None = None) -> Array:
        """Return the covariances with `amount` added to the diagonals (of one component)."""

    @abstractmethod
    def precision_traces(self, factors: Array, d: int) -> Array:
        """Return the traces of the precisions, shape (k,), or () where one is shared."""

    @abstractmethod
    def relative(self, anchor: Array, factors: Array) -> Array:
        r"""Return square roots of covariances relative to those of an anchor.

        With :math:`\Sigma = L L^T` that is :math:`T = L_0^{-1} L`, shaped as the factors; for
        structures without axes the ratios of the standard deviations.

        Parameters
        ----------
        anchor, factors : ndarray
            `Parameters.precisions_cholesky`, U with :math:`L = U^{-T}`.
        """

    @abstractmethod
    def relative_scale(self, relative: Array, d: int) -> Array:
        r"""Return coordinates of covariances relative to those of an anchor.

        The entries of T below its diagonal, and those on it as :math:`\sqrt 2 \log T_{ii}`.
        At the anchor the Fisher information of one row in these coordinates is the identity.

        Parameters
        ----------
        relative : ndarray
            T, what `relative` returned.
        d : int

        Returns
        -------
        ndarray of shape (k, q), or (1, q) where one covariance is shared
        """

    @abstractmethod
    def absolute_factors(self, anchor: Array, scale: Array, d: int) -> Array:
        """Return the factors whose `relative_scale` is `scale`."""

    @abstractmethod
    def scale_gradient(
        self, relative: Array, factors: Array, weights: Array, shifts: Array, covariances: Array
    ) -> Array:
        """Return the gradient of the mean log-likelihood in those coordinates, shaped alike.

        Parameters
        ----------
        relative : ndarray
            As of `relative_scale`.
        factors : ndarray
        weights, shifts, covariances : ndarray
            Of the EM image of the parameters: its weights (k,), its means minus theirs
            (k, d), and its covariances.
        """

    def replace(self, covariances: Array, others: Array, component: int | None) -> Array:
        """Return the covariances with one component's taken from `others`."""
        if component is None:
            return others
        replaced = covariances.copy()
        replaced[component] = others[component]
        return replaced

    @abstractmethod
    def scale(self, covariances: Array, component: int | None) -> float:
        """Return the largest variance of a component, for a ridge relative to it."""
