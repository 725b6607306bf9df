"""Covariance structures: form of the covariances, sufficient statistic, M-step."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.algebra.precision import Precision
from daskgmm.gaussian.covariance.algebra.scatter import Scatter
from daskgmm.gaussian.covariance.algebra.statistic import Statistic
from daskgmm.gaussian.moments import EMPTY, Moments


class Structure:
    """A constraint on the covariances of a mixture; a structure is one subclass in one file."""

    name: str
    precision: Precision
    """Form of the covariances."""

    statistic: Statistic
    """Statistic that a pass sums for them."""

    shared: ClassVar[bool] = False
    """Whether all components share one covariance: the leading axis of arrays is then 1."""

    free: ClassVar[bool] = True
    """Whether every value of `precision` is allowed. If not, as with equal volumes, the structure
    has a `maximise` of its own, which brings into the structure what acceleration reaches in the
    coordinates of `precision`."""

    constrains_means: ClassVar[bool] = False
    """Whether the covariances tell where means may be. If so, scatters have the means of the rows,
    and `placed` moves them."""

    separate: bool = False
    """Whether components have covariances of their own even though the structure is not free."""

    def __init_subclass__(cls) -> None:
        """Refuse a statistic that does not determine covariances of the form."""
        if not hasattr(cls, "precision") or not hasattr(cls, "statistic"):
            return
        if cls.statistic.pools and not cls.shared:
            raise TypeError(f"{cls.__name__} pools second moments, and covariances are not shared.")
        if cls.statistic.detail < cls.precision.detail:
            raise TypeError(
                f"{type(cls.statistic).__name__} keeps too little of the rows for covariances of "
                f"the form {type(cls.precision).__name__}."
            )

    def maximise(self, scatter: Scatter, last: Array) -> Array:
        r"""Return the covariances of the structure that maximise the expected log-likelihood.

        That is :math:`-\frac{1}{2} \sum_k s_k (\log|\Sigma_k| + \mathrm{tr}\, \Sigma_k^{-1} S_k)`,
        with s and S the counts and covariances of the scatter. Raise `SingularError` for a
        component whose S has no such covariance. What is found by iteration begins at the `last`
        covariances, so that the value does not fall below theirs.
        """
        form, covariances = self.statistic.form, scatter.covariances
        if self.shared and len(covariances) > 1:
            covariances = np.tensordot(scatter.shares, covariances, 1)[None]
        if form.detail == self.precision.detail:
            return covariances
        return self.precision.of_matrices(form.matrices(covariances, scatter.n_features))

    def placed(self, means: Array, shares: Array, covariances: Array) -> Array:
        """Return the most likely means (k, d) beside covariances, of those of the rows.

        Parameters
        ----------
        means : ndarray of shape (k, d)
        shares : ndarray of shape (k,)
            Parts of the rows that the components have.
        covariances : ndarray
            Those of the structure.
        """
        return means

    def singular_component(self, scatter: Scatter, covariances: Array, index: int) -> int:
        """Return the index of the scatter that makes the covariance at an index singular."""
        return index

    def scatter_of(self, moments: Moments, reg_covar: float, last: Array) -> Scatter:
        """Return the scatter of moments, with `reg_covar` on the diagonals."""
        form, d = self.statistic.form, moments.reference.shape[1]
        covariances = form.raised(self.statistic.within(moments), reg_covar)
        if self.statistic.pools:
            return Scatter(moments.scale_counts.sum(keepdims=True), covariances, d)
        counts, unknown = moments.scale_counts, moments.without_scale
        if unknown.any():
            counts = np.where(unknown, EMPTY * counts.sum(), counts)
            covariances[unknown] = self.scatter(last, counts, d).covariances[unknown]
        return Scatter(counts, covariances, d)

    def scatter(self, covariances: Array, counts: Array, d: int) -> Scatter:
        """Return the scatter of components with covariances (m, ...), which may be in no structure.

        Parameters
        ----------
        covariances : ndarray
            In the form of `precision`.
        counts : ndarray of shape (m,)
        d : int
        """
        form = self.statistic.form
        if form.detail != self.precision.detail:
            covariances = form.of_matrices(self.precision.matrices(covariances, d))
        return Scatter(np.maximum(counts, EMPTY * counts.sum()), covariances, d)

    def n_covariance_parameters(self, k: int, d: int) -> int:
        """Return the number of free parameters of the covariances."""
        return self.n_covariances(k) * self.precision.n_parameters(d)

    def n_mean_parameters(self, k: int, d: int) -> int:
        """Return the number of free parameters of the means."""
        return k * d

    def n_covariances(self, k: int) -> int:
        """Return the number of covariances, m."""
        return 1 if self.shared else k

    def n_statistics(self, d: int) -> int:
        """Return the number of entries of T(x), p."""
        return 1 + d + self.statistic.n_quadratic(d)

    def n_buffer_rows(self, k: int, d: int) -> int:
        """Return the numbers that the fast kernel of k components keeps of each row of a tile."""
        return self.n_statistics(d)

    def least_tile_rows(self, d: int) -> int:
        """Return the rows that tiles have at least, as the fast kernel is slower with fewer."""
        return 0

    def step_work(self, d: int) -> int:
        """Return the operations of an M-step for each component, in order of magnitude."""
        return d**3

    def covariance_shape(self, k: int, d: int) -> tuple[int, ...]:
        """Return the shape of the covariances."""
        return (self.n_covariances(k), *self.precision.shape(d))

    def external_shape(self, k: int, d: int) -> tuple[int, ...]:
        """Return the shape of the covariances in scikit-learn."""
        return (*(() if self.shared else (k,)), *self.precision.external_shape(d))

    def external(self, covariances: Array, d: int) -> Array:
        """Return covariances, precisions or factors in scikit-learn's shape."""
        return covariances.reshape(self.external_shape(len(covariances), d))

    def internal(self, covariances: Array, k: int, d: int) -> Array:
        """Return the inverse of `external`; raise `ValueError` for another shape."""
        if covariances.shape != self.external_shape(k, d):
            raise ValueError(
                f"{self.name} covariances, precisions or factors have the shape "
                f"{covariances.shape}; {k} components of {d} features need the shape "
                f"{self.external_shape(k, d)}."
            )
        return covariances.reshape(self.covariance_shape(k, d))

    def component(self, index: int) -> int | None:
        """Return the component of a covariance; None if all share it."""
        return None if self.shared else index

    def repeat(self, covariance: Array, k: int) -> Array:
        """Return covariances that are, for every component, the nearest to a (d, d) one."""
        nearest = self.precision.of_matrices(covariance[None])
        return np.repeat(nearest, self.n_covariances(k), axis=0)
