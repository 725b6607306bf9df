"""What both kernels share: a tile goes in, log joint densities and statistics come out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.kernels.workspace import Workspace, tile_rows, workspace

Array = NDArray[np.float64]

LOG_2_PI = float(np.log(2 * np.pi))


@dataclass(frozen=True)
class Kernel(ABC):
    r"""The E-step of a tile, for fixed parameters, about a fixed centre.

    With noise of variance :math:`\varepsilon`, log densities are
    :math:`\log N(x | \mu_k, \Sigma_k) - \frac{\varepsilon}{2} \mathrm{tr}\, \Sigma_k^{-1}`:
    the mean of :math:`\log N(x + \eta | \mu_k, \Sigma_k)` over :math:`\eta \sim N(0,
    \varepsilon I)`. Their likelihood is a lower bound of that without noise, and the M-step that
    adds :math:`\varepsilon` to the diagonals never lowers it.

    Attributes
    ----------
    structure : Structure
    center : ndarray of shape (d,)
        Subtracted from every row before any arithmetic: without it, the digits of data far
        from the origin are lost in the products.
    reference : ndarray of shape (k, d)
        The points that the kernel's statistics are about.
    """

    structure: Structure
    center: Array
    reference: Array

    @property
    def shape(self) -> tuple[int, int, int]:
        """p, k and d."""
        k, d = self.reference.shape
        return self.structure.n_statistics(d), k, d

    @property
    @abstractmethod
    def feature_rows(self) -> int:
        """Rows of the buffer for T(z): p, or 0 where it is never formed."""

    def workspace(self, rows: int | None = None) -> AbstractContextManager[Workspace]:
        """Lend a workspace for tiles of this kernel, no larger than `rows` rows."""
        p, k, d = self.shape
        b = tile_rows(p, k)
        if rows is not None:
            b = min(b, max(1, rows))
        return workspace(self.feature_rows, k, d, b)

    @abstractmethod
    def bind(self, work: Workspace, b: int) -> Tile:
        """Return the kernel bound to the first b rows of a workspace.

        Views are taken here and not tile by tile: what holds Python's lock between two
        NumPy calls is what two threads wait for.
        """


class Tile(ABC):
    """A kernel bound to a workspace: fill `rows` (d, b), then call."""

    rows: Array
    """Centred features, (d, b), to be filled."""

    joint: Array
    """Log joint densities, then exponentials, (k, b)."""

    maximum: Array
    total: Array
    weights: Array

    def __init__(self, kernel: Kernel, work: Workspace, b: int) -> None:
        self.rows = work.rows[: len(kernel.center), :b]
        self.joint = work.joint[:, :b]
        self.maximum, self.total, self.weights = work.maximum[:b], work.total[:b], work.weights[:b]

    @abstractmethod
    def log_joint(self) -> None:
        """Fill `joint` with log(pi_k N(x | mu_k, Sigma_k)).

        Where the statistic is pooled, the quadratic term is left out.
        """

    @abstractmethod
    def shared_term(self) -> Array | float:
        """Return what `log_joint` left out: an array of shape (b,), or 0."""

    @abstractmethod
    def add_to(self, sums: Sums) -> None:
        """Bind the tile to the sums that `accumulate` adds to."""

    @abstractmethod
    def accumulate(self) -> None:
        """Add the statistics; the responsibilities, weighted, are joint * total."""


@dataclass(slots=True)
class Sums:
    """The running sums of one batch, local to the task that owns them.

    Attributes
    ----------
    sums : ndarray of shape (p, k)
    pooled : ndarray of shape (d, d), or None
    """

    sums: Array
    pooled: Array | None

    @classmethod
    def zeros(cls, structure: Structure, k: int, d: int) -> Sums:
        """Return the sums of no rows."""
        pooled = np.zeros((d, d)) if structure.statistic.pools else None
        return cls(np.zeros((structure.n_statistics(d), k)), pooled)


def panels(length: int, width: int) -> Iterator[slice]:
    """Cut range(length) into slices of `width`, the last one shorter."""
    for start in range(0, length, width):
        yield slice(start, min(start + width, length))
