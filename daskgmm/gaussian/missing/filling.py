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

    def __call__(self, x: NDArray[Any], seed: int | None = None) -> NDArray[Any]:
        """Return rows x (m, d) without gaps; x itself if it has none.

        With a seed values are drawn, which have the variance that rows have; else they are means,
        among which clusters have none.
        """
        random = None if seed is None else np.random.default_rng(seed)
        if not np.isnan(x).any():
            return x
        filled, scales = x.astype(np.float64), np.sqrt(np.diagonal(self.covariance))
        scales = np.where(scales > 0, scales, 1.0)
        correlations = self.covariance / np.outer(scales, scales)
        for pattern, rows in by_pattern(x):
            o, m = np.flatnonzero(pattern), np.flatnonzero(~pattern)
            across = correlations[np.ix_(m, o)]
            slopes = across @ np.linalg.pinv(correlations[np.ix_(o, o)], hermitian=True)
            known = (filled[np.ix_(rows, o)] - self.mean[o]) / scales[o]
            found = known @ slopes.T
            if random is not None:
                left = correlations[np.ix_(m, m)] - slopes @ across.T
                values, vectors = np.linalg.eigh(left)
                root = vectors * np.sqrt(np.maximum(values, 0.0))
                found += random.normal(size=found.shape) @ root.T
            filled[np.ix_(rows, m)] = self.mean[m] + scales[m] * found
        return filled
