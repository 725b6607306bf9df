"""The E-step of rows that miss values: a plain kernel for each pattern of missing values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.covariance.algebra.precision import SingularError
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
    Completion,
    Conditional,
    marginal,
    unstructured,
)
from daskgmm.gaussian.missing.patterns import Pattern, grouped
from daskgmm.gaussian.missing.short_groups import (
    Group,
    Padded,
    Sums,
    are_short,
    held_rows,
    short_nbytes,
    sums_of,
    together,
)
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.parameters import Parameters

KEPT_BYTES = 32 << 20
"""Bytes of the kernels of patterns that are kept of a mixture: what more need is made anew."""


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
        kernel: Kernel
        if self.natural:
            kernel = NaturalKernel.of(observed, self.center[pattern], self.noise)
        else:
            points = np.ascontiguousarray(self.reference[:, pattern])
            kernel = WhitenedKernel.of(observed, points, self.noise)
        return kernel if self.classes is None else replace(kernel, classes=self.classes)

    def given(self, pattern: Pattern) -> tuple[Kernel, Completion]:
        """Return the kernel of a pattern, and what makes moments of whole rows of its own."""
        observed = marginal(self.whole, pattern)
        told = Conditional.of(self.whole, pattern, observed)
        form = structure_of(observed).precision
        traces = form.traces(observed.precisions_cholesky, observed.n_features)
        completion = told.completion(self.whole.means, self.reference, traces, self.noise)
        return self._of(observed, pattern), completion

    @cached_property
    def remembered(self) -> Callable[[bytes], tuple[Kernel, Completion]]:
        """Maker of the kernel of a pattern, of its bytes; it keeps those of the first patterns.

        All batches of a process share them. Batches have patterns in one order, so that of more
        than are kept the last ones would always be others than the next.
        """
        k, d = self.whole.means.shape
        most = max(1, KEPT_BYTES // given_nbytes(k, d))
        kept: dict[bytes, tuple[Kernel, Completion]] = {}

        def remember(pattern: bytes) -> tuple[Kernel, Completion]:
            found = kept.get(pattern)
            if found is None:
                found = self.given(np.frombuffer(pattern, bool))
                if len(kept) < most:
                    kept[pattern] = found
            return found

        return remember

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "remembered"}

    def completed(self, found: Moments, completion: Completion) -> Moments:
        """Return the expected moments of whole rows, from those of observed columns."""
        first, second = completion(found)
        traces = float(found.counts @ completion.traces)
        return self._whole(found, first, second, traces)

    def of_short_groups(self, backend: Backend, groups: Sequence[Group]) -> Moments:
        """Return the expected moments of whole rows of groups that share their calls."""
        total = self.nothing()
        for some in together(groups, len(self.reference)):
            try:
                found = sums_of(self.whole, Padded.of(some), self.noise, self.classes)
            except SingularError:  # alone, patterns may have the factors of whole rows
                for pattern, block in some:
                    total += _alone(backend, [self], pattern, block)[0]
                continue
            first, second = found.about(self.whole.means - self.reference)
            total += self._whole(found, first, second, found.traces)
        return total

    def _whole(self, found: Moments | Sums, first: Array, second: Array, traces: float) -> Moments:
        """Return moments about the reference, with first and second ones of whole rows."""
        k, d = self.reference.shape
        statistic, pooled = self.structure.statistic, None
        if statistic.pools:
            # Pooled statistics have matrices.
            pooled, entries = second.sum(axis=0), np.empty((k, 0))
        else:
            entries = quadratic_entries(second, self.structure, self.whole.structure == MATRICES)
        sums = np.concatenate([found.counts[:, None], first, entries], axis=1).T
        assert sums.shape == (self.structure.n_statistics(d), k)
        told = found.log_likelihood, found.weight, found.rows
        return Moments(sums, self.reference, pooled, *told, traces=traces)

    def nothing(self) -> Moments:
        """Return the moments of no rows."""
        (p, k, d), pools = self.shape, self.structure.statistic.pools
        pooled = np.zeros((d, d)) if pools else None
        return Moments(np.zeros((p, k)), self.reference, pooled, 0.0, 0.0, 0, traces=0.0)


def quadratic_entries(second: Array, structure: Structure, matrices: bool) -> Array:
    """Return the quadratic entries (k, q) of second moments, (k, d, d) or (k, d)."""
    if matrices:
        return structure.statistic.of_matrices(second)
    return second if structure.statistic.detail else second.sum(axis=1, keepdims=True)


def marginal_moments(
    backend: Backend,
    kernels: Sequence[MarginalKernel],
    blocks: Iterator[Block],
    rows: int | None = None,
) -> list[Moments]:
    """Return the moments of all blocks under each of several mixtures, as `Backend.moments`.

    The back end sees the observed values of each pattern as plain rows. Which patterns share their
    calls depends on a mixture and the rows alone, and so do its moments, whatever is beside it.
    """
    d = len(kernels[0].center)
    totals = [kernel.nothing() for kernel in kernels]
    short, held = [list[Group]() for _ in kernels], 0
    for pattern, block in grouped(blocks, d, rows):
        others = list[int]()
        for place, kernel in enumerate(kernels):
            if are_short(kernel.whole, (pattern, block)):
                short[place].append((pattern, block))
            else:
                others.append(place)
        if others:
            parts = _alone(backend, [kernels[place] for place in others], pattern, block)
            for place, part in zip(others, parts, strict=True):
                totals[place] += part
        held += len(block.x)  # also of other groups, so that all mixtures end theirs together
        if held >= held_rows(d):
            totals, short, held = (
                _with_short(backend, kernels, totals, short),
                [[] for _ in kernels],
                0,
            )
    return _with_short(backend, kernels, totals, short)


def _alone(
    backend: Backend, kernels: Sequence[MarginalKernel], pattern: Pattern, block: Block
) -> list[Moments]:
    """Return the moments of the rows of one pattern under each of several mixtures."""
    found = list[Moments]()
    for kernel in kernels:  # one by one: sums of products that mixtures share have other last bits
        plain, completion = kernel.remembered(pattern.tobytes())
        (own,) = backend.moments((plain,), iter([block]), _at_most(len(block.x)))
        found.append(kernel.completed(own, completion))
    return found


def _with_short(
    backend: Backend,
    kernels: Sequence[MarginalKernel],
    totals: Sequence[Moments],
    short: Sequence[Sequence[Group]],
) -> list[Moments]:
    """Return the moments with those of the short groups of each mixture."""
    return [
        total + kernel.of_short_groups(backend, own) if own else total
        for total, kernel, own in zip(totals, kernels, short, strict=True)
    ]


def _at_most(rows: int) -> int:
    """Return a power of two that is not less: groups of about one size then share buffers."""
    return 1 << (rows - 1).bit_length()


def given_nbytes(k: int, d: int) -> int:
    """Return the most bytes of the kernel of one pattern: factors, slopes, natural parameters."""
    return 8 * 4 * k * d * (d + 1)


def task_nbytes(k: int, d: int) -> int:
    """Return the bytes that the kernels of patterns, and the moments of one, take at most."""
    return max(KEPT_BYTES, given_nbytes(k, d)) + 8 * 6 * k * d * (d + 1) + short_nbytes(d)
