"""The posterior of the rows of a tile: what a mixture says of them, from one E-step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.gaussian.kernels.kernel import Tile
from daskgmm.gaussian.kernels.softmax import exponentiate
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.tails.tails import tail_of
from daskgmm.models.predictions.gaps import Gaps


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
    given : ndarray of shape (b, d)
        The rows as they were given, in the columns of the data.

    Attributes
    ----------
    gaps : Gaps or None
        Of rows that miss values: `given`, `rows` and `parameters` are of the columns that they
        have.
    """

    gaps: Gaps | None = None

    def __init__(
        self, tile: Tile, parameters: Parameters, center: Array, given: NDArray[Any]
    ) -> None:
        self.parameters, self.given = parameters, given
        self._tile, self._center = tile, center
        self._labels: NDArray[np.intp] | None = None
        self._bad: Array | None = None
        self._made: tuple[Callable[[Posterior], NDArray[Any]], NDArray[Any]] | None = None
        self._orders: dict[int, NDArray[np.intp]] = {}
        self._is_joint, self._is_divided = True, False
        tile.log_joint()
        self._joint = tile.of_components()

    @property
    def rows(self) -> Array:
        """The rows in the coordinates of the mixture, shape (b, d)."""
        return self._tile.rows.T + self._center

    @property
    def imputed(self) -> NDArray[Any]:
        """The rows as given, (b, d); the mixture's expectation where a value is missing."""
        if self.gaps is None:
            return self.given
        return self.gaps.filled(self.rows, self.responsibilities)

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
        """Whether each row belongs to the noise, or is an outlier of its component, (b,)."""
        bad = self._outlying()
        if bad is None:
            return np.asarray(self.labels < 0)
        return np.asarray(bad[self.labels, np.arange(len(self.labels))] > 0.5)

    @property
    def outlier_probabilities(self) -> Array:
        """The probability that each row is an outlier, shape (b,); 0 without room for any."""
        bad = self._outlying()
        if bad is not None:
            chances: Array = (bad * self.responsibilities).sum(axis=0)
            return chances
        if self.parameters.has_noise:
            noise: Array = self._all_responsibilities()[-1]
            return noise
        return np.zeros(self._joint.shape[1])

    def _outlying(self) -> Array | None:
        """Return the chance that a row of each component is an outlier, (k, b), if known."""
        if self._bad is None and tail_of(self.parameters) is not None:
            self._bad = self._tile.outlying()
        return self._bad

    @property
    def log_densities(self) -> Array:
        """The log density log p(x) of each row, in nats, shape (b,)."""
        tile = self._exponentiated()
        densities: Array = tile.maximum + np.log(tile.total) + tile.shared_term()
        return densities

    def log_joint(self, components: NDArray[np.intp]) -> Array:
        """Return the log joint density of each row and a component of it (b,), in nats, (b,).

        It has to be asked for first: exponents are cut at `softmax.FLOOR`.
        """
        assert self._is_joint, "densities and responsibilities come after"
        joint: Array = self._joint[components, np.arange(len(components))]
        return joint + self._tile.shared_term()

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

    def once(self, compute: Callable[[Posterior], NDArray[Any]]) -> NDArray[Any]:
        """Return what a function makes of these rows, which several outputs are parts of."""
        if self._made is None or self._made[0] is not compute:
            self._made = compute, compute(self)
        return self._made[1]

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
