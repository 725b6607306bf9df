"""Narrow components among others: few, so that each has densities and moments of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.gaussian.kernels.whitened import WhitenedKernel


@dataclass(frozen=True, slots=True)
class NarrowComponents:
    """Components of which the natural-parameter kernel is not exact enough.

    Attributes
    ----------
    kernel : WhitenedKernel
        Of all components.
    among : ndarray of bool, shape (k,)
    """

    kernel: WhitenedKernel
    among: NDArray[np.bool_]

    def fill_densities(self, joint: Array, candidates: NDArray[np.int64], x: Array) -> None:
        """Set the log joint densities (m, b) of rows x (d, b) under the narrow candidates."""
        kernel, n_factors = self.kernel, len(self.kernel.factors)
        distances = kernel.structure.precision.squared_distances
        for place in np.flatnonzero(self.among[candidates]):
            component = int(candidates[place])
            difference = x - kernel.means[component][:, None]
            with np.errstate(over="ignore"):
                squares = distances(difference, kernel.factors, component % n_factors)
            joint[place] = kernel.constant[component] - 0.5 * squares

    def fill_sums(
        self, sums: Array, responsibilities: Array, candidates: NDArray[np.int64], x: Array
    ) -> None:
        """Set the moments (m, p) of rows x (d, b) under the narrow candidates, about own points."""
        kernel, d = self.kernel, len(x)
        second_moment = kernel.structure.statistic.second_moment
        for place in np.flatnonzero(self.among[candidates]):
            own = responsibilities[place]
            difference = x - kernel.reference[candidates[place]][:, None]
            sums[place, 0] = own.sum()
            sums[place, 1 : 1 + d] = difference @ own
            sums[place, 1 + d :] = second_moment(difference, own)
