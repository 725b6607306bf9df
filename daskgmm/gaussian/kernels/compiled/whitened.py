"""The E-step of components about their own means, by the compiled library."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.algebra.axes import AlongAxes
from daskgmm.gaussian.covariance.algebra.dense import Dense
from daskgmm.gaussian.kernels.compiled.blocks import BLOCK, in_blocks, n_blocked, of_blocks
from daskgmm.gaussian.kernels.compiled.layout import in_lanes, split
from daskgmm.gaussian.kernels.compiled.library import Library, State
from daskgmm.gaussian.kernels.compiled.model import (
    LOG2_E,
    PANEL,
    Pairs,
    classes_of,
    linear_pairs,
    pairs_of,
)
from daskgmm.gaussian.kernels.compiled.step import CompiledStep
from daskgmm.gaussian.kernels.kernel import Sums
from daskgmm.gaussian.kernels.whitened import WhitenedKernel
from daskgmm.gaussian.kernels.workspace import LINE
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.outliers import log_joint_of_noise

TOGETHER_ENTRIES = 1 << 18
"""Entries of matrices (d, d) that are made at once: all of a pass would be beyond its plan."""


@dataclass(frozen=True)
class Apart:
    """A whitened kernel as the library takes it.

    Attributes
    ----------
    kernel : WhitenedKernel
    pairs : pair of ndarray of int, shape (p,)
        As `model.LibraryModel.pairs`, of the statistics that are not in matrices.
    means, points : ndarray of shape (k, d)
        Points of densities and of moments.
    constants : ndarray of shape (k,)
        Log joint densities at the means, in nats; minus infinity for a weight of 0.
    factors : ndarray of shape (m, e), or None
        Factors of matrices in blocks; m is 1 where components share one.
    scales : ndarray of shape (k, d), or None
        Factors along axes, if there are no matrices.
    seconds : int
        Number of second moments that are matrices: 0, 1 of all components together, or k.
    """

    kernel: WhitenedKernel
    pairs: Pairs
    means: Array
    points: Array
    constants: Array
    factors: Array | None
    scales: Array | None
    seconds: int

    @classmethod
    def of(cls, kernel: WhitenedKernel) -> Apart | None:
        """Return what the library takes; None if factors or moments are others than it knows."""
        statistic, precision = kernel.structure.statistic, kernel.structure.precision
        (k, d), factors, scales = kernel.means.shape, None, None
        matrices = statistic.detail == Dense.detail
        pairs = linear_pairs(d) if matrices else pairs_of(statistic, d)
        if kernel.axes is not None or pairs is None:
            return None
        if isinstance(precision, Dense):
            factors = _factors_in_blocks(kernel.factors)
        elif isinstance(precision, AlongAxes):
            scales = precision.multiply_ut(kernel.factors, np.ones((k, d)))
            scales = np.ascontiguousarray(scales, np.float64)
        else:
            return None
        points = np.ascontiguousarray(kernel.reference[:k], np.float64)
        means = np.ascontiguousarray(kernel.means, np.float64)
        seconds = 1 if statistic.pools else k if matrices else 0
        return cls(kernel, pairs, means, points, kernel.constant, factors, scales, seconds)


def _parts(m: int, d: int) -> Iterator[slice]:
    """Yield which of m matrices (d, d) are made at once."""
    most = max(1, TOGETHER_ENTRIES // d**2)
    return (slice(first, min(first + most, m)) for first in range(0, m, most))


def _factors_in_blocks(factors: Array) -> Array:
    """Return `in_blocks` of factors (m, d, d), few of which are copied at once."""
    (m, d, _), (first,) = factors.shape, in_blocks(factors[:1])
    found = np.empty((m, len(first)))
    for part in _parts(m, d):
        found[part] = in_blocks(factors[part])
    return found


def apart_entries(compiled: Library, p: int, k: int, d: int) -> int:
    """Return the entries of all that a pass has of p statistics of a component, at most."""
    # As many second moments; of other statistics p is all, and low rank has no such passes.
    matrices = k if p > 1 + 2 * d and p >= 1 + d + d * (d + 1) // 2 else 1
    sizes = _sizes(compiled, min(p, 1 + 2 * d), k, d, uniform=True, labelled=True)
    lists = 2 * (1 + 2 * d + LINE) + 2 * (k + 1)  # pairs, edges and classes
    return sum(sizes.values()) + 2 * matrices * n_blocked(d) + k * (3 * d + 1) + d + lists


def _sizes(
    compiled: Library, p: int, k: int, d: int, *, uniform: bool, labelled: bool
) -> dict[str, int]:
    """Return the entries of each buffer but those of second moments."""
    b = compiled.tile
    sizes = {"z": (1 + d) * b, "shifted": (2 + d) * b, "a": (k + uniform) * b, "weights": b}
    sizes |= {"factors": b, "sums": k * p * PANEL, "weighed": BLOCK * b, "far": d}
    return sizes | ({"labels": b} if labelled else {})


class CompiledApart(CompiledStep):
    """The sums under a whitened kernel."""

    sums = "sums", "seconds"

    def __init__(self, compiled: Library, model: Apart) -> None:
        (k, d), p, kernel = model.means.shape, len(model.pairs[0]), model.kernel
        whole, uniform, b = kernel.outliers_of, kernel.outliers_of is not None, compiled.tile
        classes = classes_of(kernel, k + uniform)
        sizes = _sizes(compiled, p, k, d, uniform=uniform, labelled=classes is not None)
        if model.seconds:
            sizes["seconds"] = model.seconds * n_blocked(d)
        arrays = split(sizes)
        arrays["shifted"][:b] = 1.0
        arrays |= {"means": model.means, "points": model.points, "center": np.zeros(d)}
        arrays["constants"] = LOG2_E * model.constants
        state = State(d=d, k=k, p=p, summed=p, columns=k + uniform)
        state.has_norm = int(model.pairs[1].max()) > d
        if model.factors is not None:
            arrays["own_factors"] = model.factors
            state.factor_step = model.factors.shape[1] if len(model.factors) > 1 else 0
        if model.scales is not None:
            arrays["scales"] = model.scales
        state.second_step = n_blocked(d) if model.seconds > 1 else 0
        state.uniform = 0.0 if whole is None else LOG2_E * log_joint_of_noise(whole)
        rows = [in_lanes(each) * b for each in model.pairs]
        integers: dict[str, NDArray[np.int64]] = {"left": rows[0], "right": rows[1]}
        if classes is not None:
            integers["classes"] = classes
        self._model = model
        super().__init__(compiled, state, arrays, integers)

    def _moments(self, of_rows: tuple[float, float, int]) -> Moments:
        model, kernel = self._model, self._model.kernel
        (k, d), p = model.means.shape, len(model.pairs[0])
        sums = Sums.zeros(kernel.structure, *kernel.shape[1:])
        pooled = sums.pooled
        sums.sums[:p, :k] = self._arrays["sums"].reshape(k, p, PANEL)[:, :, 0].T
        if model.seconds:
            blocks = self._arrays["seconds"].reshape(model.seconds, -1)
            if pooled is None:
                for part in _parts(k, d):
                    matrices = of_blocks(blocks[part], d)
                    sums.sums[p:, part] = kernel.structure.statistic.of_matrices(matrices).T
            else:
                (pooled,) = of_blocks(blocks, d)
        if kernel.outliers_of is not None:
            sums.sums[0, k] = self._state.outliers
        return Moments(sums.sums, kernel.reference, pooled, *of_rows)
