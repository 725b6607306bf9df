"""Back ends: how the moments and densities of blocks of rows are computed."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import ClassVar

from daskgmm.gaussian.block import Block
from daskgmm.gaussian.kernels.kernel import Kernel, Tile
from daskgmm.gaussian.kernels.pairs import PairLayout, PairSums
from daskgmm.gaussian.kernels.prediction import Prediction
from daskgmm.gaussian.kernels.workspace import Workspace
from daskgmm.gaussian.moments import Moments

MomentsOfPass = Callable[[Iterator[Block], int | None], list[Moments]]
"""Returns the moments of the blocks of a batch, given an upper bound on their rows. Threads call it
at the same time, and workers get it by pickle."""


class Backend(ABC):
    """The E-step of blocks of rows on some library or machine; workers get it by pickle.

    Attributes
    ----------
    takes_labels : bool
        Whether it bars the components of `Kernel.classes` from rows of other classes.
    has_single : bool
        Whether it has tiles in float32 (`single.SingleKernel`).
    shares_products : bool
        Whether mixtures of a pass share the products of a row that natural kernels take.
    short_calls : bool
        Whether a tile takes many calls under Python's lock, so that threads wait for each other
        where tiles take little time.
    """

    takes_labels: ClassVar[bool] = False
    has_single: ClassVar[bool] = False
    shares_products: ClassVar[bool] = True
    short_calls: ClassVar[bool] = True

    @abstractmethod
    def moments(
        self, kernels: Sequence[Kernel], blocks: Iterator[Block], rows: int | None = None
    ) -> list[Moments]:
        """Return the moments of all blocks under each of several mixtures.

        The order of every sum must depend on the kernels and the rows alone, not on the borders of
        blocks.

        Parameters
        ----------
        kernels : sequence of Kernel
            Natural, whitened, or of factors, one for each mixture; of components with tails a
            `TailedKernel`. Moments of a kernel that has `axes` are projected on these
            (`covariance.projections`).
        blocks : iterator of Block
            Finite rows; those of weight 0 add nothing, whatever their values are.
        rows : int, optional
            Upper bound on the number of rows, if known.

        Returns
        -------
        list of Moments
            Moments about the points of `Kernel.reference`. A natural kernel whose statistic is
            pooled leaves `pooled` 0, and the shared term out of the likelihood. Of a kernel with
            tails `Moments.tail` has its sums.
        """

    def of_pass(self, kernels: Sequence[Kernel]) -> MomentsOfPass:
        """Return what takes the moments of the batches of one pass; by default `moments` does."""
        return partial(self.moments, kernels)

    def moments_of_parts(
        self, kernel: Kernel, block: Block, starts: Sequence[int]
    ) -> list[Moments]:
        """Return the moments of each part of a block, as `moments` of its rows alone.

        Parameters
        ----------
        kernel : Kernel
        block : Block
            Without dropped rows.
        starts : sequence of int
            First row of each part, ascending from 0; none is empty. The last one ends the block.
        """
        edges = itertools.pairwise([*starts, len(block.x)])
        parts = [block.part(slice(first, stop)) for first, stop in edges]
        return [self.moments((kernel,), iter([part]), len(part.x))[0] for part in parts]

    def tile(self, kernel: Kernel, work: Workspace, b: int) -> Tile:
        """Return the tile that computes log joint densities of b rows, for predictions.

        By default it is NumPy's.
        """
        return kernel.bind(work, b)

    def prediction(self, kernel: Kernel) -> Prediction | None:
        """Return what predicts blocks by a kernel; None where tiles do it, which is the default.

        Labels, responsibilities and log densities are had from it, if nothing else is asked for.
        """
        del kernel
        return None

    def pairs(self, layout: PairLayout) -> PairSums | None:
        """Return what sums the products of a layout; None, the default, where nothing does."""
        del layout
        return None
