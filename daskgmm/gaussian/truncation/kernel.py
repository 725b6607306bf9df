r"""The E-step of a truncated mixture: each row has densities under the candidates of its cell.

With :math:`C(x)` the candidates, :math:`F = \sum_n w_n \log \sum_{k \in C(x_n)} \pi_k N(x_n | k)`
is the free energy whose posterior is 0 for other components (Lücke & Eggert 2010; Hughes & Sudderth
2016): never more than the log-likelihood, and an M-step never lowers it while cells stay.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from daskgmm.arrays import Array
from daskgmm.companions import Companions
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.kernels.backend import Backend
from daskgmm.gaussian.kernels.kernel import Kernel, Tile
from daskgmm.gaussian.kernels.natural import NaturalKernel
from daskgmm.gaussian.kernels.whitened import WhitenedKernel
from daskgmm.gaussian.kernels.workspace import Workspace
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.pooling import pools
from daskgmm.gaussian.truncation.cells import Cells
from daskgmm.gaussian.truncation.narrow import NarrowComponents
from daskgmm.gaussian.truncation.short_cells import ShortCells, short_rows

POOL_BYTES = 64 << 20
"""Rows that are collected before they are sorted by cell: the more, the longer the products."""

COMPARED_COST = 0.05
"""Part of the operations of a pass that go into rows under all components, which tell what the
others leave out."""

LEAST_COMPARED = 1_000
"""Rows of a pool that are compared at least, or all."""

COMPARED_ROWS = 64
"""Rows that are compared at once: their densities under 10,000 components are 5 MB."""

WholeKernel = NaturalKernel | WhitenedKernel


@dataclass(frozen=True)
class TruncatedKernel(Kernel):
    """A kernel of all components, of which each row sees those of its cell.

    Attributes
    ----------
    whole : NaturalKernel or WhitenedKernel
        Of Gaussian components, without noise and labels.
    cells : Cells
    natural : NaturalKernel or None
        The faster form of all but the narrow components, if there are others.
    narrow : NarrowComponents or None
        These, if `whole` is the slower form.
    """

    whole: WholeKernel
    cells: Cells
    natural: NaturalKernel | None
    narrow: NarrowComponents | None = None

    @classmethod
    def of(cls, whole: Kernel, cells: Cells) -> TruncatedKernel:
        """Return the truncated form of a kernel."""
        if not isinstance(whole, (NaturalKernel, WhitenedKernel)):
            raise TypeError(f"A {type(whole).__name__} has no candidates.")
        natural = whole if isinstance(whole, NaturalKernel) else None
        return cls(whole.structure, whole.center, whole.reference, whole, cells, natural)

    def with_narrow(
        self, parameters: Parameters, narrow: NDArray[np.bool_], center: Array, noise: float
    ) -> TruncatedKernel:
        """Return the kernel with the faster form for all but the narrow components.

        Moments of the others are about the centre.

        Parameters
        ----------
        parameters : Parameters
            Those of `whole`.
        narrow : ndarray of bool, shape (k,)
        center : ndarray of shape (d,)
        noise : float
            See `kernel.Kernel`.
        """
        if not isinstance(self.whole, WhitenedKernel) or narrow.all():
            return self
        with np.errstate(over="ignore", invalid="ignore"):  # of narrow components
            natural = NaturalKernel.of(parameters, center, noise)
        if natural.leaves_out:
            return self
        natural.theta[narrow] = 0.0
        reference = np.where(narrow[:, None], self.whole.reference, center)
        whole = replace(self.whole, reference=reference)
        own = NarrowComponents(whole, narrow)
        return replace(self, reference=reference, whole=whole, natural=natural, narrow=own)

    @property
    def is_centred(self) -> bool:
        return self.whole.is_centred

    @property
    def feature_rows(self) -> int:
        return self.whole.feature_rows

    def bind(self, work: Workspace, b: int) -> Tile:
        return self.whole.bind(work, b)

    @property
    def compared_every(self) -> int:
        """Rows from one that is seen under all components to the next."""
        k, m = self.shape[1], self.cells.n_candidates
        return math.ceil(k / (2 * m * COMPARED_COST))


def truncated_moments(
    backend: Backend,
    kernels: Sequence[TruncatedKernel],
    blocks: Iterator[Block],
    rows: int | None = None,
) -> list[Moments]:
    """Return the moments of all blocks under each of several mixtures, as `Backend.moments`.

    The back end sees the rows of each cell as plain ones, under a mixture of its candidates.
    """
    sums = [CellSums(kernel, backend) for kernel in kernels]
    d = len(kernels[0].center)
    for pool in pools(blocks, d, pool_rows(d), rows):
        for each in sums:
            each.add(pool)
    return [each.moments() for each in sums]


class CellSums:
    """Running sums of the moments of a batch, cell by cell."""

    def __init__(self, kernel: TruncatedKernel, backend: Backend) -> None:
        p, k, d = kernel.shape
        self._kernel, self._backend = kernel, backend
        self._sums = np.zeros((k, p))
        self._pooled = np.zeros((d, d)) if kernel.structure.statistic.pools else None
        self._log_likelihood, self._weight, self._rows = 0.0, 0.0, 0
        self._left_out = np.zeros(2)
        natural = kernel.natural
        self._short = None if natural is None else ShortCells(natural, kernel.narrow)

    def add(self, pool: Block) -> None:
        """Add the rows of a pool."""
        cells = self._kernel.cells
        places = cells.of_rows(pool.x)
        order = np.argsort(places, kind="stable")
        x = pool.x[order]
        weights = None if pool.weights is None else pool.weights[order]
        edges = np.searchsorted(places[order], np.arange(len(cells.anchors) + 1))
        for cell in np.flatnonzero(np.diff(edges)):
            rows = slice(int(edges[cell]), int(edges[cell + 1]))
            self._add_cell(int(cell), x[rows], None if weights is None else weights[rows])
        self._weight += len(x) if pool.weights is None else float(pool.weights.sum())
        self._rows += len(x)
        own = np.ones(len(x)) if pool.weights is None else pool.weights
        compared = compared_rows(own, self._kernel.compared_every)
        parts = pool.x[compared], own[compared], places[compared]
        missed, weight = left_out(self._kernel, *parts)
        # As many rows are compared of a small pool as of a large one: each stands for its own.
        whole = float(own.sum())
        self._left_out += [missed * whole / weight if weight else 0.0, whole]

    def _add_cell(self, cell: int, x: Array, weights: Array | None) -> None:
        candidates = self._kernel.cells.candidates[cell]
        if self._short is not None and self._short.takes(candidates, len(x)):
            sums, log_likelihood = self._short.sums(candidates, x, weights)
            self._sums[candidates] += sums
            self._log_likelihood += log_likelihood
            return
        part = self._kernel.whole.part(candidates)
        block = Block(x, Companions(weights))
        # A power of two that is not less: cells of about one size share buffers.
        most = 1 << (len(x) - 1).bit_length()
        (found,) = self._backend.moments((part,), iter([block]), most)
        self._sums[candidates] += found.sums.T
        self._log_likelihood += found.log_likelihood
        if self._pooled is not None and found.pooled is not None:
            self._pooled += found.pooled

    def moments(self) -> Moments:
        """Return the moments of all rows added."""
        return Moments(
            self._sums.T,
            self._kernel.reference,
            self._pooled,
            self._log_likelihood,
            self._weight,
            self._rows,
            left_out=self._left_out,
        )


def compared_rows(weights: Array, every: int) -> NDArray[np.intp]:
    """Return rows that are seen under all components: one of each `every` that have a weight.

    Of a small pool there are more, as most of what is left out is that of few rows. Each is drawn,
    so that no pattern of the rows is met: by a seed, for the same bits.
    """
    weighed = np.flatnonzero(weights)
    every = max(1, min(every, len(weighed) // LEAST_COMPARED))
    first = np.arange(0, len(weighed), every)
    drawn = first + np.random.default_rng(len(weighed)).integers(0, every, len(first))
    compared: NDArray[np.intp] = weighed[np.minimum(drawn, len(weighed) - 1)]
    return compared


def left_out(kernel: TruncatedKernel, x: Array, weights: Array, places: NDArray[np.intp]) -> Array:
    """Return what candidates leave out of log densities of rows, summed, and the rows' weight (2,).

    Parameters
    ----------
    kernel : TruncatedKernel
    x : ndarray of shape (n, d)
    weights : ndarray of shape (n,)
    places : ndarray of int, shape (n,)
        Cells of the rows.
    """
    total, components = 0.0, np.arange(kernel.shape[1])
    natural = kernel.whole if kernel.natural is None else kernel.natural
    for rows, tile in evaluated(natural, x, COMPARED_ROWS):
        if kernel.narrow is not None:
            kernel.narrow.fill_densities(tile.joint, components, x[rows].T)
        own = np.take_along_axis(tile.joint, kernel.cells.candidates[places[rows]].T, axis=0)
        with np.errstate(invalid="ignore"):
            missed = logsumexp(tile.joint, axis=0) - logsumexp(own, axis=0)
        total += float(weights[rows] @ np.maximum(missed, 0.0))
    return np.array([total, weights.sum()])


def evaluated(kernel: Kernel, x: Array, most: int) -> Iterator[tuple[slice, Tile]]:
    """Yield at most so many of the rows x (n, d) at once, with a tile of their log densities."""
    with kernel.workspace(most) as work:
        for first in range(0, len(x), most):
            rows = slice(first, first + most)
            tile = kernel.bind(work, len(x[rows]))
            np.subtract(x[rows].T, kernel.center[:, None], out=tile.rows)
            tile.log_joint()
            yield rows, tile


def pool_rows(d: int) -> int:
    """Return the number of rows of d columns that are sorted by cell at once."""
    return max(256, POOL_BYTES // (8 * d))


def task_nbytes(p: int, k: int, d: int, m: int, n: int | None = None) -> int:
    """Return the most bytes that the cells of a batch of n rows at most take beside these.

    The pool, its rows in units of the cells, those of a region, and in the order of the cells; the
    sums; parameters, moments and buffers of a cell.
    """
    short = short_rows(p) * (p + m + 2 * d)
    rows = pool_rows(d) if n is None else min(n, pool_rows(d))
    return 8 * (rows * (4 * d + 6) + 2 * k * p + 6 * m * p + short)
