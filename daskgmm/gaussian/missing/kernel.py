"""The E-step of rows that miss values: a plain kernel for each pattern of missing values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.kernels.backend import Backend
from daskgmm.gaussian.kernels.choice import TOLERANCE, natural_error
from daskgmm.gaussian.kernels.kernel import Kernel, Tile
from daskgmm.gaussian.kernels.natural import NaturalKernel
from daskgmm.gaussian.kernels.whitened import WhitenedKernel
from daskgmm.gaussian.kernels.workspace import Workspace
from daskgmm.gaussian.missing.conditional import (
    MATRICES,
    Conditional,
    marginal,
    unstructured,
)
from daskgmm.gaussian.missing.patterns import Pattern, grouped
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.parameters import Parameters

KEPT_BYTES = 32 << 20
"""Bytes of the kernels of patterns that a task keeps: what more patterns need is made anew."""


@dataclass(frozen=True)
class MarginalKernel(Kernel):
    """Densities of the observed values of rows, and moments of whole ones.

    Attributes
    ----------
    whole : Parameters
        With matrices, or variances along axes: see `conditional.unstructured`.
    natural : bool
        Whether kernels of patterns are natural ones, about the centre, or whitened.
    noise : float
        See `Kernel`.
    """

    whole: Parameters
    natural: bool
    noise: float

    @classmethod
    def about(
        cls,
        parameters: Parameters,
        center: Array,
        points: Array | None = None,
        noise: float = 0.0,
        *,
        natural: bool = False,
    ) -> MarginalKernel:
        """Return the kernel whose moments are about points (k, d), by default the means.

        Moments of a natural one are about the centre (d,).
        """
        structure, (k, d) = structure_of(parameters), parameters.means.shape
        whole = unstructured(parameters, structure)
        if natural:
            points = np.broadcast_to(center, (k, d)).copy()
        else:
            center, points = np.zeros(d), parameters.means if points is None else points
        return cls(structure, center, points, whole, natural, noise)

    @classmethod
    def choose(
        cls, parameters: Parameters, center: Array, half_range: Array, noise: float = 0.0
    ) -> MarginalKernel:
        """Return the natural kernel if it is exact enough for all patterns, or else the whitened.

        Precisions of observed columns are at most those of all: so their bound is at most d times
        as large, by Cauchy's inequality.
        """
        bound = len(center) * natural_error(parameters, center, half_range)
        return cls.about(parameters, center, noise=noise, natural=bound < TOLERANCE)

    @property
    def feature_rows(self) -> int:
        return self.of(np.ones(len(self.center), bool)).feature_rows

    @property
    def is_centred(self) -> bool:
        return self.natural

    def bind(self, work: Workspace, b: int) -> Tile:
        return self.of(np.ones(len(self.center), bool)).bind(work, b)

    def of(self, pattern: Pattern) -> Kernel:
        """Return the kernel of the observed columns of a pattern."""
        return self._of(marginal(self.whole, pattern), pattern)

    def _of(self, observed: Parameters, pattern: Pattern) -> Kernel:
        if self.natural:
            return NaturalKernel.of(observed, self.center[pattern], self.noise)
        points = np.ascontiguousarray(self.reference[:, pattern])
        return WhitenedKernel.of(observed, points, self.noise)

    def given(self, pattern: Pattern) -> tuple[Kernel, Conditional]:
        """Return the kernel of a pattern, and what it tells of the other columns."""
        observed = marginal(self.whole, pattern)
        return self._of(observed, pattern), Conditional.of(self.whole, pattern, observed)

    def completed(self, found: Moments, conditional: Conditional) -> Moments:
        """Return the expected moments of whole rows, from those of observed columns."""
        means, d = self.whole.means, len(self.center)
        first, second = conditional.filled(found, means, self.reference, self.noise)
        statistic, pooled = self.structure.statistic, None
        if statistic.pools:
            # Pooled statistics have matrices.
            pooled, entries = second.sum(axis=0), np.empty((len(means), 0))
        else:
            entries = quadratic_entries(second, self.structure, self.whole.structure == MATRICES)
        sums = np.concatenate([found.counts[:, None], first, entries], axis=1).T
        assert sums.shape == (self.structure.n_statistics(d), len(means))
        return Moments(sums, self.reference, pooled, found.log_likelihood, found.weight, found.rows)

    def nothing(self) -> Moments:
        """Return the moments of no rows."""
        (p, k, d), pools = self.shape, self.structure.statistic.pools
        pooled = np.zeros((d, d)) if pools else None
        return Moments(np.zeros((p, k)), self.reference, pooled, 0.0, 0.0, 0)


def quadratic_entries(second: Array, structure: Structure, matrices: bool) -> Array:
    """Return the quadratic entries (k, q) of second moments, (k, d, d) or (k, d)."""
    if matrices:
        return structure.statistic.of_matrices(second)
    return second if structure.statistic.detail else second.sum(axis=1, keepdims=True)


Given = tuple[list[Kernel], list[Conditional]]


def marginal_moments(
    backend: Backend, kernels: Sequence[MarginalKernel], blocks: Iterator[Block]
) -> list[Moments]:
    """Return the moments of all blocks under each of several mixtures, as `Backend.moments`.

    The back end sees the observed values of each pattern as plain rows.
    """
    d, given = len(kernels[0].center), _remembered(kernels)
    totals = [kernel.nothing() for kernel in kernels]
    for pattern, block in grouped(blocks, d):
        plain, conditionals = given(pattern.tobytes())
        found = backend.moments(plain, iter([block]), len(block.x))
        whole = map(MarginalKernel.completed, kernels, found, conditionals)
        totals = [total + part for total, part in zip(totals, whole, strict=True)]
    return totals


def _remembered(kernels: Sequence[MarginalKernel]) -> Callable[[bytes], Given]:
    """Return what makes the kernels of a pattern, and keeps those of the last patterns."""
    each = sum(given_nbytes(*kernel.whole.means.shape) for kernel in kernels)

    @lru_cache(maxsize=max(1, KEPT_BYTES // each))
    def given(pattern: bytes) -> Given:
        pairs = [kernel.given(np.frombuffer(pattern, bool)) for kernel in kernels]
        return [plain for plain, _ in pairs], [told for _, told in pairs]

    return given


def given_nbytes(k: int, d: int) -> int:
    """Return the most bytes of the kernel of one pattern: factors, slopes, natural parameters."""
    return 8 * 4 * k * d * (d + 1)


def task_nbytes(k: int, d: int) -> int:
    """Return the bytes that the kernels of patterns, and the moments of one, take at most."""
    return max(KEPT_BYTES, given_nbytes(k, d)) + 8 * 6 * k * d * (d + 1)
