"""Gaps of rows filled with what one Gaussian expects there: for starts, which look at rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.gaussian.missing.patterns import by_pattern


@dataclass(frozen=True, slots=True)
class Filling:
    """A Gaussian with a mean (d,) and a covariance (d, d), which may be singular."""

    mean: Array
    covariance: Array

    def __call__(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return rows x (m, d) without gaps; x itself if it has none."""
        if not np.isnan(x).any():
            return x
        filled, scales = x.astype(np.float64), np.sqrt(np.diagonal(self.covariance))
        scales = np.where(scales > 0, scales, 1.0)
        correlations = self.covariance / np.outer(scales, scales)
        for pattern, rows in by_pattern(x):
            o, m = np.flatnonzero(pattern), np.flatnonzero(~pattern)
            slopes = np.linalg.pinv(correlations[np.ix_(o, o)], hermitian=True)
            slopes = correlations[np.ix_(m, o)] @ slopes
            known = (filled[np.ix_(rows, o)] - self.mean[o]) / scales[o]
            filled[np.ix_(rows, m)] = self.mean[m] + scales[m] * (known @ slopes.T)
        return filled
