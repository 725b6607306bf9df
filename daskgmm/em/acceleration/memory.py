"""Points that acceleration keeps: how many, and the bytes that they take."""

from __future__ import annotations

import math

from daskgmm.gaussian.covariance.algebra.precision import Charted
from daskgmm.gaussian.covariance.low_rank.structure import LowRankStructure
from daskgmm.gaussian.covariance.structure import Structure

MEMORY = 10
"""Pairs of points that the curvature is estimated from."""

LARGE = 64
"""Features beyond which `MEMORY_LARGE` pairs do: mapping a point takes k d^3."""

MEMORY_LARGE = 5

POINTS_BYTES = 2 << 30
"""Bytes that points and their coordinates may take. It is no part of the memory of a machine, as
the bits of a fit depend on data and settings alone."""

LEAST_POINTS = 2
"""Points of an extrapolation, and of one pair: with fewer there is no acceleration."""


def most_points(structure: Structure, k: int, d: int, together: int = 1) -> int:
    """Return how many points are kept of k components in d features; 0 without acceleration.

    So many fits share the memory.
    """
    most = 1 + (MEMORY if d <= LARGE else MEMORY_LARGE)
    point = 8 * (_n_kept(structure, k, d) + _n_mapped(structure, k, d))
    most = min(most, POINTS_BYTES // (together * point))
    return most if most >= LEAST_POINTS else 0


def kept_nbytes(structure: Structure, k: int, d: int, together: int = 1) -> int:
    """Return the bytes of the points of one of so many fits."""
    return 8 * most_points(structure, k, d, together) * _n_kept(structure, k, d)


def coordinates_nbytes(structure: Structure, k: int, d: int, together: int = 1) -> int:
    """Return the bytes of the coordinates of these points, while a direction is looked for."""
    return 8 * most_points(structure, k, d, together) * _n_mapped(structure, k, d)


def _n_kept(structure: Structure, k: int, d: int) -> int:
    """Return the numbers of a point: factors of its parameters, covariances of its image."""
    return 2 * (k + k * d + _n_entries(structure, k, d)) + 3 * k


def _n_mapped(structure: Structure, k: int, d: int) -> int:
    """Return the numbers of a point's coordinates and of the gradient in these."""
    return 2 * (k + k * d + _n_coordinates(structure, k, d))


def _n_entries(structure: Structure, k: int, d: int) -> int:
    return math.prod(structure.covariance_shape(k, d))


def _n_coordinates(structure: Structure, k: int, d: int) -> int:
    """Return the number of coordinates of the covariances."""
    precision, m = structure.precision, structure.n_covariances(k)
    if isinstance(precision, Charted):
        return m * precision.n_parameters(d)
    if isinstance(structure, LowRankStructure) and structure.is_projected(d):
        return _n_entries(structure, k, d)
    return m * d * (d + 1) // 2  # as matrices
