"""Coordinates of a mixture whose components have tails."""

from __future__ import annotations

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.charts.chart import Chart, EmSteps
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.tails.tail import Tail


class WithTails(EmSteps):
    """Coordinates of components, and of their tails.

    Parameters
    ----------
    parameters : Parameters
        The anchor.
    components : Chart
        Coordinates about its components.
    tail : Tail
        One that has coordinates.
    """

    def __init__(self, parameters: Parameters, components: Chart, tail: Tail) -> None:
        self._at, self._components, self._tail = parameters, components, tail

    def coordinates(self, parameters: Parameters) -> Array:
        """Return the coordinates of parameters of the same structure, k and d."""
        of_tails = self._tail.coordinates(self._at, parameters)
        return np.concatenate([self._components.coordinates(parameters), of_tails])

    def parameters(self, coordinates: Array) -> Parameters | None:
        """Return the parameters at coordinates; None where there are none."""
        n = len(coordinates) - len(self._tail.coordinates(self._at, self._at))
        found = self._components.parameters(coordinates[:n])
        return None if found is None else self._tail.at(self._at, coordinates[n:], found)
