"""The posterior of the rows of a tile: what a mixture says of them, from one E-step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from daskgmm.gaussian.kernels.kernel import Tile
from daskgmm.gaussian.kernels.softmax import exponentiate
from daskgmm.gaussian.parameters import Parameters

Array = NDArray[np.float64]


class Posterior:
    """Labels, responsibilities and densities of a tile, each computed when it is asked for.

    Arrays are views of the tile's buffers: they hold until the next tile.

    Parameters
    ----------
    tile : Tile
        Filled with rows.
    parameters : Parameters
        Of the mixture.
    center : ndarray of shape (d,)
        What was subtracted from the rows.
    """

    def __init__(self, tile: Tile, parameters: Parameters, center: Array) -> None:
        self.parameters = parameters
        self._tile, self._center = tile, center
        self._labels: NDArray[np.intp] | None = None
        self._bad: Array | None = None
        self._orders: dict[int, NDArray[np.intp]] = {}
        self._is_joint, self._is_divided = True, False
        tile.log_joint()
        self._joint = tile.joint
        if parameters.is_contaminated:
            self._join_pairs()

    def _join_pairs(self) -> None:
        """Make log joint densities of components of those of their two parts."""
        k = self.parameters.n_components
        good, bad = self._tile.joint[:k], self._tile.joint[k:]
        self._bad = expit(bad - good)
        self._joint = np.logaddexp(good, bad, out=good)

    @property
    def rows(self) -> Array:
        """The rows in the coordinates of the mixture, shape (b, d)."""
        return self._tile.rows.T + self._center

    @property
    def labels(self) -> NDArray[np.intp]:
        """The most probable component of each row, -1 for the noise, shape (b,).

        Exact where it is asked for first: exponentials of close log densities may be equal.
        """
        if self._labels is None:
            self._labels = np.argmax(self._joint, axis=0)
            if self.parameters.has_noise:
                self._labels[self._labels == self.parameters.n_components] = -1
        return self._labels

    @property
    def outliers(self) -> NDArray[np.bool_]:
        """Whether each row belongs to the noise, or to the larger part of its component, (b,)."""
        if self._bad is None:
            return np.asarray(self.labels < 0)
        return np.asarray(self._bad[self.labels, np.arange(len(self.labels))] > 0.5)

    @property
    def outlier_probabilities(self) -> Array:
        """The probability that each row is an outlier, shape (b,); 0 without room for any."""
        if self._bad is not None:
            chances: Array = (self._bad * self.responsibilities).sum(axis=0)
            return chances
        if self.parameters.has_noise:
            noise: Array = self._all_responsibilities()[-1]
            return noise
        return np.zeros(self._joint.shape[1])

    @property
    def log_densities(self) -> Array:
        """The log density log p(x) of each row, in nats, shape (b,)."""
        tile = self._exponentiated()
        densities: Array = tile.maximum + np.log(tile.total) + tile.shared_term()
        return densities

    @property
    def responsibilities(self) -> Array:
        """The posterior probability of each component, shape (k, b)."""
        return self._all_responsibilities()[: self.parameters.n_components]

    def _all_responsibilities(self) -> Array:
        """Return the posterior probabilities of components, and of the noise at the end."""
        tile = self._exponentiated()
        if not self._is_divided:
            self._joint /= tile.total
            self._is_divided = True
        return self._joint

    @property
    def entropies(self) -> Array:
        """The entropy of the responsibilities of each row, in nats, shape (b,).

        No responsibility is 0: exponents are cut at `softmax.FLOOR`.
        """
        gamma = self._all_responsibilities()
        terms = np.log(gamma)
        terms *= gamma
        entropies: Array = -terms.sum(axis=0)
        return entropies

    @property
    def memberships(self) -> Array:
        """The posterior probability of each component, and of the noise at the end, (k + 1, b)."""
        return self._all_responsibilities()

    def most_probable(self, m: int) -> NDArray[np.intp]:
        """Return the places in `memberships` of the m largest, (m, b), ties in their order."""
        if m not in self._orders:
            self._orders[m] = most_probable(self.memberships, m)
        return self._orders[m]

    def _exponentiated(self) -> Tile:
        if self._is_joint:
            exponentiate(self._joint, self._tile.maximum, self._tile.total)
            self._is_joint = False
        return self._tile


def most_probable(responsibilities: Array, m: int) -> NDArray[np.intp]:
    """Return the m most probable components of each row (k, b), shape (m, b), ties in order."""
    if m == len(responsibilities):
        return np.argsort(-responsibilities, axis=0, kind="stable")
    some = np.sort(np.argpartition(-responsibilities, m - 1, axis=0)[:m], axis=0)
    order = np.argsort(-np.take_along_axis(responsibilities, some, axis=0), axis=0, kind="stable")
    return np.take_along_axis(some, order, axis=0)
