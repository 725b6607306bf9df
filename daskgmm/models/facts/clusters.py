"""From components to clusters: components that share their rows are merged, the density stays.

A cluster that is no Gaussian takes several components. Baudry et al. merge, step by step, the two
clusters whose union lowers the entropy of the posterior probabilities most (J.-P. Baudry, A. E.
Raftery, G. Celeux, K. Lo, R. Gottardo, "Combining mixture components for clustering", Journal of
Computational and Graphical Statistics 19 (2010) 332-353, https://doi.org/10.1198/jcgs.2010.08111).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from daskgmm.arrays import Array
from daskgmm.counting import counted
from daskgmm.errors import SettingError

SHARED = 1 / 3
"""What two clusters share, from which on they are rather one: as two equal Gaussians that are 2.6
widths apart; their density has one mode up to 2 widths."""

CERTAIN = 0.01
"""What two clusters share, below which they are told apart: by how far says nothing."""

ABSENT = 1e-25
"""Posterior probability up to which a row is no part of a cluster: in an entropy it is rounding."""


@dataclass(frozen=True, eq=False)
class Merging:
    r"""A tree of merges.

    Components without rows (an expected count of one row or less) are no clusters: they are merged
    first, each to the cluster that shares its rows most.

    Attributes
    ----------
    merges : ndarray of int, shape (k - 1, 2)
        Components of the two clusters that each step merged: the lowest number of each, the lower
        one first. The first step leaves k - 1 clusters.
    entropy : ndarray of shape (k,)
        Mean entropy of the posterior probabilities of 1, 2, ..., k clusters, in nats per row.
    shared : ndarray of shape (k - 1,)
        How much the two clusters of each step shared, from 0, where the cluster of every row is
        certain, to 1, where the rows tell nothing: the mean entropy of which of the two a row is
        of, over that of their sizes alone.
    used : int
        Number of components that have rows.
    rows : int
        Number of rows that it was found on.
    """

    merges: NDArray[np.intp]
    entropy: Array
    shared: Array
    used: int
    rows: int

    @property
    def n_components(self) -> int:
        """Number of components, k."""
        return len(self.entropy)

    def clusters(self, n_clusters: int) -> NDArray[np.intp]:
        """Return the cluster of each component, shape (k,), where there are so many clusters.

        Clusters are numbered as their lowest components are.
        """
        check_n_clusters(n_clusters, self.n_components)
        lowest = np.arange(self.n_components)
        for one, other in self.merges[: self.n_components - n_clusters]:
            lowest[lowest == other] = one
        return np.asarray(np.unique(lowest, return_inverse=True)[1], dtype=np.intp)

    @property
    def elbow(self) -> int:
        """Number of clusters that the rows speak for: where the entropy begins to rise.

        It is the number with the widest gap, as a ratio, between the least that was shared by two
        clusters that were merged, and the most that is shared by two that would be merged next or
        later; of equal gaps it is the fewest. A third stands in for the first where nothing was
        merged, and for the second where one cluster is left. Above a third, and below a
        hundredth, how much is shared makes no difference.

        Baudry et al. fit two lines to the entropies instead. These meet between 2 and
        k - 1 clusters whatever the rows are: never at one cluster, which a Gaussian with several
        components is, nor at k, and of three components always at two. Moreover a step changes
        the entropy by more the larger its clusters are, however little they share.

        It is no test. Of one Gaussian, 600 rows in two features, it says 1 in 19, 16 and 11 of 20
        draws with 2, 3 and 4 components, and else mostly 2.
        """
        steps = np.clip(self.shared[self.n_components - self.used :], CERTAIN, SHARED)
        merged = np.concatenate([[SHARED], np.minimum.accumulate(steps)])
        apart = np.concatenate([np.maximum.accumulate(steps[::-1])[::-1], [SHARED]])
        fewest_first = (merged / apart)[::-1]
        return 1 + int(np.argmax(fewest_first))


def clusters_of(mixture: Any) -> NDArray[np.intp] | None:
    """Return the cluster of each component of a mixture, shape (k,); None if none were merged.

    Clusters of another number of components are of parameters that were replaced since.
    """
    clusters = getattr(mixture, "clusters_", None)
    if clusters is None or len(clusters) != len(mixture.weights_):
        return None
    return np.asarray(clusters)


def check_n_clusters(n_clusters: Any, k: int) -> None:
    """Raise `SettingError` unless components (k) can be merged to so many clusters."""
    if n_clusters is None:
        return
    if isinstance(n_clusters, bool) or not isinstance(n_clusters, Integral):
        raise SettingError(f"n_clusters is {n_clusters!r}; give a whole number, or None.")
    if not 1 <= int(n_clusters) <= k:
        raise SettingError(
            f"n_clusters is {n_clusters}, and the mixture has {counted(k, 'component')}; give 1 to "
            f"{k}."
        )


def merge_by_entropy(posteriors: Array, weights: Array) -> Merging:
    """Merge components until one cluster is left.

    Parameters
    ----------
    posteriors : ndarray of shape (k, m)
        Posterior probabilities of the components for m rows; changed in place.
    weights : ndarray of shape (m,)
        Weights of the rows.
    """
    k, rows = posteriors.shape
    total = float(weights.sum())
    sizes = posteriors @ weights
    unused = set(np.flatnonzero(sizes * rows <= total).tolist())
    used = max(1, k - len(unused))
    own = np.array([_information(row, weights) for row in posteriors])
    gains = {
        (i, j): _gain(posteriors[i], posteriors[j], weights) for i, j in combinations(range(k), 2)
    }
    left, merges, entropy, shared = set(range(k)), [], [-own.sum()], []
    while gains:
        pairs = [pair for pair in gains if not unused.isdisjoint(pair)] or list(gains)
        i, j = max(pairs, key=lambda pair: (gains[pair], -pair[0], -pair[1]))
        merges.append((i, j))
        shared.append(_share(gains[i, j], sizes[i], sizes[j]))
        left.remove(j)
        posteriors[i] += posteriors[j]
        sizes[i] += sizes[j]
        unused -= {i, j}
        if sizes[i] * rows <= total:
            unused.add(i)
        own[i], own[j] = _information(posteriors[i], weights), 0.0
        gains = {pair: gain for pair, gain in gains.items() if j not in pair}
        for other in left - {i}:
            pair = min(i, other), max(i, other)
            gains[pair] = _gain(posteriors[i], posteriors[other], weights)
        entropy.append(-own.sum())
    means = np.array(entropy[::-1]) / total
    tree = np.array(merges, dtype=np.intp).reshape(k - 1, 2)
    return Merging(tree, np.maximum(means, 0.0), np.array(shared), used, rows)


def _gain(one: Array, other: Array, weights: Array) -> float:
    """Return by how much the entropy falls if two clusters are merged, in nats times weight."""
    rows = np.flatnonzero(np.minimum(one, other) > ABSENT)  # few, of two among many
    a, b = one[rows], other[rows]
    both = a + b
    return float((both * np.log(both) - a * np.log(a) - b * np.log(b)) @ weights[rows])


def _share(gain: float, size: float, other: float) -> float:
    """Return a gain over what it is of two clusters of these sizes that no row tells apart."""
    most = float(xlogy(size + other, size + other) - xlogy(size, size) - xlogy(other, other))
    return float(np.clip(gain / most, 0.0, 1.0)) if most > 0 else 0.0


def _information(probabilities: Array, weights: Array) -> float:
    """Return the weighted sum of t log t, which is 0 at t = 0."""
    logs = np.log(np.where(probabilities > 0, probabilities, 1.0))  # half of xlogy's time
    logs *= probabilities
    return float(logs @ weights)
