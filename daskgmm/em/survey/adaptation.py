"""The moments of rows that no survey has checked, in one pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from operator import add

from daskgmm.em.events import silence
from daskgmm.em.passing import Pass
from daskgmm.em.survey.unsurveyed import run_unsurveyed
from daskgmm.em.survey.values import check_block
from daskgmm.em.survey.weighing import Weighing, merge_weighings, weigh
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.kernels.backend import Backend
from daskgmm.gaussian.kernels.kernel import Kernel
from daskgmm.gaussian.kernels.whitened import WhitenedKernel
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.parameters import Parameters
from daskgmm.passes.batches import Batch
from daskgmm.passes.configuration import backend
from daskgmm.passes.dataset import Dataset


@dataclass(frozen=True, slots=True)
class WeighedMoments:
    """Moments of rows, and what their weights add up to."""

    moments: Moments
    weighing: Weighing

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self.moments.rows

    def __add__(self, other: WeighedMoments) -> WeighedMoments:
        """Return the moments of both sets of rows."""
        weighing = merge_weighings(self.weighing, other.weighing)
        return WeighedMoments(self.moments + other.moments, weighing)


@dataclass(frozen=True, slots=True)
class CheckedExpectation:
    """The E-step of one batch, with a check of every value."""

    kernel: Kernel
    backend: Backend
    columns: tuple[str, ...] | None

    def __call__(self, batch: Batch, blocks: Iterator[Block]) -> WeighedMoments:
        """Return the moments of the batch; raise `DataError` at the first bad value."""
        weighings = [Weighing()]
        checked = _weighed(checked_blocks(batch, blocks, self.columns), weighings)
        (moments,) = self.backend.moments((self.kernel,), checked, batch.rows)
        return WeighedMoments(moments, weighings[0])


def checked_blocks(
    batch: Batch, blocks: Iterator[Block], columns: tuple[str, ...] | None, *, gaps: bool = False
) -> Iterator[Block]:
    """Pass the blocks of a batch on, once `check_block` has found them usable."""
    before = 0
    for block in blocks:
        check_block(batch, before, block, columns, gaps=gaps)
        before += block.n_read
        yield block


def _weighed(blocks: Iterator[Block], weighings: list[Weighing]) -> Iterator[Block]:
    """Pass the blocks on; add what they weigh to the only entry of `weighings`."""
    for block in blocks:
        weighings[0] = merge_weighings(weighings[0], weigh(block.weights, len(block.x)))
        yield block


def moments_of(data: Dataset, parameters: Parameters) -> WeighedMoments:
    """Return the moments of rows about the means of a mixture, exact at any distance."""
    mapped = data.transform.coordinates is not None
    columns = None if mapped else data.rows.columns
    work = CheckedExpectation(WhitenedKernel.of(parameters), backend(), columns)
    asked: Pass[WeighedMoments] = Pass("adaptation", work, add)
    return run_unsurveyed(data, asked, silence)
