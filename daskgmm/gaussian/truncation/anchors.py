"""Anchors of cells: many points, of which the nearest to a row is found by regions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array

TILE_ENTRIES = 1 << 18
"""Products of rows and anchors that are made at once: 2 MiB, which the processor's cache holds."""

PROBED = 4
"""Regions whose anchors are looked at, as the nearest one may be across a border."""


@dataclass(frozen=True, slots=True)
class Anchors:
    """Points in regions: two searches among about the square root of all find the nearest.

    Attributes
    ----------
    centers : ndarray of shape (r, d)
        Of regions.
    points : ndarray of shape (s, d)
        Those of one region after those of the one before.
    first : ndarray of int64, shape (r + 1,)
        Number of the first point of each region, and s.
    """

    centers: Array
    points: Array
    first: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.points)

    def nearest(self, z: Array) -> NDArray[np.intp]:
        """Return the nearest point to each row (n, d) among those of the nearest regions."""
        found, best = np.zeros(len(z), np.intp), np.full(len(z), -np.inf)
        for regions in nearest(z, self.centers, PROBED).T:
            for region, rows in grouped(regions, len(self.centers)):
                own = slice(self.first[region], self.first[region + 1])
                place, closeness = closest(z[rows], self.points[own])
                better = closeness > best[rows]
                found[rows[better]] = own.start + place[better]
                best[rows[better]] = closeness[better]
        return found


def grouped(places: NDArray[np.intp], count: int) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Yield each of `count` places that rows (n,) are at, with the numbers of its rows."""
    order = np.argsort(places, kind="stable")
    edges = np.searchsorted(places[order], np.arange(count + 1))
    for place in np.flatnonzero(np.diff(edges)):
        yield int(place), order[edges[place] : edges[place + 1]]


def closest(z: Array, anchors: Array) -> tuple[NDArray[np.intp], Array]:
    """Return the nearest of anchors (s, d) to each row (n, d), and how close it is.

    That is half of what the squared norm of the row is more than the squared distance.
    """
    found, closeness = np.empty(len(z), np.intp), np.empty(len(z))
    for rows, products in _products(z, anchors):
        found[rows] = products.argmax(axis=1)
        closeness[rows] = np.take_along_axis(products, found[rows, None], axis=1)[:, 0]
    return found, closeness


def nearest(z: Array, anchors: Array, count: int = 1) -> NDArray[np.intp]:
    """Return the nearest anchors (s, d) of each row (n, d), at most `count`, the nearest first."""
    count = min(count, len(anchors))
    found = np.empty((len(z), count), np.intp)
    for rows, products in _products(z, anchors):
        for place in range(count):
            best = products.argmax(axis=1)
            found[rows, place] = best
            np.put_along_axis(products, best[:, None], -np.inf, axis=1)
    return found


def _products(z: Array, anchors: Array) -> Iterator[tuple[slice, Array]]:
    """Yield x . a - |a|^2 / 2 for some rows and all anchors.

    Products are of as many rows each, but for the last: they depend on the rows of a pool alone.
    """
    turned = np.ascontiguousarray(anchors.T)
    half_norms = 0.5 * np.einsum("si,si->s", anchors, anchors)
    height = max(16, TILE_ENTRIES // len(anchors))
    for first in range(0, len(z), height):
        rows = slice(first, first + height)
        products = z[rows] @ turned
        products -= half_norms
        yield rows, products
