r"""Distances and expectations of rows with noise, in the units of each component.

With :math:`\Sigma = H H^T` and :math:`y = H^{-1}(x - \mu)` a row with noise of covariance C has the
covariance :math:`I + C'`, :math:`C' = H^{-1} C H^{-T}`. What is behind the row is expected at
:math:`\mu + H u`, :math:`u = (I + C')^{-1} y`, with the covariance
:math:`H (I - (I + C')^{-1}) H^T` (Bovy, Hogg & Roweis 2011). So the sums of
:math:`(I + C')^{-1}` and :math:`u u^T` are all that a component needs, and H is applied to these
once. :math:`I + C'` is at least I: factors exist whatever the scales of component and noise are.

Arrays have one entry of a matrix a row, and the rows of all components side by side, (., k b): so a
step of the factorisation is one call of NumPy.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

import daskgmm.gaussian.covariance.algebra.packed as packed
from daskgmm.arrays import Array


class Whitened(ABC):
    """Whitened rows of a tile of b rows under k components.

    Attributes
    ----------
    y : ndarray of shape (d, k b)
        Whitened rows; filled before `solve`.
    noise : ndarray of shape (q, k b)
        Entries of C'; filled before `solve`, and overwritten.
    squares, halves : ndarray of shape (k b,)
        Squared distances of the rows, and halves of the logarithms of the determinants of I + C'.
    u : ndarray of shape (d, k b)
        As above.
    """

    def __init__(self, d: int, q: int, kb: int) -> None:
        self.y, self.noise = np.empty((d, kb)), np.empty((q, kb))
        self.u = np.empty((d, kb))
        self.squares, self.halves = np.empty(kb), np.empty(kb)

    @abstractmethod
    def solve(self) -> None:
        """Fill `squares`, `halves` and `u`."""

    @abstractmethod
    def add_to(self, precisions: Array, products: Array, weights: Array) -> None:
        """Add the weighted sums of (I + C')^-1 and u u^T, or of their diagonals.

        `weights` are (k, b), the sums (k, d, d) or (k, d).
        """

    @abstractmethod
    def covariances(self) -> Array:
        """Return I - (I + C')^-1 of each row, (q, k b): packed, or its diagonal (q = d)."""


class AlongAxes(Whitened):
    """Variances along the axes, of components and of noise."""

    def __init__(self, d: int, kb: int) -> None:
        super().__init__(d, d, kb)

    def solve(self) -> None:
        y, u, shares = self.y, self.u, self.noise
        np.log1p(shares).sum(axis=0, out=self.halves)
        self.halves *= 0.5
        shares += 1.0
        np.divide(1.0, shares, out=shares)
        np.multiply(y, shares, out=u)
        np.multiply(y, u).sum(axis=0, out=self.squares)

    def add_to(self, precisions: Array, products: Array, weights: Array) -> None:
        k, b = weights.shape
        shares = self.noise.reshape(-1, k, b).transpose(1, 0, 2)
        precisions += (shares @ weights[:, :, None])[:, :, 0]
        u = self.u.reshape(-1, k, b).transpose(1, 0, 2)
        products += ((u * u) @ weights[:, :, None])[:, :, 0]

    def covariances(self) -> Array:
        return 1.0 - self.noise


class Dense(Whitened):
    """Matrices: their lower triangles, row by row, entry i (i + 1) / 2 + j for j <= i."""

    def __init__(self, d: int, kb: int) -> None:
        super().__init__(d, d * (d + 1) // 2, kb)
        self._rows = [self.noise[i * (i + 1) // 2 : (i + 1) * (i + 2) // 2] for i in range(d)]
        self._products, self._sums = np.empty((d, kb)), np.empty((d, kb))
        self._entry, self._pivot = np.empty(kb), np.empty(kb)

    def solve(self) -> None:
        self.squares.fill(0.0)
        self.halves.fill(0.0)
        self.u.fill(0.0)
        products, entry, pivot = self._products, self._entry, self._pivot
        for i in range(len(self._rows)):
            row = self._invert(i)
            np.log(pivot, out=entry)
            self.halves -= entry
            part = np.multiply(row, self.y[: i + 1], out=products[: i + 1])
            np.add.reduce(part, axis=0, out=entry)
            np.multiply(row, entry, out=part)
            self.u[: i + 1] += part
            entry *= entry
            self.squares += entry

    def _invert(self, i: int) -> Array:
        """Replace row i of C' by that of the inverse of the Cholesky factor of I + C'.

        The rows before are replaced already. `_pivot` is the last entry.
        """
        row, sums, products, entry = self._rows[i], self._sums, self._products, self._entry
        pivot = row[i]
        pivot += 1.0
        if i:
            sums[:i] = 0.0
        for j in range(i):
            before, part = self._rows[j], products[: j + 1]
            np.multiply(before, row[: j + 1], out=part)
            np.add.reduce(part, axis=0, out=entry)
            np.multiply(before, entry, out=part)
            sums[: j + 1] += part
            entry *= entry
            pivot -= entry
        # It is so in exact arithmetic; rounding of a large C' may leave less.
        np.maximum(pivot, 1.0, out=pivot)
        np.sqrt(pivot, out=pivot)
        np.divide(1.0, pivot, out=pivot)
        self._pivot[:] = pivot
        if i:
            np.negative(pivot, out=entry)
            np.multiply(sums[:i], entry, out=row[:i])
        return row

    def add_to(self, precisions: Array, products: Array, weights: Array) -> None:
        k, b = weights.shape
        for i, row in enumerate(self._rows):
            of_components = row.reshape(i + 1, k, b).transpose(1, 0, 2)
            weighted = of_components * weights[:, None]
            precisions[:, : i + 1, : i + 1] += weighted @ of_components.transpose(0, 2, 1)
        u = self.u.reshape(-1, k, b).transpose(1, 0, 2)
        products += (u * weights[:, None]) @ u.transpose(0, 2, 1)

    def covariances(self) -> Array:
        d, kb = self.u.shape
        found, rows = np.zeros((packed.size(d), kb)), self._rows
        for entry, (a, b) in enumerate(zip(*packed.indices(d), strict=True)):
            for i in range(max(a, b), d):
                found[entry] -= rows[i][a] * rows[i][b]
        found[:d] += 1.0
        return found
