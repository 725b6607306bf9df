r"""The kernel of many features and few factors: log densities by q projections of each row.

The precision is :math:`D_k - \sum_j b_{kj} b_{kj}^T`, D diagonal. With rows x about the centre,
what is linear in x and all projections are one product, and the squares of x one more, as of
diagonal covariances. Moments take the same two, the other way round. So a row takes 4 k q d + 8 k d
operations, and nothing is of size d^2. Where few pairs of a row and a component have a part of the
row, moments are sums over these, and about half of the operations are left.

Tiles hold one row after the other, as blocks do: with so many features a transposed copy takes a
tenth of the time of a tile, and products of whole rows are faster.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.low_rank.precision import Axes
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.kernels.gemm import Product
from daskgmm.gaussian.kernels.kernel import LOG_2_PI, Kernel, Sums, Tile, panels
from daskgmm.gaussian.kernels.natural import MIN_PANEL, SMALL_PRODUCT, SMALL_RESULT
from daskgmm.gaussian.kernels.workspace import LINE, Workspace, by_rows
from daskgmm.gaussian.log_weights import log_weights
from daskgmm.gaussian.noise_terms import noise_terms
from daskgmm.gaussian.outliers import log_joint_of_noise
from daskgmm.gaussian.parameters import Parameters

LITTLE = 2.0**-80
"""Exponential up to which a pair of a row and a component may be left out, 8e-25, as in the
compiled kernel: below the rounding of the row's own. Of many features most rows have one pair."""

PANEL_ENTRIES = 49_152
"""Entries of a panel of squares: with its rows three quarters of a second-level cache of 1 MiB."""

CALLS, CALL, PAIR, ENTRY, GATHERED = 120_000, 11.0, 3_000, 9.0, 1.25
"""Time of sums over pairs, in units of a multiplication of those over all, which is 0.04 ns: of a
component, an entry of its sums, a pair, an entry of its row, and a multiplication of a pair.
Fitted to 36 measurements within 12 % (d 70 to 1000, k 3 to 50, q 2 to 20; AVX-512, OpenBLAS)."""


@dataclass(frozen=True)
class FactorKernel(Kernel):
    """Two products a tile each way; exact while `choice.natural_error` is small.

    Attributes
    ----------
    constant : ndarray of shape (k, 1)
        Log joint densities at `center`, without projections.
    directions : ndarray of shape (k + k q, d)
        Of each component its linear coefficients P (mu - c), then its axes b.
    squares : ndarray of shape (k, d)
        Coefficients of squares.
    """

    constant: Array
    directions: Array
    squares: Array

    @classmethod
    def of(cls, parameters: Parameters, center: Array, noise: float = 0.0) -> FactorKernel:
        """Build the kernel of parameters about a centre."""
        structure, factors = structure_of(parameters), parameters.precisions_cholesky
        precision, d = structure.precision, parameters.n_features
        offsets = parameters.means - center
        linear = precision.multiply_precision(factors, offsets)
        squares, axes = -0.5 * factors[:, -1] ** 2, Axes(factors).projections
        constant = (
            log_weights(parameters)
            - noise_terms(precision, factors, d, noise)
            + precision.log_determinants(factors, d)
            - 0.5 * (d * LOG_2_PI + np.einsum("ki,ki->k", offsets, linear))
        )
        if parameters.has_noise:
            constant = np.append(constant, log_joint_of_noise(parameters))
            linear, squares, axes = map(_with_zeros, (linear, squares, axes))
        reference = np.broadcast_to(center, (len(constant), d)).copy()
        outliers_of = parameters if parameters.has_noise else None
        directions = np.concatenate([linear[:, None], axes], axis=1).reshape(-1, d)
        coefficients = constant[:, None], directions, np.ascontiguousarray(squares)
        return cls(structure, center, reference, *coefficients, outliers_of=outliers_of)

    @property
    def is_centred(self) -> bool:
        return True

    @property
    def axes(self) -> Array:
        _, k, d = self.shape
        return self.directions.reshape(k, -1, d)[:, 1:]

    @property
    def feature_rows(self) -> int:
        _, k, d = self.shape
        return self.structure.n_buffer_rows(k, d)

    def bind(self, work: Workspace, b: int) -> FactorTile:
        return FactorTile(self, work, b)


def _with_zeros(values: Array) -> Array:
    """Return values (k, ...) with zeros for one more component."""
    return np.concatenate([values, np.zeros((1, *values.shape[1:]))])


class FactorTile(Tile):
    """The products of a tile: whole those of rows, in panels those of squares.

    Attributes
    ----------
    rows : ndarray of shape (d, b)
        In memory, one row follows the other.
    """

    def __init__(self, kernel: FactorKernel, work: Workspace, b: int) -> None:
        super().__init__(kernel, work, b)
        _, k, d = kernel.shape
        self._kernel, self._x = kernel, by_rows(work.rows, b, d)
        self.rows = self._x.T
        # The first row is left: it is the ones of a natural kernel, which has the buffer next.
        self._both = work.features[1 : 1 + len(kernel.directions), :b]
        by_component = self._both.reshape(k, -1, b)
        self._linear, self._projections = by_component[:, 0], by_component[:, 1:]
        self._by_component, self._norms = by_component, np.empty((k, b))
        # As many rows of the spare half of the buffer as b allows, however large it is.
        self._room = by_rows(work.rows[d:], max(1, b * (d // 2) // d), d)
        self._product = Product(kernel.directions, self._x, self._both, add=False, transposed=True)
        self._cuts = [*panels(b, panel_rows(k, d, len(self._room)))]
        self._panels = [
            SquaresPanel(self._x[cut], self._room, kernel.squares, self._linear[:, cut])
            for cut in self._cuts
        ]
        self._sums: Sums | None = None
        self._moments: Product | None = None

    def add_to(self, sums: Sums) -> None:
        k, d = self._kernel.reference.shape
        if sums.products is None:
            sums.products = np.zeros((k + len(self._kernel.directions), d))
        squares, products = sums.products[:k], sums.products[k:]
        self._sums = sums
        self._moments = Product(self._both, self._x, products, add=True)
        for cut, panel in zip(self._cuts, self._panels, strict=True):
            panel.add_to(self.joint[:, cut], squares)

    def log_joint(self) -> None:
        self._product()  # (k + k q, d) @ (d, b)
        for panel in self._panels:
            panel.add_densities()
        np.add(self._linear, self._kernel.constant, self.joint)
        np.einsum("kqb,kqb->kb", self._projections, self._projections, out=self._norms)
        self._norms *= 0.5
        self.joint += self._norms

    def shared_term(self) -> Array | float:
        return 0.0

    def accumulate(self) -> None:
        assert self._sums is not None, "add_to comes first"
        has_part = self.joint > LITTLE
        np.multiply(self.joint, self.total, self.joint)
        if are_few(int(np.count_nonzero(has_part)), self._projections.shape, self._x.shape[1]):
            np.multiply(self.joint, has_part, self.joint)
            self._add_parts(has_part)
        else:
            self._add_all()
        self._sums.sums[0] += self.joint.sum(axis=1)

    def _add_all(self) -> None:
        assert self._moments is not None, "add_to comes first"
        self._linear[:] = self.joint
        np.multiply(self._projections, self.joint[:, None], self._projections)
        self._moments()  # (k + k q, b) @ (b, d)
        for panel in self._panels:
            panel.add_moments()

    def _add_parts(self, has_part: NDArray[np.bool_]) -> None:
        """Add to each component the rows that have a part in it, and no others."""
        assert self._sums is not None, "add_to comes first"
        assert self._sums.products is not None, "add_to has made them"
        (k, d), most = self._kernel.reference.shape, len(self._room)
        squares, products = self._sums.products[:k], self._sums.products[k:].reshape(k, -1, d)
        components, rows = np.nonzero(has_part)  # component by component
        for first in range(0, len(rows), most):
            own, of = rows[first : first + most], components[first : first + most]
            x = self._room[: len(own)]
            np.take(self._x, own, axis=0, out=x, mode="clip")
            weighed = self._by_component[of, :, own]  # (pairs, 1 + q)
            weighed[:, 0] = 1.0
            weighed *= self.joint[of, own][:, None]
            edges = np.flatnonzero(np.diff(of, prepend=-1, append=k)).tolist()
            parts = [slice(*ends) for ends in itertools.pairwise(edges)]
            for part in parts:
                products[of[part.start]] += weighed[part].T @ x[part]
            np.multiply(x, x, x)
            for part in parts:
                squares[of[part.start]] += weighed[part, 0] @ x[part]


class SquaresPanel:
    """The squares of some rows of a tile, formed anew each way: they stay in the cache.

    Parameters
    ----------
    x : ndarray of shape (r, d)
    room : ndarray of shape (r or more, d)
        Overwritten.
    coefficients : ndarray of shape (k, d)
    densities : ndarray of shape (k, r)
        What is added to.
    """

    def __init__(self, x: Array, room: Array, coefficients: Array, densities: Array) -> None:
        self._x, self._squares = x, room[: len(x)]
        self._product = Product(coefficients, self._squares, densities, add=True, transposed=True)
        self._moments: Product | None = None

    def add_to(self, responsibilities: Array, sums: Array) -> None:
        """Bind the panel to responsibilities (k, r) and to the sums (k, d) of squares."""
        self._moments = Product(responsibilities, self._squares, sums, add=True)

    def add_densities(self) -> None:
        """Add coefficients @ squares^T to the densities."""
        np.multiply(self._x, self._x, self._squares)
        self._product()

    def add_moments(self) -> None:
        """Add responsibilities @ squares to the sums."""
        assert self._moments is not None, "add_to comes first"
        np.multiply(self._x, self._x, self._squares)
        self._moments()


def panel_rows(k: int, d: int, most: int) -> int:
    """Return the number of rows of a panel of squares, `most` at most.

    The squares fit into the cache, and their products with k columns are small ones.
    """
    rows = min(PANEL_ENTRIES // d, SMALL_PRODUCT // (k * d), SMALL_RESULT // k)
    return min(max(rows // LINE * LINE, MIN_PANEL), most)


def are_few(pairs: int, shape: tuple[int, ...], d: int) -> bool:
    """Return whether sums over pairs of a row and a component take less time than those over all.

    Parameters
    ----------
    pairs : int
    shape : tuple of int
        k, q and b of the projections.
    d : int
    """
    k, q, b = shape
    width = (q + 2) * d
    return (
        k * (CALLS + CALL * width) + pairs * (PAIR + ENTRY * d + GATHERED * width) < b * k * width
    )
