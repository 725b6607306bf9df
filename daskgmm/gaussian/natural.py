r"""The natural-parameter kernel: the E-step of a tile as two matrix products.

:math:`\log \pi_k N(x | \mu_k, \Sigma_k) = \theta_k \cdot T(x)`, so with T(X) the (p, b)
matrix of a tile's statistics and :math:`\Theta` the (k, p) matrix of natural parameters,
:math:`\log` joint densities are :math:`\Theta T` and the statistics :math:`T \Gamma^T`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daskgmm.gaussian.kernel import LOG_2_PI, Kernel, Sums, panels
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.structures import structure_of
from daskgmm.gaussian.workspace import Workspace

Array = NDArray[np.float64]

SMALL_PRODUCT = 1_000_000
"""OpenBLAS multiplies matrices with m n k <= 100^3 without packing them first, on AVX-512 at
up to twice the rate (100 against 50 GFLOP/s at d=16, k=16): products are cut to that size."""

SMALL_RESULT = 1200
"""The same holds for T Gamma^T only while the result has at most 1200 entries."""

MIN_PANEL = 128
"""Columns of Theta T below which a cut costs more calls than it gains."""

MIN_PANEL_STATISTICS = 16
"""Rows of T Gamma^T, likewise."""


@dataclass(frozen=True)
class NaturalKernel(Kernel):
    """Two products a tile; exact while `guard.natural_error` is small.

    Attributes
    ----------
    theta : ndarray of shape (k, p)
        Natural parameters about `center`.
    factors : ndarray
        The precision's factors, for the term that a shared structure leaves out.
    """

    theta: Array
    factors: Array

    @classmethod
    def of(cls, parameters: Parameters, center: Array) -> NaturalKernel:
        """Build the kernel for the given parameters, about the given centre."""
        structure, factors = structure_of(parameters), parameters.precisions_cholesky
        k, d = parameters.means.shape
        offsets = parameters.means - center
        linear, quadratic = structure.natural_quadratic(factors, offsets)
        constant = (
            log_weights(parameters.weights)
            + structure.log_determinants(factors, d)
            - 0.5 * (d * LOG_2_PI + np.einsum("ki,ki->k", offsets, linear))
        )
        theta = np.concatenate([constant[:, None], linear, quadratic], axis=1)
        reference = np.broadcast_to(center, (k, d)).copy()
        return cls(parameters.structure, center, reference, theta, factors)

    @property
    def buffer_rows(self) -> int:
        return self.shape[0]

    def log_joint(self, work: Workspace, b: int) -> Array:
        _, _, d = self.shape
        features, joint = work.features[:, :b], work.joint[:, :b]
        self.structure.fill_quadratic(features[1 : 1 + d], features[1 + d :])
        width = SMALL_PRODUCT // self.theta.size // 8 * 8
        for cut in panels(b, width if width >= MIN_PANEL else b):
            np.matmul(self.theta, features[:, cut], out=joint[:, cut])
        return joint

    def shared_term(self, work: Workspace, b: int) -> Array | float:
        if not self.structure.shared:
            return 0.0
        return -0.5 * self.structure.whiten(self._rows(work, b), self.factors, 0)

    def accumulate(self, sums: Sums, work: Workspace, b: int, weights: Array | None) -> None:
        p, k, _d = self.shape
        features, joint, scale = work.features[:, :b], work.joint[:, :b], work.total[:b]
        # Either factor of T diag(w / total) Gamma^T may carry the scale: take the smaller.
        np.multiply(features if p < k else joint, scale, out=features if p < k else joint)
        height, width = SMALL_RESULT // k, b
        if height < MIN_PANEL_STATISTICS:
            height = p
        elif height * k * b > SMALL_PRODUCT:
            width = SMALL_PRODUCT // (height * k) // 8 * 8
        for cut in panels(p, height):
            for columns in panels(b, width):
                sums.sums[cut] += features[cut, columns] @ joint[:, columns].T
        work.features[0] = 1.0


def log_weights(weights: Array) -> Array:
    """Return the logarithms of the weights, finite for those that are 0."""
    return np.log(np.maximum(weights, np.finfo(np.float64).tiny))
