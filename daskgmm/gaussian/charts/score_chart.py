r"""Coordinates of a mixture in which scores are sums of moments and the curvature is near 1.

About the parameters of a fit, with :math:`z = L_k^{-1} (x - \mu_k)`, each component has log odds,
a mean in units of its own widths, and a precision :math:`L_k^{-T} (I - E) L_k^{-1}`. In these
natural parameters the score of a row for component k is :math:`\gamma_k \phi(z)`, with
:math:`\phi` = 1, z, :math:`(z_a^2 - 1) / \sqrt 2` and :math:`z_a z_b`. These are orthonormal, so
that the information of rows whose components are known is the identity times :math:`N_k`. What is
missing of it is told by the rows (T. A. Louis, "Finding the observed information matrix when using
the EM algorithm", Journal of the Royal Statistical Society B 44 (1982) 226-233).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

import daskgmm.gaussian.covariance.algebra.packed as packed
from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.algebra.precision import Charted
from daskgmm.gaussian.covariance.structures import STRUCTURES, structure_of
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.outliers import log_joint_of_noise
from daskgmm.gaussian.parameters import Parameters

SEPARATE = ("spherical", "diag", "full")
"""Structure with one covariance of each component, by the detail of its form."""

SQRT_2 = float(np.sqrt(2.0))


def has_chart(parameters: Parameters) -> bool:
    """Return whether a mixture has these coordinates, or is a surface in them (`restriction`)."""
    return isinstance(structure_of(parameters).precision, Charted)


@dataclass(frozen=True, eq=False)
class ScoreChart:
    """Free coordinates (P) of a mixture, and those of its components one by one (k p).

    Those of a component are its log odds, d of the mean and q of the covariance, p in all. Where
    the mixing proportions or the covariance are common, free coordinates are fewer.

    Attributes
    ----------
    parameters : Parameters
        Of the structure with a covariance of each component.
    free : sparse array of shape (k p, P)
        What each free coordinate changes of those of the components; first k - 1 of the mixing
        proportions, then k d of the means, then those of the covariances. Each has information 1
        of a row whose component is known.
    n_weights : int
        Number of free coordinates of the mixing proportions.
    noise : float
        Variance of the noise that makes `reg_covar` an exact M-step, as of a kernel.
    reg_covar : float
        What the M-step adds to the diagonals.
    outliers : tuple of float, or None
        Proportion of a uniform component, and its log joint density. It stands behind the others,
        with the coordinates of a component of which log odds alone are free. Its volume is known.
    """

    parameters: Parameters
    free: csr_array
    n_weights: int
    noise: float = 0.0
    reg_covar: float = 0.0
    outliers: tuple[float, float] | None = None

    @classmethod
    def of(
        cls,
        parameters: Parameters,
        *,
        noise: float = 0.0,
        reg_covar: float = 0.0,
        equal_weights: bool = False,
    ) -> ScoreChart:
        """Return the coordinates of a mixture of Gaussians that `has_chart`."""
        structure = structure_of(parameters)
        k, d = parameters.means.shape
        name = SEPARATE[structure.precision.detail]
        q = STRUCTURES[name].precision.n_parameters(d)
        shape = k, *parameters.covariances.shape[1:]
        outliers = None
        if parameters.noise_weight is not None:
            outliers = parameters.noise_weight, log_joint_of_noise(parameters)
        own = replace(
            parameters.without_noise(),
            structure=name,
            covariances=np.ascontiguousarray(np.broadcast_to(parameters.covariances, shape)),
            precisions_cholesky=np.ascontiguousarray(
                np.broadcast_to(parameters.precisions_cholesky, shape)
            ),
        )
        noisy = outliers is not None
        n_weights = noisy if equal_weights else k - 1 + noisy
        weights = own.weights if outliers is None else np.append(own.weights, outliers[0])
        odds = _odds(np.sqrt(weights), n_weights, equal=equal_weights)
        free = _free(own.weights, d, q, odds, shared=structure.shared)
        return cls(own, free, n_weights, noise, reg_covar, outliers)

    @cached_property
    def center(self) -> Array:
        """Mean of the mixture, (d,): a point among its rows."""
        own = self.parameters
        return np.asarray(own.weights @ own.means / own.weights.sum())

    @property
    def n_parameters(self) -> int:
        """Number of free coordinates, P."""
        return int(self.free.shape[1])

    @property
    def weights(self) -> Array:
        """Mixing proportions, that of the uniform component last."""
        own = self.parameters.weights
        return own if self.outliers is None else np.append(own, self.outliers[0])

    @property
    def n_columns(self) -> int:
        """Number of components, with the uniform one."""
        return self.parameters.n_components + (self.outliers is not None)

    @property
    def detail(self) -> int:
        """Part of the second moments that covariances need: trace, diagonal, matrix."""
        return structure_of(self.parameters).precision.detail

    @cached_property
    def classes(self) -> NDArray[np.intp]:
        """The classes of components that labels name: each is one by itself."""
        return np.arange(self.n_columns)

    @cached_property
    def size(self) -> int:
        """Number of coordinates of a component, p."""
        return int(self.free.shape[0]) // self.n_columns

    @cached_property
    def _transposed(self) -> csr_array:
        return self.free.T.tocsr()

    @cached_property
    def odds(self) -> Array:
        """What free coordinates change of the log odds, (k, P)."""
        return np.asarray(self.free[:: self.size].toarray())

    @cached_property
    def axes(self) -> Array:
        """Inverses of the standard deviations (k, d) of components that have no matrices."""
        own = self.parameters
        return np.array(
            np.broadcast_to(own.precisions_cholesky.reshape(len(own.means), -1), own.means.shape)
        )

    @cached_property
    def lower(self) -> Array:
        """L, with the covariances L L^T, shape (k, d, d)."""
        if self.detail == 2:
            return np.asarray(np.linalg.inv(self.parameters.precisions_cholesky).swapaxes(1, 2))
        return np.eye(self.axes.shape[1]) / self.axes[:, :, None]

    def excess_of(self, reg_covar: float) -> Array:
        """Return what `reg_covar` adds to z z^T, less the mean I: packed, or diagonals; (k, q)."""
        if self.detail == 2:
            factors = self.parameters.precisions_cholesky
            products = factors.swapaxes(-1, -2) @ factors
            return packed.pack(reg_covar * products - np.eye(factors.shape[-1]))
        return reg_covar * self.axes**2 - 1.0

    @cached_property
    def excess(self) -> Array:
        """That of the fit's `reg_covar`."""
        return self.excess_of(self.reg_covar)

    def of_moments(self, parts: Sequence[Moments]) -> Array:
        """Return the score of the rows of each of some moments, about the same points.

        They tell nothing of a uniform component.

        Returns
        -------
        ndarray of shape (parts, P)
            Less what all weights share.
        """
        sums = np.stack([moments.sums for moments in parts])
        own, reference, d = self.parameters, parts[0].reference, self.parameters.n_features
        shift, counts = reference - own.means, sums[:, 0]
        given = sums[:, 1 : 1 + d].swapaxes(1, 2)
        first, second = given + counts[:, :, None] * shift, sums[:, 1 + d :].swapaxes(1, 2)
        if self.detail == 2:
            second = packed.unpack(second, d)
            mixed = given[..., None] * shift[:, None, :]
            second += mixed + mixed.swapaxes(-1, -2)
            second += counts[..., None, None] * (shift[:, :, None] * shift[:, None, :])
        else:
            moved = 2.0 * shift * given + counts[..., None] * shift**2
            second = second + (moved if self.detail else moved.sum(-1, keepdims=True))
        linear = structure_of(own).precision.multiply_ut(own.precisions_cholesky, first)
        scales = np.stack([moments.scale_counts for moments in parts])  # of a prior they differ
        found = [counts[..., None], linear, self._quadratic(second, scales)]
        whole = np.zeros((len(parts), self.n_columns * self.size))
        joined = np.concatenate(found, axis=-1).reshape(len(parts), -1)
        whole[:, : joined.shape[1]] = joined
        return np.asarray((self._transposed @ whole.T).T)

    def _quadratic(self, second: Array, counts: Array) -> Array:
        """Return the scores (parts, k, q) of covariances from second moments about the means."""
        factors, excess = self.parameters.precisions_cholesky, counts[..., None] * self.excess
        if self.detail == 2:
            within = packed.pack(factors.swapaxes(-1, -2) @ second @ factors)
            return np.asarray((within + excess) / self.norms)
        if self.detail == 1:
            return np.asarray((second * factors**2 + excess) / SQRT_2)
        within = second * factors.reshape(-1, 1) ** 2 + excess.sum(axis=-1, keepdims=True)
        return np.asarray(within / np.sqrt(2.0 * self.parameters.n_features))

    @cached_property
    def norms(self) -> Array:
        """Standard deviations of z_a z_b, those of the packed entries, (q,)."""
        rows, columns = packed.indices(self.parameters.n_features)
        return np.where(rows == columns, SQRT_2, 1.0)

    def weight_variances(self, covariance: Array) -> Array:
        """Return the variances (k,) of the mixing proportions, from those of P coordinates."""
        weights, odds, k = self.weights, self.odds, self.parameters.n_components
        change = weights[:, None] * (odds - weights @ odds)
        return _variances(change[:k], covariance)

    def deviations(self, covariance: Array) -> tuple[Array, Array, Array]:
        """Return how far the components' parameters spread, from the covariance of P coordinates.

        Returns
        -------
        coordinates : ndarray of shape (k, p)
            Variances of their own coordinates: in units of a component's own widths.
        means : ndarray of shape (k, d)
            Standard deviations.
        covariances : ndarray
            Standard deviations, shaped as the covariances.
        """
        k, d = self.parameters.means.shape
        coordinates, means, covariances = np.empty((k, self.size)), np.empty((k, d)), []
        for component in range(k):
            part = self.free[component * self.size : (component + 1) * self.size]
            own = part @ (part @ covariance).T
            coordinates[component] = np.diagonal(own)
            lower, exponents = _scaled(self.lower[component])
            of_means = np.sqrt(_variances(lower, own[1 : 1 + d, 1 : 1 + d]))
            means[component] = np.ldexp(of_means, exponents)
            covariances.append(self._of_covariance(component, own[1 + d :, 1 + d :]))
        return coordinates, means, np.stack(covariances)

    def _of_covariance(self, component: int, own: Array) -> Array:
        """Return standard deviations; no variance of a variance, which may overflow."""
        covariance, d = self.parameters.covariances[component], self.parameters.n_features
        if self.detail == 1:
            return np.asarray(covariance * np.sqrt(2.0 * np.diagonal(own)))
        if self.detail == 0:
            return np.asarray(covariance * np.sqrt(2.0 / d * own[0, 0])).reshape(covariance.shape)
        rows, columns = packed.indices(d)
        lower, exponents = _scaled(self.lower[component])
        change = lower[rows[:, None], rows] * lower[columns[:, None], columns]
        change += lower[rows[:, None], columns] * lower[columns[:, None], rows]
        change /= np.where(rows == columns, SQRT_2, 1.0)
        found = np.sqrt(_variances(change, own))
        return packed.unpack(np.ldexp(found, exponents[rows] + exponents[columns]), d)


def _scaled(lower: Array) -> tuple[Array, Array]:
    """Return a factor (d, d) with rows of about 1, and the powers of 2 that they were divided by.

    That changes no digit, and squares neither overflow nor underflow.
    """
    exponents = np.frexp(np.abs(lower).max(axis=1))[1]
    return np.ldexp(lower, -exponents[:, None]), exponents


def _variances(change: Array, covariance: Array) -> Array:
    """Return the diagonal of D C D^T."""
    return np.asarray(np.einsum("ij,ij->i", change @ covariance, change))


def _odds(roots: Array, n_weights: int, *, equal: bool) -> Array:
    """Return what free coordinates change of the log odds of all, (k or k + 1, n_weights)."""
    if not (equal and n_weights):
        return np.asarray(_across(roots)[:, :n_weights] / roots[:, None])
    # Of equal components with a uniform one beside them all change alike.
    rest, own = np.sqrt(1.0 - roots[-1] ** 2), roots[-1]
    found = np.full((len(roots), 1), -own / rest)
    found[-1] = rest / own
    return found


def _free(weights: Array, d: int, q: int, odds: Array, *, shared: bool) -> csr_array:
    """Return `ScoreChart.free`."""
    k, size, roots = len(weights), 1 + d + q, np.sqrt(weights)
    n_columns, n_weights = odds.shape
    places: list[Array] = []
    values: list[Array] = []
    every = np.arange(n_columns)[:, None] * size
    places.append(np.stack(np.broadcast_arrays(every, np.arange(n_weights))).reshape(2, -1))
    values.append(odds.ravel())
    numbers = every[:k]
    scaled = np.repeat(1.0 / roots, d)
    own = (numbers + 1 + np.arange(d)).ravel()
    places.append(np.stack([own, n_weights + np.arange(k * d)]))
    values.append(scaled)
    own, last = (numbers + 1 + d + np.arange(q)).ravel(), n_weights + k * d
    if shared:
        places.append(np.stack([own, last + np.tile(np.arange(q), k)]))
        values.append(np.ones(k * q))
    else:
        places.append(np.stack([own, last + np.arange(k * q)]))
        values.append(np.repeat(1.0 / roots, q))
    rows, columns = np.concatenate(places, axis=1)
    n_free = last + (q if shared else k * q)
    return csr_array((np.concatenate(values), (rows, columns)), shape=(n_columns * size, n_free))


def _across(roots: Array) -> Array:
    """Return an orthonormal basis (k, k - 1) of what is orthogonal to a unit vector (k,)."""
    vector = roots.copy()
    vector[0] += 1.0
    reflection = np.eye(len(roots)) - 2.0 * np.outer(vector, vector) / (vector @ vector)
    return reflection[:, 1:]
