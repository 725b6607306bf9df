"""The posterior of the rows of a tile, by NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.gaussian.kernels.kernel import Tile
from daskgmm.gaussian.kernels.softmax import exponentiate
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.tails.tails import tail_of
from daskgmm.models.predictions.posteriors.posterior import Posterior


class TilePosterior(Posterior):
    """A posterior whose arrays are views of the buffers of a tile.

    Parameters
    ----------
    tile : Tile
        Filled with rows.
    parameters, given : as of `Posterior`
    center : ndarray of shape (d,)
        What was subtracted from the rows.
    """

    def __init__(
        self, tile: Tile, parameters: Parameters, center: Array, given: NDArray[Any]
    ) -> None:
        super().__init__(parameters, given)
        self._tile, self._center = tile, center
        self._labels: NDArray[np.intp] | None = None
        self._bad: Array | None = None
        self._is_joint, self._is_divided = True, False
        tile.log_joint()
        self._joint = tile.of_components()

    @property
    def rows(self) -> Array:
        return self._tile.rows.T + self._center

    @property
    def labels(self) -> NDArray[np.intp]:
        if self._labels is None:
            self._labels = np.argmax(self._joint, axis=0)
            if self.parameters.has_noise:
                self._labels[self._labels == self.parameters.n_components] = -1
        return self._labels

    @property
    def outlying(self) -> Array | None:
        if self._bad is None and tail_of(self.parameters) is not None:
            self._bad = self._tile.outlying()
        return self._bad

    @property
    def log_densities(self) -> Array:
        tile = self._exponentiated()
        densities: Array = tile.maximum + np.log(tile.total) + tile.shared_term()
        return densities

    def log_joint(self, components: NDArray[np.intp]) -> Array:
        assert self._is_joint, "densities and responsibilities come after"
        joint: Array = self._joint[components, np.arange(len(components))]
        return joint + self._tile.shared_term()

    @property
    def memberships(self) -> Array:
        tile = self._exponentiated()
        if not self._is_divided:
            self._joint /= tile.total
            self._is_divided = True
        return self._joint

    def _exponentiated(self) -> Tile:
        if self._is_joint:
            exponentiate(self._joint, self._tile.maximum, self._tile.total)
            self._is_joint = False
        return self._tile
