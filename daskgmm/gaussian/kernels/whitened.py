r"""The whitened kernel: rows minus the mean, times the triangular factor, for each component.

It is exact to rounding at any distance between components, and two to four times slower than the
natural-parameter kernel. Its statistics are about the current means. Rows have no common centre,
which would round those far from it: a single value of 1e37 moves it so far that all others are
rounded to one point.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.algebra.projections import projected_moment
from daskgmm.gaussian.covariance.low_rank.precision import Axes
from daskgmm.gaussian.covariance.low_rank.structure import LowRankStructure
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.kernels.kernel import LOG_2_PI, Kernel, Sums, Tile
from daskgmm.gaussian.kernels.softmax import NO_PART
from daskgmm.gaussian.kernels.workspace import Workspace
from daskgmm.gaussian.log_weights import NO_WEIGHT, log_weights
from daskgmm.gaussian.noise_terms import noise_terms
from daskgmm.gaussian.outliers import log_joint_of_noise
from daskgmm.gaussian.parameters import Parameters

LEAST = -1e300
"""Smallest log density: squares of larger distances overflow, and so do their sums."""


@dataclass(frozen=True)
class WhitenedKernel(Kernel):
    """One product a component and tile, about each component's mean.

    Attributes
    ----------
    means : ndarray of shape (k, d)
    constant : ndarray of shape (k,)
        Log weight plus log normaliser of each component; minus infinity for a weight of 0.
    factors : ndarray
        `Parameters.precisions_cholesky`.
    """

    means: Array
    constant: Array
    factors: Array

    @classmethod
    def of(
        cls,
        parameters: Parameters,
        reference: Array | None = None,
        noise: float = 0.0,
    ) -> WhitenedKernel:
        """Build the kernel of parameters, with moments about `reference` (k, d) or the means."""
        structure, factors = structure_of(parameters), parameters.precisions_cholesky
        d = parameters.n_features
        logarithms = log_weights(parameters)
        constant = (
            logarithms
            - noise_terms(structure.precision, factors, d, noise)
            + structure.precision.log_determinants(factors, d)
            - 0.5 * d * LOG_2_PI
        )
        constant = np.where(logarithms > NO_WEIGHT, constant, -np.inf)
        about = parameters.means if reference is None else reference
        if parameters.has_noise:
            about = np.concatenate([about, np.zeros((1, d))])
        outliers_of = parameters if parameters.has_noise else None
        parts = parameters.means, constant, factors
        return cls(structure, np.zeros(d), about, *parts, outliers_of=outliers_of)

    def part(self, components: NDArray[np.int64]) -> WhitenedKernel:
        """Return the kernel of some components, of a mixture without noise and labels."""
        shared = len(self.factors) < len(self.means)
        return replace(
            self,
            means=self.means[components],
            constant=self.constant[components],
            factors=self.factors if shared else self.factors[components],
            reference=self.reference[components],
        )

    @property
    def axes(self) -> Array | None:
        structure = self.structure
        if isinstance(structure, LowRankStructure) and structure.is_projected(len(self.center)):
            return Axes(self.factors).projections
        return None

    @property
    def feature_rows(self) -> int:
        return 0

    def bind(self, work: Workspace, b: int) -> WhitenedTile:
        return WhitenedTile(self, work, b)


class WhitenedTile(Tile):
    """One whitening product and one product of moments for each component."""

    def __init__(self, kernel: WhitenedKernel, work: Workspace, b: int) -> None:
        super().__init__(kernel, work, b)
        self._kernel = kernel
        whole = kernel.outliers_of
        self._noise = log_joint_of_noise(whole) if whole is not None and whole.has_noise else None
        self._sums: Sums | None = None
        self._axes: Array | None = None

    def add_to(self, sums: Sums) -> None:
        self._sums = sums
        self._axes = self._kernel.axes

    def log_joint(self) -> None:
        kernel = self._kernel
        squared_distances, own = kernel.structure.precision.squared_distances, _own(kernel)
        with np.errstate(over="ignore", invalid="ignore"):
            for k, mean in enumerate(kernel.means):
                # (d, b) differences, (b,) squared Mahalanobis distances.
                squares = squared_distances(self.rows - mean[:, None], kernel.factors, own[k])
                self.joint[k] = kernel.constant[k] - 0.5 * squares
            if self._noise is not None:
                self.joint[-1] = self._noise
            beyond = np.flatnonzero(~(self.joint.max(axis=0) > LEAST))
        if len(beyond):
            distances = log_distances(kernel, self.rows[:, beyond])
            # Finite, so that a labelled row barred from the nearest one is not barred from its own.
            self.joint[:, beyond] = 1.5 * LEAST
            self.joint[distances.argmin(axis=0), beyond] = LEAST

    def shared_term(self) -> Array | float:
        return 0.0

    def accumulate(self) -> None:
        assert self._sums is not None, "add_to comes first"
        self.joint *= self.joint > NO_PART
        self.joint *= self.total
        self.add_weighed()

    def add_weighed(self) -> None:
        assert self._sums is not None, "add_to comes first"
        kernel, k = self._kernel, len(self._kernel.means)
        about = kernel.structure, kernel.reference[:k]
        accumulate_about(*about, self.rows, self.joint, self._sums, self._axes)
        if self._noise is not None:
            self._sums.sums[0, -1] += self.joint[-1].sum()


def log_distances(kernel: WhitenedKernel, rows: Array) -> Array:
    """Return the logarithms of the Mahalanobis distances of rows (d, b), shape (k, b).

    They are scaled, for rows whose squares overflow; infinite for components of weight 0.
    """
    precision, own, tiny = kernel.structure.precision, _own(kernel), np.finfo(np.float64).tiny
    distances = np.full((len(kernel.means), rows.shape[1]), np.inf)
    for k in np.flatnonzero(kernel.constant > -np.inf):
        difference = rows - kernel.means[k][:, None]
        scale = np.maximum(np.abs(difference).max(axis=0), tiny)
        size = np.abs(kernel.factors[own[k]]).max()
        squares = precision.squared_distances(difference / scale, kernel.factors / size, own[k])
        distances[k] = 0.5 * np.log(np.maximum(squares, tiny)) + np.log(scale) + np.log(size)
    return distances


def _own(kernel: WhitenedKernel) -> list[int]:
    """Return the index of each component's factor."""
    k, m = len(kernel.means), len(kernel.factors)
    return list(range(k)) if m == k else [0] * k


def accumulate_about(
    structure: Structure,
    points: Array,
    z: Array,
    responsibilities: Array,
    sums: Sums,
    axes: Array | None = None,
) -> None:
    """Add the moments of a tile about one point a component.

    Parameters
    ----------
    points : ndarray of shape (k, d)
    z : ndarray of shape (d, b)
        Rows in the coordinates of the points.
    responsibilities : ndarray of shape (k, b)
        Responsibilities times the weights of the rows.
    sums : Sums
        Changed in place.
    axes : ndarray of shape (k, q, d), optional
        `Kernel.axes`.
    """
    d = len(z)
    for k, point in enumerate(points):
        difference = z - point[:, None]
        sums.sums[0, k] += responsibilities[k].sum()
        sums.sums[1 : 1 + d, k] += difference @ responsibilities[k]
        if axes is not None:
            second = projected_moment(difference, responsibilities[k], axes[k])
        else:
            second = structure.statistic.second_moment(difference, responsibilities[k])
        if sums.pooled is None:
            sums.sums[1 + d :, k] += second
        else:
            sums.pooled += second
