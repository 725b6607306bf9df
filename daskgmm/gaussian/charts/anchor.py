r"""Coordinates of mixtures about an anchor, in which an EM step is nearly a gradient step.

With the anchor's weights :math:`\pi^0`, means :math:`\mu^0` and :math:`\Sigma^0 = L_0 L_0^T`:

    :math:`\sqrt{\pi^0_k} \log \pi_k`, :math:`\sqrt{\pi^0_k} L_{0k}^{-1} (\mu_k - \mu^0_k)`, and
    :math:`\sqrt{\pi^0_k}` times `Charted.relative_scale`.

At the anchor the Fisher information of the complete data is the identity (except along a constant
added to all log weights), so the EM step equals the gradient to first order. Every vector stands
for feasible parameters.
"""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.algebra.precision import Charted
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.parameters import Parameters

LARGEST_SCALE = 20.0
"""Largest coordinate of a covariance, about the logarithm of a ratio of standard deviations."""


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
        assert isinstance(precision, Charted), "structures that are not free have no chart"
        self._precision = precision
        self._roots = np.sqrt(parameters.weights)
        self._factors = parameters.precisions_cholesky
        shared = len(self._factors) < len(self._roots)
        self._scale_roots = np.ones(1) if shared else self._roots
        self._last: tuple[Array, Array] | None = None

    def coordinates(self, parameters: Parameters) -> Array:
        """Return the coordinates of parameters of the same structure, k and d."""
        means = self._precision.multiply_ut(self._factors, parameters.means - self._at.means)
        relative = self._relative(parameters.precisions_cholesky)
        scale = self._precision.relative_scale(relative, parameters.n_features)
        return np.concatenate(
            [
                self._roots * np.log(parameters.weights),
                (self._roots[:, None] * means).ravel(),
                (self._scale_roots[:, None] * scale).ravel(),
            ]
        )

    def parameters(self, coordinates: Array) -> Parameters | None:
        """Return the parameters at coordinates; None beyond `LARGEST_SCALE` or at a weight of 0."""
        (k, d), at = self._at.means.shape, self._at
        logarithms = coordinates[:k] / self._roots
        means = coordinates[k : k + k * d].reshape(k, d) / self._roots[:, None]
        scale = coordinates[k + k * d :].reshape(len(self._scale_roots), -1)
        scale = scale / self._scale_roots[:, None]
        if not np.abs(scale).max() < LARGEST_SCALE or not np.isfinite(means).all():
            return None
        weights = np.exp(logarithms - logsumexp(logarithms))
        if not weights.min() > 0:
            return None
        factors = self._precision.absolute_factors(at.precisions_cholesky, scale, d)
        means = at.means + self._precision.solve_ut(self._factors, means)
        covariances = self._precision.covariances(factors)
        return Parameters(at.structure, weights, means, covariances, factors)

    def gradient(self, parameters: Parameters, image: Parameters, shares: Array) -> Array:
        """Return the gradient of the objective at `parameters`, in nats a row.

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
        of_weights, of_means, of_scales = shares
        precision, factors = self._precision, parameters.precisions_cholesky
        shifts = image.means - parameters.means
        # d/d mu_k = N_k Sigma_k^-1 (image mean - mu_k), times L_0k^T in the coordinates, (k, d).
        weighed = precision.multiply_u(factors, precision.multiply_ut(factors, shifts))
        mean_gradient = precision.solve_u(self._factors, weighed)
        # Second moments about mu_k: the image's covariance plus the outer product of the shift.
        offsets = np.sqrt(of_means / of_scales)[:, None] * shifts
        total = of_scales.sum() if len(factors) < len(of_scales) else 1.0
        scale = total * precision.scale_gradient(
            self._relative(factors), factors, of_scales / total, offsets, image.covariances
        )
        return np.concatenate(
            [
                (of_weights - of_weights.sum() * parameters.weights) / self._roots,
                ((of_means / self._roots)[:, None] * mean_gradient).ravel(),
                (scale / self._scale_roots[:, None]).ravel(),
            ]
        )

    def _relative(self, factors: Array) -> Array:
        """Return `Precision.relative`; a cache of one, as coordinates and gradient need it."""
        if self._last is None or self._last[0] is not factors:
            self._last = factors, self._precision.relative(self._factors, factors)
        return self._last[1]
