"""Coordinates of a mixture with a uniform component."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.charts.chart import Chart, EmSteps
from daskgmm.gaussian.parameters import Parameters


class BesideNoise(EmSteps):
    """Coordinates of components, and the logarithm of the proportion of a uniform one.

    That is times the root of the anchor's proportion, as other weights are.

    Parameters
    ----------
    parameters : Parameters
        The anchor; its weights are positive, and so is that of the uniform component.
    components : Chart
        Coordinates about its components, which leave weights as they are.
    """

    def __init__(self, parameters: Parameters, components: Chart) -> None:
        self._at, self._components = parameters, components
        self._root = np.sqrt(_share(parameters))

    def coordinates(self, parameters: Parameters) -> Array:
        """Return the coordinates of parameters of the same structure, k and d."""
        own = self._components.coordinates(parameters)
        return np.append(own, self._root * np.log(_share(parameters)))

    def parameters(self, coordinates: Array) -> Parameters | None:
        """Return the parameters at coordinates; None where there are none."""
        found = self._components.parameters(coordinates[:-1])
        if found is None:
            return None
        logs = coordinates[: found.n_components] / np.sqrt(self._at.weights)
        share = float(1.0 / (1.0 + np.exp(logs - coordinates[-1] / self._root).sum()))
        if not 0.0 < share < 1.0:
            return None
        return replace(
            found,
            weights=(1.0 - share) * found.weights,
            noise_weight=share,
            log_volume=self._at.log_volume,
        )


def _share(parameters: Parameters) -> float:
    assert parameters.noise_weight is not None, "there is a uniform component"
    return parameters.noise_weight
