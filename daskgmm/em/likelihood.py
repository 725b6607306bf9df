"""The likelihood of rows as they are: with gaps, with noise, with labels, or plain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from daskgmm.arrays import Array
from daskgmm.em.expectation import OF_MORE_THAN_TILES
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.charts.conditionals import (
    CompleteRows,
    Conditioning,
    NoisyRows,
    ObservedColumns,
)
from daskgmm.gaussian.charts.score_chart import ScoreChart
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.deconvolution.kernel import RowNoiseKernel
from daskgmm.gaussian.kernels.backend import Backend
from daskgmm.gaussian.kernels.choice import (
    TOLERANCE,
    fast_kernel,
    is_whitened_faster,
    natural_error,
)
from daskgmm.gaussian.kernels.kernel import Kernel
from daskgmm.gaussian.kernels.tailed import whitened_kernel
from daskgmm.gaussian.missing.kernel import MarginalKernel
from daskgmm.gaussian.missing.patterns import Pattern
from daskgmm.gaussian.moments import Moments
from daskgmm.passes.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Likelihood:
    """What a kernel has to know of rows.

    Attributes
    ----------
    gaps : bool
        Whether they may miss values.
    noise : int or None
        Numbers of the noise of a row; None if rows are exact.
    labelled : bool
        Whether there are labels beside them.
    """

    gaps: bool = False
    noise: int | None = None
    labelled: bool = False

    @classmethod
    def of(cls, data: Dataset) -> Likelihood:
        """Return that of the rows of a data set."""
        noise = data.beside.noise
        width = None if noise is None else noise.n_features
        return cls(data.transform.marginalise, width, data.beside.labels is not None)

    @property
    def is_plain(self) -> bool:
        """Whether rows are whole and exact."""
        return not self.gaps and self.noise is None

    def conditioning(self, chart: ScoreChart, pattern: Pattern | None = None) -> Conditioning:
        """Return what rows tell, of those with gaps the rows of one pattern."""
        if pattern is not None:
            return ObservedColumns.of(chart, pattern)
        return CompleteRows.of(chart) if self.noise is None else NoisyRows.of(chart, self.noise)

    def kernel(self, chart: ScoreChart, half_range: Array) -> Kernel:
        """Return the kernel of the mixture of a chart."""
        parameters = chart.parameters
        k, d = parameters.means.shape
        kernel: Kernel
        if self.noise is not None:
            kernel = RowNoiseKernel.about(parameters, self.noise, noise=chart.noise)
            return kernel.with_classes(chart.classes) if self.labelled else kernel
        error = natural_error(parameters, chart.center, half_range)
        if self.gaps:
            about = parameters, chart.center
            # As in MarginalKernel.choose: patterns are off by at most d times as much.
            natural = d * error < TOLERANCE
            kernel = MarginalKernel.about(*about, noise=chart.noise, natural=natural)
        elif error >= TOLERANCE or is_whitened_faster(structure_of(parameters), k, d):
            kernel = whitened_kernel(parameters, noise=chart.noise)
        else:
            kernel = fast_kernel(parameters, chart.center, chart.noise)
        return kernel.with_classes(chart.classes) if self.labelled else kernel


def moments_of_block(backend: Backend, kernels: Sequence[Kernel], block: Block) -> list[Moments]:
    """Return the moments of a block of rows under each of several kernels of one kind."""
    given: tuple[Any, ...] = kernels, iter([block]), len(block.x)
    moments = OF_MORE_THAN_TILES.get(type(kernels[0]))
    return backend.moments(*given) if moments is None else moments(backend, *given)


def moments_of_parts(
    backend: Backend, kernel: Kernel, block: Block, starts: Sequence[int]
) -> list[Moments]:
    """Return the moments of each part of a block, as `Backend.moments_of_parts`."""
    if type(kernel) not in OF_MORE_THAN_TILES:
        return backend.moments_of_parts(kernel, block, starts)
    parts = [block.part(slice(*edges)) for edges in pairwise([*starts, len(block.x)])]
    return [moments_of_block(backend, (kernel,), part)[0] for part in parts]
