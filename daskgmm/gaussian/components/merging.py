"""Merge of two components that keeps their joint moments."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.components.projection import projected
from daskgmm.gaussian.covariance.low_rank.structure import LowRankStructure
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.parameters import Parameters

TINY = float(np.finfo(np.float64).tiny)


class Pair(NamedTuple):
    """Components i < j, and what a row loses at most in the mean, in nats, if they are merged."""

    i: int
    j: int
    cost: float


def merges(parameters: Parameters, count: int, named: int = 0) -> list[Parameters]:
    """Return mixtures with two components merged, for `count` pairs as of `likely`, best first.

    Pairs without a finite merged covariance are left out. The first components, `named` ones, keep
    their places, and no two of them are merged.
    """
    found = likely(pairs(parameters, named), count)
    mixtures = [merged(parameters, pair.i, pair.j) for pair in found]
    return [mixture for mixture in mixtures if mixture is not None]


def pairs(parameters: Parameters, named: int = 0) -> list[Pair]:
    r"""Return all pairs of components but those of the first `named` ones, the most similar first.

    The cost is the upper bound on the Kullback-Leibler divergence of the merge (Runnalls 2007),
    :math:`\frac{1}{2} ((\pi_i + \pi_j) \log|\Sigma_{ij}| - \pi_i \log|\Sigma_i| -
    \pi_j \log|\Sigma_j|)`. There are none where k matrices of many features would not fit into
    memory.
    """
    weights, k = parameters.weights, parameters.n_components
    if without_matrices(structure_of(parameters), parameters.n_features):
        return []
    dense = covariance_matrices(parameters)
    logs = weights * np.linalg.slogdet(dense)[1]
    found: list[Pair] = []
    for row in range(k - 1):  # a row of pairs at a time: all together are k^2 matrices
        pooled = _pooled(parameters, dense, row)
        both = weights[row] + weights[row + 1 :]
        costs = (both * np.linalg.slogdet(pooled)[1] - logs[row] - logs[row + 1 :]) / 2
        costs, first = np.where(np.isnan(costs), np.inf, costs), max(row + 1, named)
        found += [Pair(row, j, float(costs[j - row - 1])) for j in range(first, k)]
    return sorted(found, key=lambda pair: pair.cost)


def likely(found: Sequence[Pair], count: int) -> list[Pair]:
    """Return `count` of pairs, the first, but of those with one component at most half as many.

    More of these follow only where there are no others. The bound tells little of what EM makes of
    a merge, and a component of hardly any weight is the most similar to all.
    """
    chosen: list[Pair] = []
    others: list[Pair] = []
    times: Counter[int] = Counter()
    for pair in found:
        is_one_more = max(times[pair.i], times[pair.j]) < max(1, count // 2)
        if is_one_more and pair.cost < math.inf:
            chosen.append(pair)
            times.update((pair.i, pair.j))
        else:
            others.append(pair)
    return [*chosen, *others][:count]


def without_matrices(structure: Structure, d: int) -> bool:
    """Return whether matrices (k, d, d) of so many features would not fit into memory."""
    return isinstance(structure, LowRankStructure) and structure.is_projected(d)


def merged(parameters: Parameters, i: int, j: int) -> Parameters | None:
    """Return the mixture with components i < j merged into the i-th; None without a factor.

    The merged component has the moments of both, with a ridge if its covariance is singular to
    rounding, as that of two points far apart.
    """
    structure, weights = structure_of(parameters), parameters.weights
    covariance = _pooled(parameters, covariance_matrices(parameters), i)[j - i - 1]
    weight = weights[i] + weights[j]
    means = parameters.means.copy()
    means[i] = (weights[i] * means[i] + weights[j] * means[j]) / max(weight, TINY)
    others = np.arange(parameters.n_components) != j
    together = weights.copy()
    together[i] = weight
    covariances = parameters.covariances
    if not structure.shared:
        covariances = covariances.copy()
        covariances[i] = structure.precision.of_matrices(covariance[None])[0]
        covariances = covariances[others]
    # A ridge is harmless, whatever `reg_covar` is: the mixture is a start, and the next M-step
    # removes it.
    return projected(structure.name, together[others], means[others], covariances, TINY)


def _pooled(parameters: Parameters, dense: Array, row: int) -> Array:
    """Return the covariances of a component merged with each later one, (k - 1 - row, d, d)."""
    first, others = parameters.weights[row], parameters.weights[row + 1 :]
    share = (first / np.maximum(first + others, TINY))[:, None, None]
    apart = parameters.means[row] - parameters.means[row + 1 :]
    pooled: Array = share * dense[row] + (1 - share) * dense[row + 1 :]
    pooled += share * (1 - share) * apart[:, :, None] * apart[:, None, :]
    precision = structure_of(parameters).precision
    return precision.matrices(precision.of_matrices(pooled), parameters.n_features)


def covariance_matrices(parameters: Parameters) -> Array:
    """Return the covariances of any structure as matrices, shape (k, d, d)."""
    k, d = parameters.means.shape
    matrices = structure_of(parameters).precision.matrices(parameters.covariances, d)
    return np.broadcast_to(matrices, (k, d, d))
