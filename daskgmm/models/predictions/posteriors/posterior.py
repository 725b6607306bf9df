"""The posterior of the rows of a tile: what a mixture says of them, from one E-step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.gaussian.parameters import Parameters
from daskgmm.models.predictions.posteriors.gaps import Gaps


class Posterior(ABC):
    """Labels, responsibilities and densities of rows, each computed when it is asked for.

    Arrays hold until the posterior of the next rows.

    Parameters
    ----------
    parameters : Parameters
        Of the mixture.
    given : ndarray of shape (b, d)
        The rows as they were given, in the columns of the data.

    Attributes
    ----------
    gaps : Gaps or None
        Of rows that miss values: `given`, `rows` and `parameters` are of the columns that they
        have.
    """

    gaps: Gaps | None = None

    def __init__(self, parameters: Parameters, given: NDArray[Any]) -> None:
        self.parameters, self.given = parameters, given
        self._made: tuple[Callable[[Posterior], NDArray[Any]], NDArray[Any]] | None = None
        self._orders: dict[int, NDArray[np.intp]] = {}

    @property
    @abstractmethod
    def rows(self) -> Array:
        """The rows in the coordinates of the mixture, shape (b, d)."""

    @property
    def imputed(self) -> NDArray[Any]:
        """The rows as given, (b, d); the mixture's expectation where a value is missing."""
        if self.gaps is None:
            return self.given
        return self.gaps.filled()

    @property
    @abstractmethod
    def labels(self) -> NDArray[np.intp]:
        """The most probable component of each row, -1 for the noise, shape (b,).

        Exact where it is asked for first: exponentials of close log densities may be equal.
        """

    @property
    def outliers(self) -> NDArray[np.bool_]:
        """Whether each row belongs to the noise, or is an outlier of its component, (b,)."""
        bad = self.outlying
        if bad is None:
            return np.asarray(self.labels < 0)
        return np.asarray(bad[self.labels, np.arange(len(self.labels))] > 0.5)

    @property
    def outlier_probabilities(self) -> Array:
        """The probability that each row is an outlier, shape (b,); 0 without room for any."""
        bad = self.outlying
        if bad is not None:
            chances: Array = (bad * self.responsibilities).sum(axis=0)
            return chances
        if self.parameters.has_noise:
            noise: Array = self.memberships[-1]
            return noise
        return np.zeros(len(self.given))

    @property
    @abstractmethod
    def outlying(self) -> Array | None:
        """The chance that a row of each component is an outlier, (k, b); None without tails."""

    @property
    @abstractmethod
    def log_densities(self) -> Array:
        """The log density log p(x) of each row, in nats, shape (b,)."""

    @abstractmethod
    def log_joint(self, components: NDArray[np.intp]) -> Array:
        """Return the log joint density of each row and a component of it (b,), in nats, (b,).

        It has to be asked for first: exponents are cut at `softmax.FLOOR`.
        """

    @property
    def responsibilities(self) -> Array:
        """The posterior probability of each component, shape (k, b)."""
        return self.memberships[: self.parameters.n_components]

    @property
    @abstractmethod
    def memberships(self) -> Array:
        """The posterior probability of each component, and of the noise at the end, (k + 1, b)."""

    @property
    def entropies(self) -> Array:
        """The entropy of the responsibilities of each row, in nats, shape (b,).

        No responsibility is 0: exponents are cut at `softmax.FLOOR`.
        """
        gamma = self.memberships
        terms = np.log(gamma)
        terms *= gamma
        entropies: Array = -terms.sum(axis=0)
        return entropies

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


def most_probable(responsibilities: Array, m: int) -> NDArray[np.intp]:
    """Return the m most probable components of each row (k, b), shape (m, b), ties in order."""
    if m == len(responsibilities):
        return np.argsort(-responsibilities, axis=0, kind="stable")
    some = np.sort(np.argpartition(-responsibilities, m - 1, axis=0)[:m], axis=0)
    order = np.argsort(-np.take_along_axis(responsibilities, some, axis=0), axis=0, kind="stable")
    return np.take_along_axis(some, order, axis=0)
