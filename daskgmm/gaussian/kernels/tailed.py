"""Kernels of components with tails: another kernel's distances, and densities made of these."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.kernels.kernel import LOG_2_PI, Kernel, Sums, Tile
from daskgmm.gaussian.kernels.natural import NaturalKernel, PooledMoment
from daskgmm.gaussian.kernels.softmax import NO_PART
from daskgmm.gaussian.kernels.whitened import WhitenedKernel
from daskgmm.gaussian.kernels.workspace import Workspace
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.tails.tail import TailDensities
from daskgmm.gaussian.tails.tails import tail_of

FARTHEST = 1e301
"""Largest squared distance, so that no sum is infinite; more than that of the nearest component."""


def natural_kernel(parameters: Parameters, center: Array, noise: float = 0.0) -> Kernel:
    """Return the natural-parameter kernel about a centre, of Gaussians or with tails."""
    tail = tail_of(parameters)
    if tail is None:
        return NaturalKernel.of(parameters, center, noise)
    densities = tail.densities(parameters, noise)
    inner = NaturalKernel.of(_distances(parameters), center)
    theta = -2.0 * inner.theta
    theta[:, 0] += densities.shift
    return TailedKernel.of(replace(inner, theta=theta), densities)


def whitened_kernel(
    parameters: Parameters, reference: Array | None = None, noise: float = 0.0
) -> Kernel:
    """Return the whitened kernel, of Gaussians or with tails, with moments about `reference`."""
    tail = tail_of(parameters)
    if tail is None:
        return WhitenedKernel.of(parameters, reference, noise)
    inner = WhitenedKernel.of(_distances(parameters), reference)
    return TailedKernel.of(inner, tail.densities(parameters, noise))


def _distances(parameters: Parameters) -> Parameters:
    """Return Gaussians whose log joint densities are minus half the squared distances."""
    precision, d = structure_of(parameters).precision, parameters.n_features
    constants = precision.log_determinants(parameters.precisions_cholesky, d) - 0.5 * d * LOG_2_PI
    logs = np.broadcast_to(-constants, parameters.weights.shape)
    return replace(parameters, log_weights=logs, clean=None, inflation=None, degrees=None)


@dataclass(frozen=True)
class TailedKernel(Kernel):
    """Densities that are functions of the distances of a natural or a whitened kernel.

    Attributes
    ----------
    inner : NaturalKernel or WhitenedKernel
        What gives squared distances, shifted by that of the densities if it is natural; whitened,
        minus half of them.
    densities : TailDensities
    """

    inner: Kernel
    densities: TailDensities

    @classmethod
    def of(cls, inner: Kernel, densities: TailDensities) -> TailedKernel:
        """Return the kernel with the centre and the reference points of the inner one."""
        return cls(inner.structure, inner.center, inner.reference, inner, densities)

    @property
    def feature_rows(self) -> int:
        return self.inner.feature_rows

    @property
    def is_centred(self) -> bool:
        return self.inner.is_centred

    @property
    def n_tail_sums(self) -> int:
        return self.densities.n_sums

    @property
    def n_columns(self) -> int:
        return self.densities.n_columns

    def with_classes(self, classes: NDArray[np.intp]) -> TailedKernel:
        """Return the kernel of rows with labels: both parts of a component are of its class."""
        return replace(self, classes=np.tile(classes, self.n_columns // len(classes)))

    def bind(self, work: Workspace, b: int) -> TailedTile:
        return TailedTile(self, work, b)


class TailedTile(Tile):
    """The tile of another kernel, between whose two products densities are made of distances."""

    def __init__(self, kernel: TailedKernel, work: Workspace, b: int) -> None:
        super().__init__(kernel, work, b)
        self._inner = kernel.inner.bind(work, b)
        self._distances = self._inner.joint
        self._tail = kernel.densities.bind(self._distances)
        self.joint = self._tail.joint
        self._shift, self._is_natural = kernel.densities.shift[:, None], kernel.is_centred
        self._adds_pooled = kernel.is_centred and kernel.structure.statistic.pools
        self._sums: Sums | None = None
        self._pooled: PooledMoment | None = None

    def log_joint(self) -> None:
        self._inner.log_joint()
        distances = self._distances
        if self._adds_pooled:
            distances -= 2.0 * self._inner.shared_term()
        if not self._is_natural:
            np.multiply(distances, -2.0, out=distances)
            np.fmin(distances, FARTHEST, out=distances)
            np.add(distances, self._shift, out=distances)
        self._tail.densities()

    def shared_term(self) -> Array | float:
        return 0.0

    def of_components(self) -> Array:
        return self._tail.of_components()

    def outlying(self) -> Array:
        return self._tail.outlying()

    def add_to(self, sums: Sums) -> None:
        self._inner.add_to(sums)
        self._sums = sums
        if self._adds_pooled and sums.pooled is not None:
            self._pooled = PooledMoment(self.rows, sums.pooled)

    def accumulate(self) -> None:
        assert self._sums is not None, "add_to comes first"
        assert self._sums.tail is not None, "the sums are those of this kernel"
        if not self._is_natural:
            self.joint *= self.joint > NO_PART
        self._tail.weigh(self.total, self._sums.tail)
        if self._pooled is not None:
            self._pooled.add(np.add.reduce(self._distances, axis=0))
        self._inner.add_weighed()
