r"""Values drawn from what a mixture says of the gaps of a row, whatever blocks rows come in.

A component is drawn with the responsibilities of the row, and the missing values from its
conditional Gaussian. Random numbers are functions of the seed and the row's number: splitmix64
(Steele, Lea & Flood 2014, https://doi.org/10.1145/2660193.2660195) gives bits, and the quantile
function of the normal distribution makes normal ones of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from daskgmm.arrays import Array
from daskgmm.em.survey.sample import scrambled

STEP = 2.0**-52
"""Distance of neighbouring uniform numbers. They lie halfway between its multiples:
they are exact, and none is 0 or 1."""


@dataclass(frozen=True, slots=True)
class Draws:
    """Random numbers of rows.

    Attributes
    ----------
    seed : int
    numbers : ndarray of int64, shape (b,)
        Of the rows.
    """

    seed: int
    numbers: NDArray[np.int64]

    def components(self, responsibilities: Array) -> NDArray[np.intp]:
        """Return a component of each row (b,), drawn with the responsibilities (k, b)."""
        sums = responsibilities.cumsum(axis=0)
        found: NDArray[np.intp] = (sums < self._uniform(0) * sums[-1]).sum(axis=0)
        return found

    def normal(self, count: int) -> Array:
        """Return independent standard normal numbers, (b, count)."""
        found: Array = ndtri(np.stack([self._uniform(1 + i) for i in range(count)], axis=1))
        return found

    def _uniform(self, stream: int) -> Array:
        """Return the uniform numbers of a stream, above 0 and below 1, (b,)."""
        # One after the other, or a seed would have the numbers of another one's other stream.
        own = scrambled(scrambled(np.uint64(self.seed)) ^ np.uint64(stream))
        bits = scrambled(scrambled(self.numbers.astype(np.uint64)) ^ own)
        found: Array = ((bits >> np.uint64(12)) + 0.5) * STEP
        return found


def root_of(covariance: Array) -> Array:
    """Return R with R R^T = C, of a matrix (m, m) or of variances (m,); rounding below 0 is 0."""
    if covariance.ndim == 1:
        return np.diag(np.sqrt(np.maximum(covariance, 0.0)))
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))
