"""Kernels: log joint densities and statistics of a tile of rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.kernels.workspace import Workspace, tile_rows, workspace
from daskgmm.gaussian.parameters import Parameters

LOG_2_PI = float(np.log(2 * np.pi))

BARRED = -2
"""Class of a column that is barred from every row of known class."""


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
        Point that is subtracted from every row first, so that products keep the digits of data
        far from the origin.
    reference : ndarray of shape (k, d)
        Reference points of the kernel's statistics.
    outliers_of : Parameters or None
        Those of a mixture with a uniform component: the kernel has a column more than components,
        and `gaussian.outliers.joined` makes those of the moments.
    classes : ndarray of int, shape (columns,), or None
        The class of each column, if the rows have labels: then those of other classes are barred
        from a row of known class. The uniform component is of `BARRED`: such a row is no outlier.
    """

    structure: Structure
    center: Array
    reference: Array
    outliers_of: Parameters | None = field(default=None, kw_only=True)
    classes: NDArray[np.intp] | None = field(default=None, kw_only=True)

    @property
    def shape(self) -> tuple[int, int, int]:
        """The sizes p, k and d."""
        k, d = self.reference.shape
        return self.structure.n_statistics(d), k, d

    @property
    def is_centred(self) -> bool:
        """Whether rows are rounded about a common centre; a kernel has the centre 0 if not."""
        return False

    @property
    def tile_rows(self) -> int:
        """Number of rows of a full tile."""
        p, k, d = self.shape
        return tile_rows(p, k, self.structure.least_tile_rows(d))

    @property
    def n_columns(self) -> int:
        """Number of densities of a row."""
        return self.shape[1]

    @property
    def n_tail_sums(self) -> int:
        """Number of sums, s, of `Moments.tail`; 0 for Gaussian components."""
        return 0

    @property
    def axes(self) -> Array | None:
        """Axes (k, q, d) that moments are projected on; None if they are of all products."""
        return None

    @property
    @abstractmethod
    def feature_rows(self) -> int:
        """Number of rows of the buffer for T(z): p, or 0 if it is never formed."""

    def with_classes(self, classes: NDArray[np.intp]) -> Self:
        """Return the kernel of rows with labels; `classes` are those of components, (k,)."""
        if self.outliers_of is not None:
            classes = np.append(classes, BARRED)
        return replace(self, classes=classes)

    def workspace(self, rows: int | None = None) -> AbstractContextManager[Workspace]:
        """Return the context of a workspace for tiles of this kernel, of at most `rows` rows."""
        _, k, d = self.shape
        return workspace(self.feature_rows, k, d, self.rows_of_tile(rows))

    def rows_of_tile(self, rows: int | None = None) -> int:
        """Return the number of rows of a tile of this kernel, of at most `rows` rows."""
        return self.tile_rows if rows is None else min(self.tile_rows, max(1, rows))

    @abstractmethod
    def bind(self, work: Workspace, b: int) -> Tile:
        """Return the kernel bound to the first b rows of a workspace.

        Views are made here, once for many tiles: threads wait for the Python code between two
        NumPy calls, which holds the lock.
        """


class Tile(ABC):
    """A kernel bound to a workspace: fill `rows`, then call `log_joint` and `accumulate`.

    Attributes
    ----------
    rows : ndarray of shape (d, b)
        Features of b rows minus the centre.
    joint : ndarray of shape (k, b)
        Log joint densities, then exponentials.
    maximum, total : ndarray of shape (b,)
        Maximum of the log joint densities and sum of the exponentials.
    weights : ndarray of shape (b,)
    """

    rows: Array
    joint: Array
    maximum: Array
    total: Array
    weights: Array

    def __init__(self, kernel: Kernel, work: Workspace, b: int) -> None:
        self.rows = work.rows[: len(kernel.center), :b]
        self.joint = work.joint[:, :b]
        self.maximum, self.total, self.weights = work.maximum[:b], work.total[:b], work.weights[:b]

    @abstractmethod
    def log_joint(self) -> None:
        """Fill `joint` with log(pi_k N(x | mu_k, Sigma_k)), less `shared_term`."""

    @abstractmethod
    def shared_term(self) -> Array | float:
        """Return the quadratic term of all components, shape (b,), if T is pooled; or else 0."""

    def of_components(self) -> Array:
        """Return the log joint densities of components, (k, b), after `log_joint`.

        They may be written over `joint`.
        """
        return self.joint

    def outlying(self) -> Array:
        """Return the probability that a row of each component is an outlier, (k, b).

        0 but for components with tails; after `log_joint`, and before `accumulate`.
        """
        return np.zeros(self.joint.shape)

    @abstractmethod
    def add_to(self, sums: Sums) -> None:
        """Bind the tile to the sums that `accumulate` adds to."""

    @abstractmethod
    def accumulate(self) -> None:
        """Add the statistics; joint * total are the weighted responsibilities."""

    def add_weighed(self) -> None:
        """Add the statistics; `joint` has the weighted responsibilities.

        Of kernels that give distances to others, as `TailedKernel` takes them.
        """
        raise TypeError(f"A {type(self).__name__} gives no distances for tails.")


@dataclass(slots=True)
class Sums:
    """Running sums of a batch; one task owns them.

    Attributes
    ----------
    sums : ndarray of shape (p, k)
        Statistics of each component, `Moments.sums`.
    pooled : ndarray of shape (d, d), or None
        Second moment of all components together, if the statistic pools it.
    tail : ndarray of shape (s, k), or None
        `Moments.tail`.
    products : ndarray of shape (2 k + k q, d), or None
        Of a `FactorKernel`, beside `sums`: sums of squares of all components, then of each those of
        x and of products with projections.
    """

    sums: Array
    pooled: Array | None
    tail: Array | None = None
    products: Array | None = None

    def whole(self) -> Array:
        """Return `sums` with what was summed beside them, shape (p, k)."""
        if self.products is None:
            return self.sums
        (p, k), d = self.sums.shape, self.products.shape[1]
        total = np.empty((k, p)).T  # so that what is copied stays in its order
        squares, products = self.products[:k], self.products[k:].reshape(k, -1)
        total[0] = self.sums[0]
        total[1 : 1 + d] = products[:, :d].T
        total[1 + d : 1 + 2 * d] = squares.T
        total[1 + 2 * d :] = products[:, d:].T
        return total

    @classmethod
    def zeros(cls, structure: Structure, k: int, d: int, n_tail: int = 0) -> Sums:
        """Return the sums of no rows."""
        pooled = np.zeros((d, d)) if structure.statistic.pools else None
        tail = np.zeros((n_tail, k)) if n_tail else None
        return cls(np.zeros((structure.n_statistics(d), k)), pooled, tail)


def panels(length: int, width: int) -> Iterator[slice]:
    """Yield slices of range(length) of `width` entries; the last one may be shorter."""
    for start in range(0, length, width):
        yield slice(start, min(start + width, length))
