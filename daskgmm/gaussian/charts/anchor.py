r"""Coordinates of mixtures about an anchor, in which an EM step is nearly a gradient step.

With the anchor's weights :math:`\pi^0`, means :math:`\mu^0` and :math:`\Sigma^0 = L_0 L_0^T`:

    :math:`\sqrt{\pi^0_k} \log \pi_k`, :math:`\sqrt{\pi^0_k} L_{0k}^{-1} (\mu_k - \mu^0_k)`, and
    :math:`\sqrt{\pi^0_k}` times `Charted.relative_scale`.

At the anchor the Fisher information of the complete data is the identity (except along a constant
added to all log weights), so the EM step equals the gradient to first order. Every vector stands
for feasible parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.algebra.precision import Charted
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.parameters import Parameters

LARGEST_SCALE = 20.0
"""Largest coordinate of a covariance, about the logarithm of a ratio of standard deviations."""

TOGETHER_ENTRIES = 1 << 15
"""Entries of the factors of mixtures that are mapped in the same calls: most of the time for small
ones is that of calls, and large ones would leave the cache."""


@dataclass(frozen=True, slots=True)
class _Mixtures:
    """Several mixtures, the components of one behind those of the other.

    Attributes
    ----------
    count : int
        n.
    weights : ndarray of shape (n, k)
    means : ndarray of shape (n * k, d)
    anchors, factors : ndarray of shape (n * m, ...)
        Factors of the precisions: of the anchor, once for each of them, and their own.
    relative : ndarray of shape (n * m, ...)
        `Precision.relative` of both.
    """

    count: int
    weights: Array
    means: Array
    anchors: Array
    factors: Array
    relative: Array


def as_it_is(parameters: Parameters) -> Parameters:
    """Return the parameters."""
    return parameters


class Anchor:
    """Coordinates of mixtures about one of them.

    Parameters
    ----------
    parameters : Parameters
        The anchor; its weights are positive.
    """

    def __init__(self, parameters: Parameters) -> None:
        self._at = parameters
        precision = structure_of(parameters).precision
        assert isinstance(precision, Charted), "covariances of this form have coordinates"
        self._precision = precision
        self._roots = np.sqrt(parameters.weights)
        self._factors = parameters.precisions_cholesky
        shared = len(self._factors) < len(self._roots)
        self._scale_roots = np.ones(1) if shared else self._roots

    def coordinates(self, parameters: Parameters) -> Array:
        """Return the coordinates of parameters of the same structure, k and d."""
        coordinates: Array = self._coordinates(self._joined([parameters]))[0]
        return coordinates

    def parameters(self, coordinates: Array) -> Parameters | None:
        """Return the parameters at coordinates; None beyond `LARGEST_SCALE` or at a weight of 0."""
        (k, d), at = self._at.means.shape, self._at
        logarithms = coordinates[:k] / self._roots
        means = coordinates[k : k + k * d].reshape(k, d) / self._roots[:, None]
        scale = coordinates[k + k * d :].reshape(len(self._scale_roots), -1)
        scale = scale / self._scale_roots[:, None]
        if not np.abs(scale).max() < LARGEST_SCALE or not np.isfinite(means).all():
            return None
        weights = np.exp(logarithms - logarithms.max())
        weights /= weights.sum()
        if not weights.min() > 0:
            return None
        factors = self._precision.absolute_factors(at.precisions_cholesky, scale, d)
        means = at.means + self._precision.solve_ut(self._factors, means)
        covariances = self._precision.covariances(factors)
        return Parameters(at.structure, weights, means, covariances, factors)

    def gradient(self, parameters: Parameters, image: Parameters, shares: Array) -> Array:
        """Return the gradient of the objective at `parameters`, in nats per row.

        By Fisher's identity it is the gradient of the expected complete-data log-likelihood, which
        follows from the EM image of the parameters (Salakhutdinov, Roweis & Ghahramani 2003). The
        image includes a conjugate prior; with `reg_covar` it gives the likelihood with that noise.

        Parameters
        ----------
        parameters, image : Parameters
        shares : ndarray of shape (3, k)
            Divisors of the image's weights, means and scales, over the weight of all rows; without
            a prior its weights three times.
        """
        gradient: Array = self._gradients(self._joined([parameters]), [image], [shares])[0]
        return gradient

    def of_points(
        self, mixtures: Sequence[Parameters], images: Sequence[Parameters], shares: Sequence[Array]
    ) -> tuple[Array, Array]:
        """Return the coordinates of several mixtures and the `gradient` at each, both (n, q)."""
        at, gradients = self._empty(len(mixtures)), self._empty(len(mixtures))
        for part in self._parts(mixtures):
            joined = self._joined(mixtures[part])
            at[part] = self._coordinates(joined)
            gradients[part] = self._gradients(joined, images[part], shares[part])
        return at, gradients

    def coordinates_of(
        self, mixtures: Sequence[Parameters], in_form: Callable[[Parameters], Parameters] = as_it_is
    ) -> Array:
        """Return the coordinates of several mixtures, (n, q), each brought in this form before."""
        found = self._empty(len(mixtures))
        for part in self._parts(mixtures):
            joined = self._joined([in_form(each) for each in mixtures[part]])
            found[part] = self._coordinates(joined)
        return found

    def _empty(self, n: int) -> Array:
        """Return coordinates (n, q) to be filled: parts and the whole would be twice that."""
        (k, d), m = self._at.means.shape, len(self._scale_roots)
        return np.empty((n, k + k * d + m * self._precision.n_parameters(d)))

    def _parts(self, mixtures: Sequence[Parameters]) -> Iterator[slice]:
        """Yield which mixtures are mapped in the same calls.

        The anchor is alone, as it is exactly in the origin, and so are mixtures whose
        components share a factor.
        """
        is_shared = len(self._factors) < len(self._roots)
        most = 1 if is_shared else max(1, TOGETHER_ENTRIES // self._factors.size)
        first = 0
        for place, each in enumerate(mixtures):
            if place > first and (place - first == most or each is self._at):
                yield slice(first, place)
                first = place
            if each is self._at:
                yield slice(place, place + 1)
                first = place + 1
        if first < len(mixtures):
            yield slice(first, len(mixtures))

    def _joined(self, mixtures: Sequence[Parameters]) -> _Mixtures:
        weights = np.array([each.weights for each in mixtures])
        if len(mixtures) == 1:
            (only,) = mixtures
            factors, anchors, means = only.precisions_cholesky, self._factors, only.means
        else:
            factors = np.concatenate([each.precisions_cholesky for each in mixtures])
            anchors = np.concatenate([self._factors] * len(mixtures))
            means = np.concatenate([each.means for each in mixtures])
        relative = self._precision.relative(anchors, factors)
        return _Mixtures(len(mixtures), weights, means, anchors, factors, relative)

    def _coordinates(self, joined: _Mixtures) -> Array:
        """Return the coordinates of each mixture, (n, q)."""
        n, (k, d) = joined.count, self._at.means.shape
        differences = joined.means.reshape(n, k, d) - self._at.means
        means = self._precision.multiply_ut(joined.anchors, differences.reshape(n * k, d))
        scale = self._precision.relative_scale(joined.relative, d)
        scale = scale.reshape(n, len(self._scale_roots), -1) * self._scale_roots[:, None]
        return np.concatenate(
            [
                self._roots * np.log(joined.weights),
                (self._roots[:, None] * means.reshape(n, k, d)).reshape(n, -1),
                scale.reshape(n, -1),
            ],
            axis=1,
        )

    def _gradients(
        self, joined: _Mixtures, images: Sequence[Parameters], shares: Sequence[Array]
    ) -> Array:
        """Return the `gradient` at each mixture, (n, q)."""
        n, (k, d) = joined.count, self._at.means.shape
        of_weights, of_means, of_scales = np.array(shares).swapaxes(0, 1)  # each (n, k)
        precision, factors = self._precision, joined.factors
        shifts = np.concatenate([each.means for each in images]) - joined.means
        # d/d mu_k = N_k Sigma_k^-1 (image mean - mu_k), times L_0k^T in the coordinates, (k, d).
        weighed = precision.multiply_u(factors, precision.multiply_ut(factors, shifts))
        means = precision.solve_u(joined.anchors, weighed).reshape(n, k, d)
        # Second moments about mu_k: the image's covariance plus the outer product of the shift.
        offsets = np.sqrt(of_means / of_scales).reshape(-1, 1) * shifts
        covariances = np.concatenate([each.covariances for each in images])
        total = of_scales.sum() if len(self._factors) < k else 1.0
        scale = total * precision.scale_gradient(
            joined.relative, factors, of_scales.ravel() / total, offsets, covariances
        )
        scale = scale.reshape(n, len(self._scale_roots), -1) / self._scale_roots[:, None]
        of_all = of_weights.sum(axis=1, keepdims=True)
        return np.concatenate(
            [
                (of_weights - of_all * joined.weights) / self._roots,
                ((of_means / self._roots)[:, :, None] * means).reshape(n, -1),
                scale.reshape(n, -1),
            ],
            axis=1,
        )
