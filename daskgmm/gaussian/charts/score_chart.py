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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

import daskgmm.gaussian.covariance.algebra.packed as packed
from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.algebra.precision import Charted
from daskgmm.gaussian.covariance.structures import STRUCTURES, structure_of
from daskgmm.gaussian.kernels.barring import Barring
from daskgmm.gaussian.kernels.softmax import exponentiate
from daskgmm.gaussian.kernels.whitened import WhitenedKernel
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.parameters import Parameters

Labels = NDArray[np.intp]
"""Numbers of the components that rows are of, -1 where unknown."""

SEPARATE = ("spherical", "diag", "full")
"""Structure with one covariance of each component, by the detail of its form."""

TILE = 1024
"""Rows whose scores are computed at once."""

SQRT_2 = float(np.sqrt(2.0))


def has_chart(parameters: Parameters) -> bool:
    """Return whether a mixture has these coordinates: all covariances of a form are allowed."""
    structure = structure_of(parameters)
    return structure.free and isinstance(structure.precision, Charted)


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
    """

    parameters: Parameters
    free: csr_array
    n_weights: int
    noise: float = 0.0
    reg_covar: float = 0.0

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
        own = replace(
            parameters,
            structure=name,
            covariances=np.ascontiguousarray(np.broadcast_to(parameters.covariances, shape)),
            precisions_cholesky=np.ascontiguousarray(
                np.broadcast_to(parameters.precisions_cholesky, shape)
            ),
        )
        n_weights = 0 if equal_weights else k - 1
        free = _free(parameters.weights, d, q, n_weights, shared=structure.shared)
        return cls(own, free, n_weights, noise, reg_covar)

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
    def detail(self) -> int:
        """Part of the second moments that covariances need: trace, diagonal, matrix."""
        return structure_of(self.parameters).precision.detail

    @cached_property
    def _kernel(self) -> WhitenedKernel:
        return WhitenedKernel.of(self.parameters, noise=self.noise)

    @cached_property
    def classes(self) -> NDArray[np.intp]:
        """The classes of components that labels name: each is one by itself."""
        return np.arange(self.parameters.n_components)

    @cached_property
    def _barring(self) -> Barring:
        return Barring(self.classes)

    @cached_property
    def size(self) -> int:
        """Number of coordinates of a component, p."""
        return int(self.free.shape[0]) // self.parameters.n_components

    @cached_property
    def _transposed(self) -> csr_array:
        return self.free.T.tocsr()

    @cached_property
    def _odds(self) -> Array:
        """What free coordinates change of the log odds, (k, P)."""
        return np.asarray(self.free[:: self.size].toarray())

    @cached_property
    def _excess(self) -> Array:
        """What `reg_covar` adds to z z^T less its mean I, in the form of the covariances."""
        factors = self.parameters.precisions_cholesky
        if self.detail == 2:
            products = factors.swapaxes(-1, -2) @ factors
            return self.reg_covar * products - np.eye(factors.shape[-1])
        return self.reg_covar * factors**2 - 1.0

    def of_moments(self, parts: Sequence[Moments]) -> Array:
        """Return the score of the rows of each of some moments, about the same points.

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
        found = [counts[..., None], linear, self._quadratic(second, counts)]
        whole = np.concatenate(found, axis=-1).reshape(len(parts), -1)
        return np.asarray((self._transposed @ whole.T).T)

    def _quadratic(self, second: Array, counts: Array) -> Array:
        """Return the scores (parts, k, q) of covariances from second moments about the means."""
        factors = self.parameters.precisions_cholesky
        if self.detail == 2:
            within = factors.swapaxes(-1, -2) @ second @ factors
            within += counts[..., None, None] * self._excess
            return np.asarray(packed.pack(within) / self.norms)
        if self.detail == 1:
            return np.asarray((second * factors**2 + counts[..., None] * self._excess) / SQRT_2)
        d = self.parameters.n_features
        within = second * factors.reshape(-1, 1) ** 2
        within = within + d * counts[..., None] * self._excess.reshape(-1, 1)
        return np.asarray(within / np.sqrt(2.0 * d))

    @cached_property
    def norms(self) -> Array:
        """Standard deviations of z_a z_b, those of the packed entries, (q,)."""
        rows, columns = packed.indices(self.parameters.n_features)
        return np.where(rows == columns, SQRT_2, 1.0)

    def _whitened(self, x: Array, component: int) -> Array:
        """Return z of rows x (b, d), shape (d, b)."""
        difference = (x - self.parameters.means[component]).T
        factor = self.parameters.precisions_cholesky[component]
        if self.detail == 2:
            return np.asarray(factor.T @ difference)
        return np.asarray(factor.reshape(-1, 1) * difference)

    def features(self, z: Array, component: int) -> Array:
        """Return the scores of a component for rows z (d, b) that are its own, shape (p, b)."""
        d, b = z.shape
        excess = self._excess[component]
        found = np.empty((self.size, b))
        found[0], found[1 : 1 + d] = 1.0, z
        if self.detail == 2:
            doubled = np.concatenate([z, z[: d // 2]])
            for first in range(0, packed.size(d), d):  # all products of one lag
                lag, stop = first // d, min(d, packed.size(d) - first)
                own = found[1 + d + first : 1 + d + first + stop]
                np.multiply(z[:stop], doubled[lag : lag + stop], out=own)
            found[1 + d :] += packed.pack(excess)[:, None]
            found[1 + d : 1 + 2 * d] /= SQRT_2  # squares come first
        elif self.detail == 1:
            found[1 + d :] = (z**2 + excess[:, None]) / SQRT_2
        else:
            found[1 + d :] = ((z**2).sum(0) + d * excess) / np.sqrt(2.0 * d)
        return found

    def responsibilities(self, x: Array, labels: Labels | None) -> tuple[Array, list[Array]]:
        """Return responsibilities (k, b) of rows, and their z (d, b) for each component."""
        k = self.parameters.n_components
        parts = [self._whitened(x, component) for component in range(k)]
        joint = np.stack([-0.5 * np.einsum("ib,ib->b", z, z) for z in parts])
        joint += self._kernel.constant[:, None]
        if labels is not None:
            self._barring.bar(joint, labels)
        maximum, total = np.empty(joint.shape[1]), np.empty(joint.shape[1])
        exponentiate(joint, maximum, total)
        joint /= total
        return joint, parts

    def tiles(
        self, x: Array, labels: Labels | None = None
    ) -> Iterator[tuple[slice, Array, list[Array]]]:
        """Yield responsibilities (k, b) and the scores of each component, tile by tile."""
        for first in range(0, len(x), TILE):
            rows = slice(first, min(first + TILE, len(x)))
            own = None if labels is None else labels[rows]
            gamma, parts = self.responsibilities(x[rows], own)
            yield rows, gamma, [self.features(z, i) for i, z in enumerate(parts)]

    def of_rows(self, x: Array, labels: Labels | None = None) -> Array:
        """Return the score of each row of x (b, d), shape (P, b); less what all weights share.

        Rows may have `labels` (b,): the numbers of their components, or -1.
        """
        found = np.empty((self.n_parameters, len(x)))
        for rows, gamma, features in self.tiles(x, labels):
            self.join(gamma, features, found[:, rows])
        return found

    def join(self, gamma: Array, features: list[Array], out: Array) -> None:
        """Write the scores of rows, (P, b), with the scores of each component of its own rows.

        It is the product of `free` and all of these, without its zeros.
        """
        (k, d), size = self.parameters.means.shape, self.size
        np.matmul(self._odds[:, : self.n_weights].T, gamma, out=out[: self.n_weights])
        scaled = gamma / np.sqrt(self.parameters.weights)[:, None]
        linear = out[self.n_weights : self.n_weights + k * d].reshape(k, d, -1)
        quadratic = out[self.n_weights + k * d :]
        is_shared = len(quadratic) < k * (size - 1 - d)
        if is_shared:
            quadratic[:] = 0.0
        for component, own in enumerate(features):
            np.multiply(own[1 : 1 + d], scaled[component], out=linear[component])
            if is_shared:
                quadratic += own[1 + d :] * gamma[component]
            else:
                part = quadratic.reshape(k, size - 1 - d, -1)[component]
                np.multiply(own[1 + d :], scaled[component], out=part)

    def weight_variances(self, covariance: Array) -> Array:
        """Return the variances (k,) of the mixing proportions, from those of P coordinates."""
        weights, odds = self.parameters.weights, self._odds
        change = weights[:, None] * (odds - weights @ odds)
        return _variances(change, covariance)

    def variances(self, covariance: Array) -> tuple[Array, Array, Array]:
        """Return variances of the components' parameters, from the covariance of P coordinates.

        Returns
        -------
        coordinates : ndarray of shape (k, p)
            Those of their own coordinates: in units of a component's own widths.
        means : ndarray of shape (k, d)
        covariances : ndarray
            Shaped as the covariances.
        """
        k, d = self.parameters.means.shape
        coordinates, means, covariances = np.empty((k, self.size)), np.empty((k, d)), []
        for component in range(k):
            part = self.free[component * self.size : (component + 1) * self.size]
            own = part @ (part @ covariance).T
            coordinates[component] = np.diagonal(own)
            means[component] = _variances(self._lower(component), own[1 : 1 + d, 1 : 1 + d])
            covariances.append(self._covariance_variances(component, own[1 + d :, 1 + d :]))
        return coordinates, means, np.stack(covariances)

    def _lower(self, component: int) -> Array:
        """Return L, with the covariance L L^T, shape (d, d)."""
        own, d = self.parameters, self.parameters.n_features
        factor = own.precisions_cholesky[component]
        if self.detail == 2:
            return np.asarray(np.linalg.inv(factor).T)
        return np.diag(np.broadcast_to(1.0 / factor, d))

    def _covariance_variances(self, component: int, own: Array) -> Array:
        covariance, d = self.parameters.covariances[component], self.parameters.n_features
        if self.detail == 1:
            return np.asarray(2.0 * covariance**2 * np.diagonal(own))
        if self.detail == 0:
            return np.asarray(2.0 / d * covariance**2 * own[0, 0]).reshape(covariance.shape)
        rows, columns = packed.indices(d)
        lower = self._lower(component)
        change = lower[rows[:, None], rows] * lower[columns[:, None], columns]
        change += lower[rows[:, None], columns] * lower[columns[:, None], rows]
        change /= np.where(rows == columns, SQRT_2, 1.0)
        return packed.unpack(_variances(change, own), d)


def _variances(change: Array, covariance: Array) -> Array:
    """Return the diagonal of D C D^T."""
    return np.asarray(np.einsum("ij,ij->i", change @ covariance, change))


def _free(weights: Array, d: int, q: int, n_weights: int, *, shared: bool) -> csr_array:
    """Return `ScoreChart.free`."""
    k, size, roots = len(weights), 1 + d + q, np.sqrt(weights)
    places: list[Array] = []
    values: list[Array] = []
    numbers = np.arange(k)[:, None] * size
    odds = _across(roots)[:, :n_weights] / roots[:, None]
    places.append(np.stack(np.broadcast_arrays(numbers, np.arange(n_weights))).reshape(2, -1))
    values.append(odds.ravel())
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
    return csr_array((np.concatenate(values), (rows, columns)), shape=(k * size, n_free))


def _across(roots: Array) -> Array:
    """Return an orthonormal basis (k, k - 1) of what is orthogonal to a unit vector (k,)."""
    vector = roots.copy()
    vector[0] += 1.0
    reflection = np.eye(len(roots)) - 2.0 * np.outer(vector, vector) / (vector @ vector)
    return reflection[:, 1:]
