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

from daskgmm.arrays import Array
from daskgmm.counting import counted
from daskgmm.errors import SettingError

CERTAIN = 0.02
"""Entropy, over that of equal probabilities, below which no components are merged unasked."""


@dataclass(frozen=True)
class Merging:
    """A tree of merges.

    Attributes
    ----------
    merges : ndarray of int, shape (k - 1, 2)
        Components of the two clusters that each step merged: the lowest number of each, the lower
        one first. The first step leaves k - 1 clusters.
    entropy : ndarray of shape (k,)
        Mean entropy of the posterior probabilities of 1, 2, ..., k clusters, in nats a row.
    rows : int
        Number of rows that it was found on.
    """

    merges: NDArray[np.intp]
    entropy: Array
    rows: int

    @property
    def n_components(self) -> int:
        """Number of components, k."""
        return len(self.entropy)

    def clusters(self, n_clusters: int) -> NDArray[np.intp]:
        """Return the cluster of each component, shape (k,), where there are so many clusters.

        Clusters are numbered as their lowest components are.
        """
        lowest = np.arange(self.n_components)
        for one, other in self.merges[: self.n_components - n_clusters]:
            lowest[lowest == other] = one
        return np.asarray(np.unique(lowest, return_inverse=True)[1], dtype=np.intp)

    @property
    def elbow(self) -> int:
        """Number of clusters at which the entropy begins to rise faster.

        Two lines through the entropies of 1 to c and of c to k clusters have the least squared
        error there (Baudry et al. 2010, section 3). It is k where rows are certain of their
        components already, or there are no more than two.
        """
        k = self.n_components
        if k <= 2 or self.entropy[-1] <= CERTAIN * np.log(k):
            return k
        errors = {
            c: _error_of_line(self.entropy[:c]) + _error_of_line(self.entropy[c - 1 :])
            for c in range(2, k)
        }
        return min(errors, key=lambda c: (errors[c], c))


def _error_of_line(values: Array) -> float:
    """Return the squared error of a line through two equidistant values or more."""
    places = np.arange(len(values))
    line = np.polynomial.Polynomial.fit(places, values, 1)
    return float(((line(places) - values) ** 2).sum())


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
    own = np.array([_information(row, weights) for row in posteriors])
    gains = {(i, j): _gain(posteriors, weights, own, i, j) for i, j in combinations(range(k), 2)}
    left, merges, entropy = set(range(k)), [], [-own.sum()]
    while gains:
        i, j = max(gains, key=lambda pair: (gains[pair], -pair[0], -pair[1]))
        merges.append((i, j))
        left.remove(j)
        posteriors[i] += posteriors[j]
        own[i], own[j] = _information(posteriors[i], weights), 0.0
        gains = {pair: gain for pair, gain in gains.items() if j not in pair}
        for other in left - {i}:
            pair = min(i, other), max(i, other)
            gains[pair] = _gain(posteriors, weights, own, *pair)
        entropy.append(-own.sum())
    means = np.array(entropy[::-1]) / weights.sum()
    tree = np.array(merges, dtype=np.intp).reshape(k - 1, 2)
    return Merging(tree, np.maximum(means, 0.0), rows)


def _gain(posteriors: Array, weights: Array, own: Array, i: int, j: int) -> float:
    """Return by how much the entropy falls if two clusters are merged, in nats times weight."""
    return _information(posteriors[i] + posteriors[j], weights) - float(own[i] + own[j])


def _information(probabilities: Array, weights: Array) -> float:
    """Return the weighted sum of t log t, which is 0 at t = 0."""
    logs = np.log(np.where(probabilities > 0, probabilities, 1.0))
    logs *= probabilities
    return float(logs @ weights)
