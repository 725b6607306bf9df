"""The E-step of many mixtures in one pass: every row is read once for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from daskgmm.em.events import Listener, PassEnded
from daskgmm.em.expectation import checked, complete
from daskgmm.em.passing import run_pass
from daskgmm.em.survey import Survey
from daskgmm.gaussian.guard import choose_kernel
from daskgmm.gaussian.kernel import Expectation, Kernel
from daskgmm.gaussian.natural import NaturalKernel
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.stacked import Stack, StackedExpectation
from daskgmm.gaussian.statistics import Statistics, merge
from daskgmm.gaussian.workspace import tile_rows, workspace
from daskgmm.passes.batches import Batch
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.tiles import Block, fill_tiles


@dataclass(frozen=True, slots=True)
class ManyStatistics:
    """The statistics of each mixture, of the same rows."""

    parts: tuple[Statistics, ...]

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self.parts[0].rows


def merge_many(one: ManyStatistics, other: ManyStatistics) -> ManyStatistics:
    """Return the statistics of both sets of rows."""
    return ManyStatistics(tuple(map(merge, one.parts, other.parts)))


@dataclass(frozen=True, slots=True)
class ManyWork:
    """The E-step of one batch for several mixtures.

    Attributes
    ----------
    stacks : tuple of Stack
        Mixtures whose products are one.
    stacked : tuple of tuple of int
        The numbers of the mixtures in each stack.
    alone : tuple of Kernel
        Mixtures that need the exact kernel.
    alone_at : tuple of int
        Their numbers.
    """

    stacks: tuple[Stack, ...]
    stacked: tuple[tuple[int, ...], ...]
    alone: tuple[Kernel, ...]
    alone_at: tuple[int, ...]

    @classmethod
    def of(cls, kernels: Sequence[Kernel]) -> ManyWork:
        """Return the work with kernels of one structure stacked."""
        groups: dict[str, list[int]] = {}
        for index, kernel in enumerate(kernels):
            if isinstance(kernel, NaturalKernel):
                groups.setdefault(kernel.structure.name, []).append(index)
        stacks = tuple(Stack.of([kernels[i] for i in group]) for group in groups.values())
        alone = [i for i, kernel in enumerate(kernels) if not isinstance(kernel, NaturalKernel)]
        stacked = tuple(map(tuple, groups.values()))
        return cls(stacks, stacked, tuple(kernels[i] for i in alone), tuple(alone))

    def __call__(self, batch: Batch, blocks: Iterator[Block]) -> ManyStatistics:
        """Return the statistics of the batch, mixture by mixture."""
        kernels = [*(stack.kernel for stack in self.stacks), *self.alone]
        b = min(tile_rows(*kernel.shape[:2]) for kernel in kernels)
        if batch.rows is not None:
            b = min(b, max(1, batch.rows))
        with ExitStack() as lent:
            works = [
                lent.enter_context(workspace(kernel.feature_rows, *kernel.shape[1:], b))
                for kernel in kernels
            ]
            count = len(self.stacks)
            stacks = [StackedExpectation(*each) for each in zip(self.stacks, works, strict=False)]
            alone = [Expectation(*each) for each in zip(self.alone, works[count:], strict=True)]
            steps: list[StackedExpectation | Expectation] = [*stacks, *alone]
            # Rows of the exact kernel are as they are: all others can be made of those.
            first = steps[-1]
            center = kernels[-1].center
            others = [
                (step, (kernel.center - center)[:, None])
                for step, kernel in zip(steps[:-1], kernels[:-1], strict=True)
            ]
            for filled, weighted in fill_tiles(blocks, center, first.rows, first.weights):
                for other, shift in others:
                    np.subtract(first.rows[:, :filled], shift, out=other.rows[:, :filled])
                    other.weights[:filled] = first.weights[:filled]
                for step in steps:
                    step.add(filled, weighted)
            return self._in_order([each.statistics() for each in stacks], alone)

    def _in_order(self, stacks: list[list[Statistics]], alone: list[Expectation]) -> ManyStatistics:
        found = dict(zip(self.alone_at, (step.statistics() for step in alone), strict=True))
        for numbers, parts in zip(self.stacked, stacks, strict=True):
            found.update(zip(numbers, parts, strict=True))
        return ManyStatistics(tuple(found[index] for index in sorted(found)))


def expect_many(
    data: Dataset,
    mixtures: Sequence[Parameters],
    survey: Survey,
    listen: Listener,
    number: int = 1,
    noise: float = 0.0,
) -> tuple[list[Statistics], PassEnded]:
    """Return the expected sufficient statistics of all rows under each of the mixtures.

    Raises
    ------
    DataError
        As `expectation.expect`.
    """
    together = sum(each.n_components for each in mixtures)
    about = survey.mean, survey.half_range, noise, together
    kernels = [choose_kernel(each, *about) for each in mixtures]
    nbytes = sum(8 * int(np.prod(kernel.shape[:2])) for kernel in kernels)
    name = f"daskgmm-pass-{number}"
    work = ManyWork.of(kernels)
    many, ended = run_pass(data, "expectation", work, merge_many, listen, name, nbytes)
    found = []
    for kernel, statistics in zip(kernels, many.parts, strict=True):
        if isinstance(kernel, NaturalKernel) and kernel.structure.statistic.pools:
            statistics = complete(kernel, statistics, survey)
        found.append(checked(data, statistics, survey, listen))
    return found, ended
