r"""What rows tell of z, their values in the units of each component: all, or a normal distribution.

With :math:`\Sigma = L L^T` and :math:`z = L^{-1} (x - \mu)`, which is N(0, I) before a row is seen,
z is known of a row that is complete and exact. Of others it is normal, with the mean m and the
covariance S:

- where columns o are observed and :math:`L_o^T = Q R` are those rows of L,
  :math:`m = Q R^{-T} (x_o - \mu_o)` and :math:`S = I - Q Q^T`;
- with noise of covariance :math:`C`, and :math:`C' = L^{-1} C L^{-T}`,
  :math:`m = (I + C')^{-1} L^{-1} (x - \mu)` and :math:`S = I - (I + C')^{-1}`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

import daskgmm.gaussian.covariance.algebra.packed as packed
from daskgmm.arrays import Array
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.charts.score_chart import ScoreChart
from daskgmm.gaussian.deconvolution.kernel import RowNoiseKernel
from daskgmm.gaussian.kernels.kernel import LOG_2_PI
from daskgmm.gaussian.kernels.whitened import WhitenedKernel
from daskgmm.gaussian.missing.patterns import Pattern

TILE_ROWS = 1024
"""Rows whose scores are computed at once."""


@dataclass(frozen=True, eq=False)
class Spread:
    """Covariances of z given each of b rows, for one component.

    Attributes
    ----------
    covariances : ndarray of shape (q, b), or (q, 1) where all rows have the same
        S: packed matrices, or the diagonals of diagonal ones (q = d).
    of_means : ndarray of shape (q, 1), or None
        Covariance of the means m that the noise of a kernel in observed columns makes.
    """

    covariances: Array
    of_means: Array | None = None


@dataclass(frozen=True, eq=False)
class Conditionals:
    """Distributions of z given b rows, one for each of k components.

    Attributes
    ----------
    joint : ndarray of shape (k, b)
        Log weights plus log densities of what is seen of the rows.
    means : sequence of k ndarrays of shape (d, b)
    excess : sequence of k ndarrays of shape (q, b), or (q, 1)
        Second moments of z less the products of `means`, with what `reg_covar` adds, less I:
        packed where covariances are matrices, else diagonals (q = d).
    spreads : sequence of k Spread, or None
        None where z is known.
    """

    joint: Array
    means: Sequence[Array]
    excess: Sequence[Array]
    spreads: Sequence[Spread] | None = None

    def kept(self, rows: NDArray[np.intp]) -> Conditionals:
        """Return the points and second moments of some rows, for their scores alone."""
        means = [part[:, rows] for part in self.means]
        excess = [part if part.shape[1] == 1 else part[:, rows] for part in self.excess]
        return Conditionals(self.joint[:, rows], means, excess)


class Conditioning(Protocol):
    """What makes conditionals of the rows of a block."""

    @property
    def tile_rows(self) -> int:
        """Rows that it should be given at once, at most."""

    def __call__(self, block: Block) -> Conditionals:
        """Return the distributions of z given the rows."""


@dataclass(frozen=True, eq=False)
class CompleteRows:
    """Rows that are complete and exact."""

    chart: ScoreChart
    constant: Array
    tile_rows: int = TILE_ROWS

    @classmethod
    def of(cls, chart: ScoreChart) -> CompleteRows:
        """Return those of a chart."""
        return cls(chart, WhitenedKernel.of(chart.parameters, noise=chart.noise).constant)

    def __call__(self, block: Block) -> Conditionals:
        """Return conditionals that are points."""
        means = [self._whitened(block.x, j) for j in range(len(self.constant))]
        return Conditionals(
            _joint(self.constant, means), means, list(self.chart.excess[:, :, None])
        )

    def _whitened(self, x: Array, component: int) -> Array:
        own = self.chart.parameters
        difference = (x - own.means[component]).T
        factor = own.precisions_cholesky[component]
        if self.chart.detail == 2:
            return np.asarray(factor.T @ difference)
        return np.asarray(factor.reshape(-1, 1) * difference)


@dataclass(frozen=True, eq=False)
class ObservedColumns:
    """Rows of which the columns of one pattern are observed, and come alone.

    Attributes
    ----------
    means : ndarray of shape (k, o)
        Those of the observed columns.
    maps : ndarray of shape (k, d, o)
        From distances of observed values to the means of z.
    constant : ndarray of shape (k,)
        Log weight plus log normaliser.
    excess : ndarray of shape (k, q, 1)
    spreads : tuple of k Spread
    """

    means: Array
    maps: Array
    constant: Array
    excess: Array
    spreads: tuple[Spread, ...]
    tile_rows: int = TILE_ROWS

    @classmethod
    def of(cls, chart: ScoreChart, pattern: Pattern) -> ObservedColumns:
        """Return what the columns of a pattern tell."""
        own, columns = chart.parameters, np.flatnonzero(pattern)
        if chart.detail == 2:
            maps, covariances, roots = _through_matrices(chart.lower, columns)
            of_means = packed.pack(maps @ maps.swapaxes(1, 2)) * chart.noise
            covariances = packed.pack(covariances)
        else:
            factors = chart.axes[:, columns]  # (k, o)
            maps = np.zeros((*chart.axes.shape, len(columns)))
            maps[:, columns, np.arange(len(columns))] = factors
            roots, of_means = factors, chart.noise * np.where(pattern, chart.axes, 0.0) ** 2
            covariances = np.broadcast_to(np.where(pattern, 0.0, 1.0), chart.axes.shape)
        constant = (
            np.log(own.weights)
            + np.log(roots).sum(axis=1)
            - 0.5 * chart.noise * (maps**2).sum(axis=(1, 2))
            - 0.5 * len(columns) * LOG_2_PI
        )
        excess = chart.excess_of(chart.reg_covar - chart.noise) + covariances + of_means
        spreads = [
            Spread(covariances[j, :, None], of_means[j, :, None]) for j in range(len(constant))
        ]
        means = np.ascontiguousarray(own.means[:, columns])
        return cls(means, maps, constant, excess[:, :, None], tuple(spreads))

    def __call__(self, block: Block) -> Conditionals:
        """Return conditionals of rows (b, o)."""
        pairs = zip(self.maps, self.means, strict=True)
        means = [part @ (block.x - at).T for part, at in pairs]
        return Conditionals(_joint(self.constant, means), means, list(self.excess), self.spreads)


def _through_matrices(lower: Array, columns: NDArray[np.intp]) -> tuple[Array, Array, Array]:
    """Return Q R^-T (k, d, o), I - Q Q^T (k, d, d), and |diag R|^-1 (k, o), of L (k, d, d)."""
    rows = lower[:, columns].swapaxes(1, 2)
    basis, upper = np.linalg.qr(rows)
    maps = basis @ np.linalg.inv(upper).swapaxes(1, 2)
    covariances = np.eye(lower.shape[-1]) - basis @ basis.swapaxes(1, 2)
    return maps, covariances, 1.0 / np.abs(np.diagonal(upper, axis1=1, axis2=2))


@dataclass(frozen=True, eq=False)
class NoisyRows:
    """Rows with noise of their own beside them."""

    chart: ScoreChart
    kernel: RowNoiseKernel

    @classmethod
    def of(cls, chart: ScoreChart, width: int) -> NoisyRows:
        """Return those of noise that has `width` numbers a row."""
        return cls(chart, RowNoiseKernel.about(chart.parameters, width, noise=chart.noise))

    @property
    def tile_rows(self) -> int:
        """Rows of a tile of the kernel."""
        return min(TILE_ROWS, self.kernel.tile_rows)

    def __call__(self, block: Block) -> Conditionals:
        """Return conditionals of what is behind the rows."""
        noise = block.beside.noise
        assert noise is not None, "rows have noise"
        joint, means, covariances = self.kernel.behind(block.x.T, noise.T)
        spreads, own = [Spread(part) for part in covariances], self.chart.excess[:, :, None]
        # Of components without matrices the diagonals, which come first.
        excess = own + covariances[:, : own.shape[1]]
        return Conditionals(joint, list(means), list(excess), spreads)


def _joint(constant: Array, means: Sequence[Array]) -> Array:
    joint = np.stack([-0.5 * np.einsum("ib,ib->b", z, z) for z in means])
    joint += constant[:, None]
    return joint
