"""The E-step of rows that have noise of their own: extreme deconvolution (Bovy et al. 2011)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.deconvolution.known import is_diagonal
from daskgmm.gaussian.deconvolution.whitened import AlongAxes, Dense, Whitened
from daskgmm.gaussian.kernels.backend import Backend
from daskgmm.gaussian.kernels.barring import Barring, labels_buffer
from daskgmm.gaussian.kernels.kernel import LOG_2_PI, Kernel, Tile
from daskgmm.gaussian.kernels.softmax import NO_PART, exponentiate, log_likelihood
from daskgmm.gaussian.kernels.tiles import fill_tiles
from daskgmm.gaussian.kernels.whitened import LEAST
from daskgmm.gaussian.kernels.workspace import Workspace
from daskgmm.gaussian.log_weights import NO_WEIGHT, log_weights
from daskgmm.gaussian.missing.conditional import MATRICES, unstructured
from daskgmm.gaussian.missing.kernel import quadratic_entries
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.noise_terms import noise_terms
from daskgmm.gaussian.parameters import Parameters

TILE_BYTES = 4 << 20
"""Bytes of the arrays of a tile: calls of NumPy on fewer rows show their cost at d=10."""

TILE_ROWS = (32, 4096)
"""Least and largest number of rows of a tile."""


@dataclass(frozen=True)
class RowNoiseKernel(Kernel):
    """Densities of rows with noise, and moments of what is behind them.

    Attributes
    ----------
    matrices : bool
        Whether components have matrices here, or variances along the axes.
    width : int
        Numbers of the noise of a row, e.
    means : ndarray of shape (k, d)
    constant : ndarray of shape (k,)
        Log weight plus log normaliser of each component; minus infinity for a weight of 0.
    whitening, spread : ndarray of shape (k, d, d), or (k, d)
        :math:`H^{-1}` and H, with :math:`H H^T` the covariance.
    """

    matrices: bool
    width: int
    means: Array
    constant: Array
    whitening: Array
    spread: Array

    @classmethod
    def about(
        cls, parameters: Parameters, width: int, points: Array | None = None, noise: float = 0.0
    ) -> RowNoiseKernel:
        """Return the kernel whose moments are about points (k, d), by default the means.

        `noise` is that of `Kernel`, of `reg_covar`: the same constant of each component as without
        noise of rows, so that M-steps that add it never lower the likelihood.
        """
        structure, d = structure_of(parameters), parameters.n_features
        whole = unstructured(parameters, structure)
        factors, form = whole.precisions_cholesky, structure_of(whole).precision
        constant = (
            log_weights(parameters)
            - noise_terms(form, factors, d, noise)
            + form.log_determinants(factors, d)
            - 0.5 * d * LOG_2_PI
        )
        constant = np.where(log_weights(parameters) > NO_WEIGHT, constant, -np.inf)
        matrices = whole.structure == MATRICES or not is_diagonal(width, d)
        whitening = factors
        if whole.structure == MATRICES:
            whitening = np.swapaxes(factors, 1, 2)
        elif matrices:
            whitening = factors[:, :, None] * np.eye(d)
        spread = np.asarray(np.linalg.inv(whitening) if matrices else 1.0 / whitening, np.float64)
        points = parameters.means if points is None else points
        parts = matrices, width, parameters.means, constant, whitening, spread
        return cls(structure, np.zeros(d), points, *parts)

    @property
    def feature_rows(self) -> int:
        return 0

    @property
    def tile_rows(self) -> int:
        """Number of rows of a tile: it depends on the model and the form of the noise alone."""
        return tile_rows(*self.shape[1:], self.width, matrices=self.matrices)

    def bind(self, work: Workspace, b: int) -> RowNoiseTile:
        return RowNoiseTile(self, work.rows, work.joint, work.weights, b)

    def behind(self, rows: Array, noise: Array) -> tuple[Array, Array, Array]:
        """Return what rows (d, b) with noise (e, b) tell of what is behind them, whitened.

        Returns
        -------
        joint : ndarray of shape (k, b)
            Log weights plus log densities.
        means : ndarray of shape (k, d, b)
            u: see `whitened`.
        covariances : ndarray of shape (k, q, b)
            Packed matrices, or the diagonals of diagonal ones (q = d).
        """
        k, b = len(self.means), rows.shape[1]
        x = np.ascontiguousarray(rows, np.float64)
        tile = RowNoiseTile(self, x, np.empty((k, b)), np.empty(b), b)
        tile.noise = np.ascontiguousarray(noise, np.float64)
        tile.log_joint()
        means, covariances = (part.reshape(-1, k, b).swapaxes(0, 1) for part in tile.behind())
        return tile.joint, means, covariances

    def completed(self, sums: _Sums, log_likelihood: float, weight: float, rows: int) -> Moments:
        """Return the moments of what is behind the rows."""
        counts, first, second = sums.behind(self)
        statistic, pooled = self.structure.statistic, None
        if statistic.pools:
            pooled, entries = second.sum(axis=0), np.empty((len(counts), 0))
        else:
            entries = quadratic_entries(second, self.structure, self.matrices)
        whole = np.concatenate([counts[:, None], first, entries], axis=1).T
        return Moments(whole, self.reference, pooled, log_likelihood, weight, rows)


def tile_rows(k: int, d: int, width: int, *, matrices: bool) -> int:
    """Return the number of rows of a tile, a power of two."""
    fitting = max(1, TILE_BYTES // (8 * _entries(k, d, width, matrices=matrices)))
    low, high = TILE_ROWS
    return int(min(max(1 << (fitting.bit_length() - 1), low), high))


def _entries(k: int, d: int, width: int, *, matrices: bool) -> int:
    """Return the numbers that a tile holds of each row."""
    of_components = d * (d + 1) // 2 + 5 * d + 5 if matrices else 4 * d + 3
    return width + d + 3 + k * (of_components + 1)


def task_nbytes(k: int, d: int, width: int) -> int:
    """Return the most bytes that a pass over rows with noise of `width` numbers holds beside them.

    Those of components with matrices, which take more than variances.
    """
    b = tile_rows(k, d, width, matrices=True)
    return 8 * (2 * b * _entries(k, d, width, matrices=True) + 8 * k * d * d)


class RowNoiseTile(Tile):
    """A tile of rows with their noise: fill `noise` (e, b) too before `log_joint`."""

    def __init__(
        self, kernel: RowNoiseKernel, rows: Array, joint: Array, weights: Array, b: int
    ) -> None:
        _, k, d = kernel.shape
        self.rows, self.joint, self.weights = rows[:d, :b], joint[:k, :b], weights[:b]
        self.maximum, self.total = np.empty(b), np.empty(b)
        self.noise = np.empty((kernel.width, b))
        self._kernel, self._sums = kernel, _Sums.zeros(kernel)
        self._work: Whitened = (Dense if kernel.matrices else AlongAxes)(d, k * b)
        self._maps = _noise_maps(kernel) if kernel.matrices else None

    def log_joint(self) -> None:
        kernel, work, b = self._kernel, self._work, len(self.maximum)
        k, d = kernel.means.shape
        y, noise = work.y.reshape(d, k, b), work.noise.reshape(-1, k, b)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            for j, mean in enumerate(kernel.means):
                centred = self.rows - mean[:, None]
                if self._maps is None:
                    np.multiply(centred, kernel.whitening[j][:, None], out=y[:, j])
                else:
                    np.matmul(kernel.whitening[j], centred, out=y[:, j])
            if self._maps is None:
                squared = (kernel.whitening**2).T[:, :, None]  # (d, k, 1)
                np.multiply(squared, self.noise[:, None], out=noise)
            else:
                np.matmul(self._maps, self.noise, out=noise.reshape(-1, b))
            work.solve()
            np.multiply(work.squares.reshape(k, b), -0.5, out=self.joint)
            self.joint -= work.halves.reshape(k, b)
            self.joint += kernel.constant[:, None]
            beyond = np.flatnonzero(~(self.joint.max(axis=0) > LEAST))
        if len(beyond):
            # As in the whitened kernel: the nearest component takes what is too far to square.
            scaled = np.abs(work.u.reshape(d, k, b)[:, :, beyond]).max(axis=0)
            scaled[~np.isfinite(kernel.constant)] = np.inf
            self.joint[:, beyond] = 1.5 * LEAST
            self.joint[scaled.argmin(axis=0), beyond] = LEAST

    def shared_term(self) -> float:
        return 0.0

    def behind(self) -> tuple[Array, Array]:
        """Return u (d, k b) and the covariances (q, k b) of what is behind the rows, whitened."""
        return self._work.u, self._work.covariances()

    def add_to(self, sums: object) -> None:
        """Take the sums that other tiles of the kernel have."""
        assert isinstance(sums, _Sums)
        self._sums = sums

    def accumulate(self) -> None:
        """Add the sums; `joint` has the weighted responsibilities."""
        self._sums.counts += self.joint.sum(axis=1)
        u = self._work.u.reshape(-1, *self.joint.shape)
        self._sums.first += (u.transpose(1, 0, 2) @ self.joint[:, :, None])[:, :, 0]
        self._work.add_to(self._sums.precisions, self._sums.products, self.joint)


def _noise_maps(kernel: RowNoiseKernel) -> Array:
    """Return what maps the noise of rows (e, b) to entries of C', component by component.

    Shape (q k, e): entry (i, j) of component c is the row (i (i + 1) / 2 + j) k + c.
    """
    k, d = kernel.means.shape
    rows, columns = np.tril_indices(d)
    left, right = kernel.whitening[:, rows], kernel.whitening[:, columns]  # (k, q, d)
    if is_diagonal(kernel.width, d):
        maps = left * right
    else:
        maps = (left[:, :, :, None] * right[:, :, None, :]).reshape(k, len(rows), d * d)
    return np.ascontiguousarray(np.swapaxes(maps, 0, 1).reshape(len(rows) * k, -1))


@dataclass(slots=True)
class _Sums:
    """Running sums of a batch, in the units of each component.

    Attributes
    ----------
    counts : ndarray of shape (k,)
    first : ndarray of shape (k, d)
        Sums of u.
    precisions, products : ndarray of shape (k, d, d), or (k, d)
        Sums of (I + C')^-1 and of u u^T, or of their diagonals.
    """

    counts: Array
    first: Array
    precisions: Array
    products: Array

    @classmethod
    def zeros(cls, kernel: RowNoiseKernel) -> _Sums:
        k, d = kernel.means.shape
        shape = kernel.spread.shape
        return cls(np.zeros(k), np.zeros((k, d)), np.zeros(shape), np.zeros(shape))

    def behind(self, kernel: RowNoiseKernel) -> tuple[Array, Array, Array]:
        """Return counts, first and second moments, (k, d, d) or (k, d), about the points."""
        counts, offsets = self.counts, kernel.means - kernel.reference
        if not kernel.matrices:
            ahead = kernel.spread * self.first
            second = kernel.spread**2 * (counts[:, None] - self.precisions + self.products)
            second += 2 * ahead * offsets + counts[:, None] * offsets**2
            return counts, ahead + counts[:, None] * offsets, second
        ahead = (kernel.spread @ self.first[:, :, None])[:, :, 0]
        inside = self.products - self.precisions
        inside += counts[:, None, None] * np.eye(offsets.shape[1])
        second = kernel.spread @ inside @ np.swapaxes(kernel.spread, 1, 2)
        across = ahead[:, :, None] * offsets[:, None, :]
        second += across + np.swapaxes(across, 1, 2)
        second += counts[:, None, None] * offsets[:, :, None] * offsets[:, None, :]
        second = (second + np.swapaxes(second, 1, 2)) / 2
        return counts, ahead + counts[:, None] * offsets, second


class _Expectation:
    """The E-step of one mixture: `add` each tile."""

    def __init__(self, kernel: RowNoiseKernel, rows: Array, weights: Array, noise: Array) -> None:
        self._kernel, self._buffers = kernel, (rows, weights, noise)
        self._joint = np.empty((len(kernel.means), rows.shape[1]))
        self._full = RowNoiseTile(kernel, rows, self._joint, weights, rows.shape[1])
        self._sums, self._barring = _Sums.zeros(kernel), Barring.of(kernel)
        self._log_likelihood, self._weight, self._rows = 0.0, 0.0, 0

    def add(self, b: int, weighted: bool, labels: NDArray[np.intp] | None) -> None:
        rows, weights_of, noise = self._buffers
        tile = self._full
        if b < rows.shape[1]:
            tile = RowNoiseTile(self._kernel, rows, self._joint, weights_of, b)
        tile.add_to(self._sums)
        tile.noise = noise[:, :b]
        weights = tile.weights if weighted else None
        tile.log_joint()
        if self._barring is not None and labels is not None:
            self._barring.bar(tile.joint, labels)
        exponentiate(tile.joint, tile.maximum, tile.total)
        tile.joint[tile.joint <= NO_PART] = 0.0
        self._log_likelihood += log_likelihood(tile.maximum, tile.total, weights)
        tile.joint *= np.divide(1.0 if weights is None else weights, tile.total)
        tile.accumulate()
        self._weight += b if weights is None else float(weights.sum())
        self._rows += b

    def moments(self) -> Moments:
        return self._kernel.completed(self._sums, self._log_likelihood, self._weight, self._rows)


def row_noise_moments(
    backend: Backend,
    kernels: Sequence[RowNoiseKernel],
    blocks: Iterator[Block],
    rows: int | None = None,
) -> list[Moments]:
    """Return the moments of all blocks under each of several mixtures, as `Backend.moments`.

    The back end has no part in it: each row has a covariance of its own.
    """
    b = min(kernel.tile_rows for kernel in kernels)
    if rows is not None:
        b = min(b, max(1, rows))
    d, width = len(kernels[0].center), kernels[0].width
    x, weights, noise = np.empty((d, b)), np.empty(b), np.empty((width, b))
    steps = [_Expectation(kernel, x, weights, noise) for kernel in kernels]
    labels = labels_buffer(kernels[0], b)
    for filled, weighted in fill_tiles(blocks, np.zeros(d), x, weights, noise, labels):
        for step in steps:
            step.add(filled, weighted, None if labels is None else labels[:filled])
    return [step.moments() for step in steps]
