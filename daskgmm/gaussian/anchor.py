r"""Coordinates about an anchor, in which one step of EM is nearly one step up the gradient.

With the anchor's weights :math:`\pi^0`, means :math:`\mu^0` and :math:`\Sigma^0 = L_0 L_0^T`:

    :math:`\sqrt{\pi^0_k} \log \pi_k`, :math:`\sqrt{\pi^0_k} L_{0k}^{-1} (\mu_k - \mu^0_k)`, and
    :math:`\sqrt{\pi^0_k}` times `Precision.relative_scale`.

At the anchor the Fisher information of the complete data is the identity (up to the one
direction in which log weights mean nothing), so there the EM step equals the gradient to
first order. Every vector stands for feasible parameters.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.parameters import Parameters

Array = NDArray[np.float64]

LARGEST_SCALE = 20.0
"""Logarithm of the largest change of a standard deviation that is taken seriously."""


class Anchor:
    """Coordinates of mixtures, about one whose weights are all positive.

    Parameters
    ----------
    parameters : Parameters
        The anchor.
    """

    def __init__(self, parameters: Parameters) -> None:
        self._at = parameters
        self._precision = structure_of(parameters).precision
        self._roots = np.sqrt(parameters.weights)
        self._factors = parameters.precisions_cholesky
        shared = len(self._factors) < len(self._roots)
        self._scale_roots = np.ones(1) if shared else self._roots
        self._last: tuple[Array, Array] | None = None

    def coordinates(self, parameters: Parameters) -> Array:
        """Return the coordinates of parameters of the same structure, k and d."""
        means = self._precision.pulled(self._factors, parameters.means - self._at.means)
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
        """Return the parameters at some coordinates; None if they are absurdly far away."""
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
        means = at.means + self._precision.pulled_back(self._factors, means)
        covariances = self._precision.covariances(factors)
        return Parameters(at.structure, weights, means, covariances, factors)

    def gradient(self, parameters: Parameters, image: Parameters, shares: Array) -> Array:
        """Return the gradient of the objective, in nats a row, at `parameters`.

        By Fisher's identity it is that of the expected complete-data log-likelihood, which
        the EM image of the parameters determines (Salakhutdinov, Roweis & Ghahramani 2003),
        and of a conjugate prior, which the image has in it; an image with `reg_covar` gives the
        gradient of the likelihood with that noise.

        Parameters
        ----------
        parameters, image : Parameters
        shares : ndarray of shape (3, k)
            What the image's weights, means and scales were divided by, over the weight of all
            rows; its weights three times without a prior.
        """
        of_weights, of_means, of_scales = shares
        precision, factors = self._precision, parameters.precisions_cholesky
        shifts = image.means - parameters.means
        weighed = precision.pushed(factors, precision.pulled(factors, shifts))
        lowered = precision.pushed_back(self._factors, weighed)
        # Second moments are those about the image's means, and what lies between.
        offsets = np.sqrt(of_means / of_scales)[:, None] * shifts
        total = of_scales.sum() if len(factors) < len(of_scales) else 1.0
        scale = total * precision.scale_gradient(
            self._relative(factors), factors, of_scales / total, offsets, image.covariances
        )
        return np.concatenate(
            [
                (of_weights - of_weights.sum() * parameters.weights) / self._roots,
                ((of_means / self._roots)[:, None] * lowered).ravel(),
                (scale / self._scale_roots[:, None]).ravel(),
            ]
        )

    def _relative(self, factors: Array) -> Array:
        """Return `Precision.relative`, the last one kept: coordinates and gradient need it."""
        if self._last is None or self._last[0] is not factors:
            self._last = factors, self._precision.relative(self._factors, factors)
        return self._last[1]
