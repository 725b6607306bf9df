"""Coordinates about a point, as acceleration needs them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.parameters import Parameters


class Chart(Protocol):
    """Coordinates of parameters about one of them, in which an EM step is nearly the gradient."""

    def coordinates(self, parameters: Parameters) -> Array:
        """Return the coordinates of parameters of the same structure, k and d.

        The first k are those of the weights: their logarithms times the roots of the anchor's.
        """

    def parameters(self, coordinates: Array) -> Parameters | None:
        """Return the parameters at coordinates; None where there are none."""

    def of_points(
        self, mixtures: Sequence[Parameters], images: Sequence[Parameters], shares: Sequence[Array]
    ) -> tuple[Array, Array]:
        """Return the coordinates of several mixtures and the gradient at each, both (n, q).

        Mixtures may lack covariances and images factors, as those of `Point` do.

        Parameters
        ----------
        mixtures, images : sequence of Parameters
        shares : sequence of ndarray of shape (3, k)
            As of `Point`.
        """


ChartAt = Callable[[Parameters], Chart]
"""Makes the coordinates about parameters."""


class EmSteps(ABC):
    """Base of coordinates in which the EM step stands for the gradient."""

    @abstractmethod
    def coordinates(self, parameters: Parameters) -> Array:
        """Return the coordinates of parameters of the same structure, k and d."""

    def of_points(
        self, mixtures: Sequence[Parameters], images: Sequence[Parameters], shares: Sequence[Array]
    ) -> tuple[Array, Array]:
        """Return the coordinates of several mixtures and the EM step at each, both (n, q)."""
        at, to = np.split(self.coordinates_of([*mixtures, *images]), 2)
        to -= at
        return at, to

    def coordinates_of(self, mixtures: Sequence[Parameters]) -> Array:
        """Return the coordinates of several mixtures, (n, q)."""
        first = self.coordinates(mixtures[0])
        found = np.empty((len(mixtures), len(first)))
        found[0] = first
        for place, each in enumerate(mixtures[1:], start=1):
            found[place] = self.coordinates(each)
        return found
