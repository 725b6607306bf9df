"""Who takes moments and densities of blocks of rows: the table of back ends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from daskgmm.gaussian.block import Block
from daskgmm.gaussian.kernels.kernel import Kernel, Tile
from daskgmm.gaussian.kernels.workspace import Workspace
from daskgmm.gaussian.moments import Moments


class Backend(ABC):
    """The E-step of blocks of rows, on some library or machine.

    It travels to workers by pickle, so it is small.
    """

    @abstractmethod
    def moments(
        self, kernels: Sequence[Kernel], blocks: Iterator[Block], rows: int | None = None
    ) -> list[Moments]:
        """Return the moments of all blocks under each of several mixtures.

        The order of every sum must follow from the kernels and the rows alone, not from where
        blocks end.

        Parameters
        ----------
        kernels : sequence of Kernel
            One for each mixture, natural or whitened.
        blocks : iterator of Block
            Finite rows; those of weight 0 add nothing, whatever they are.
        rows : int, optional
            How many rows there are at most, if known.

        Returns
        -------
        list of Moments
            About the points of `Kernel.reference`. A natural kernel whose statistic is pooled
            leaves `pooled` 0, and the shared term out of the likelihood.
        """

    def tile(self, kernel: Kernel, work: Workspace, b: int) -> Tile:
        """Return what computes the log joint densities of b rows, for predictions.

        By default that is NumPy.
        """
        return kernel.bind(work, b)
