"""The E-step of one mixture by the compiled library in float32."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.gaussian.kernels.compiled.expectation import CompiledExpectation
from daskgmm.gaussian.kernels.compiled.layout import split
from daskgmm.gaussian.kernels.compiled.library import Library
from daskgmm.gaussian.kernels.compiled.model import LibraryModel
from daskgmm.gaussian.moments import Moments

FLOATS = ("z", "a", "theta", "factors", "gathered")
"""Buffers that the source has as floats, in half of the place."""

LEAST = -1e30
"""Log densities of components of no weight are not below it, so that floats hold them."""


class CompiledSingle(CompiledExpectation):
    """The sums under a natural kernel, with tiles in float32.

    Parameters
    ----------
    compiled : Library
    model : LibraryModel
        Of Gaussians alone, without a shared factor, classes and a uniform component.
    units : ndarray of shape (d,)
        Powers of two that centred columns are multiplied by, so that none exceeds 1; equal ones
        where a statistic is the squared norm.
    """

    def __init__(self, compiled: Library, model: LibraryModel, units: Array) -> None:
        left, right = model.pairs
        rows = np.concatenate([[1.0], units, [units[0] ** 2]])  # of z, as pairs name them
        self._units, self._of_statistics = units, rows[left] * rows[right]
        theta = model.theta / self._of_statistics
        # What log densities have in common, as of the units of columns, takes no digits of floats.
        self._common = float(theta[:, 0].max())
        theta[:, 0] -= self._common
        theta = np.maximum(theta, LEAST)
        super().__init__(compiled, replace(model, theta=theta))

    def _buffers(self, sizes: Mapping[str, int]) -> dict[str, NDArray[Any]]:
        found: dict[str, NDArray[Any]] = {**split(sizes), "units": self._units}
        for name in found.keys() & FLOATS:
            found[name] = found[name].view(np.float32)[: sizes[name]]
        return found

    def _moments(self, of_rows: tuple[float, float, int]) -> Moments:
        log_likelihood, weight, rows = of_rows
        found = super()._moments((log_likelihood + self._common * weight, weight, rows))
        return replace(found, sums=found.sums / self._of_statistics[:, None])
