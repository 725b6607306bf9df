r"""The natural-parameter kernel: the E-step of a tile as two matrix products.

:math:`\log \pi_k N(x | \mu_k, \Sigma_k) = \theta_k \cdot T(x)`, so with T(X) the (p, b)
matrix of a tile's statistics and :math:`\Theta` the (k, p) matrix of natural parameters,
:math:`\log` joint densities are :math:`\Theta T` and the statistics :math:`T \Gamma^T`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daskgmm.gaussian.kernel import LOG_2_PI, Kernel, Sums, Tile, panels
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

    def bind(self, work: Workspace, b: int) -> NaturalTile:
        return NaturalTile(self, work, b)


class NaturalTile(Tile):
    """The two products of a tile, cut into panels."""

    def __init__(self, kernel: NaturalKernel, work: Workspace, b: int) -> None:
        super().__init__(kernel, work, b)
        p, k, d = kernel.shape
        features, joint = work.features[:, :b], self.joint
        self._kernel, self._ones = kernel, work.features[0]
        self._fill = kernel.structure.quadratic_filler(self.rows, features[1 + d :])
        self._products = [
            (features[:, cut], joint[:, cut]) for cut in panels(b, _product_width(p, k, b))
        ]
        height, width = _moment_panel(p, k, b)
        self._moments = [
            (rows, features[rows, columns], joint[:, columns].T)
            for rows in panels(p, height)
            for columns in panels(b, width)
        ]
        # Either factor of T diag(w / total) Gamma^T may carry the scale: the smaller does.
        self._scaled = features if p < k else joint

    def log_joint(self) -> None:
        self._fill()
        theta = self._kernel.theta
        for features, joint in self._products:
            np.matmul(theta, features, out=joint)

    def shared_term(self) -> Array | float:
        if not self._kernel.structure.shared:
            return 0.0
        return -0.5 * self._kernel.structure.whiten(self.rows, self._kernel.factors, 0)

    def accumulate(self, sums: Sums) -> None:
        np.multiply(self._scaled, self.total, self._scaled)
        for rows, features, responsibilities in self._moments:
            # Not matmul: it keeps Python's lock where the result has few entries.
            sums.sums[rows] += np.dot(features, responsibilities)
        self._ones.fill(1.0)


def _product_width(p: int, k: int, b: int) -> int:
    """Return how many columns of Theta T to compute at once."""
    width = SMALL_PRODUCT // (p * k) // 8 * 8
    return width if width >= MIN_PANEL else b


def _moment_panel(p: int, k: int, b: int) -> tuple[int, int]:
    """Return how many rows of T Gamma^T to compute at once, from how many columns."""
    height = SMALL_RESULT // k
    if height < MIN_PANEL_STATISTICS:
        return p, b
    return height, max(8, SMALL_PRODUCT // (height * k) // 8 * 8)


def log_weights(weights: Array) -> Array:
    """Return the logarithms of the weights, finite for those that are 0."""
    return np.log(np.maximum(weights, np.finfo(np.float64).tiny))
