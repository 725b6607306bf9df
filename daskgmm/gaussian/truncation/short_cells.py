"""Cells of few rows: two products each, without what a back end does for every call.

Narrow components, of which these products are not exact enough, have others.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.gaussian.kernels.natural import NaturalKernel
from daskgmm.gaussian.kernels.softmax import exponentiate, log_likelihood
from daskgmm.gaussian.truncation.narrow import NarrowComponents

MOST_ROWS = 512
"""Rows of a cell up to which a call of a back end, 0.3 ms and more, is the larger part."""


SHORT_BYTES, LEAST_ROWS = 8 << 20, 32
"""Bytes of the statistics of a short cell, and rows that it may have whatever these are."""


def short_rows(p: int) -> int:
    """Return the most rows of a short cell, of p statistics each."""
    return max(LEAST_ROWS, min(MOST_ROWS, SHORT_BYTES // (8 * p)))


MOST_NARROW = 0.25
"""Part of the candidates of a cell up to which narrow ones are taken one by one. Of 64 rows of 16
columns each takes 33 us, and 27 us by a back end, which then takes all candidates so; of 512 rows
77 and 38 us (AVX2, one thread)."""


class ShortCells:
    """The sums of short cells under a natural kernel; buffers are shared by all of them."""

    def __init__(self, kernel: NaturalKernel, narrow: NarrowComponents | None = None) -> None:
        p, _, d = kernel.shape
        self._kernel, self._most = kernel, short_rows(p)
        self._narrow = narrow
        self._rows = np.empty((d + d // 2, self._most))
        self._features = np.empty((p, self._most))
        self._vectors = np.empty((2, self._most))

    def takes(self, candidates: NDArray[np.int64], rows: int) -> bool:
        """Return whether a cell of so many rows is short, or has narrow components among others."""
        if self._narrow is not None and (own := self._narrow.among[candidates]).any():
            return int(own.sum()) <= MOST_NARROW * len(candidates)
        return rows <= self._most

    def sums(
        self, candidates: NDArray[np.int64], x: Array, weights: Array | None
    ) -> tuple[Array, float]:
        """Return the sums (m, p) of rows (b, d) under m candidates, and their log-likelihood."""
        total, logarithm = np.zeros((len(candidates), self._kernel.shape[0])), 0.0
        for first in range(0, len(x), self._most):
            rows = slice(first, first + self._most)
            own = None if weights is None else weights[rows]
            sums, part = self._of_rows(candidates, x[rows], own)
            total += sums
            logarithm += part
        return total, logarithm

    def _of_rows(
        self, candidates: NDArray[np.int64], x: Array, weights: Array | None
    ) -> tuple[Array, float]:
        kernel, b, d = self._kernel, len(x), x.shape[1]
        rows, features = self._rows[:, :b], self._features[:, :b]
        maximum, total = self._vectors[:, :b]
        np.subtract(x.T, kernel.center[:, None], out=rows[:d])
        features[0] = 1.0
        features[1 : 1 + d] = rows[:d]
        kernel.structure.statistic.filler(rows, d, features[1 + d :])()
        joint = kernel.theta[candidates] @ features  # (m, p) @ (p, b)
        if self._narrow is not None:
            self._narrow.fill_densities(joint, candidates, x.T)
        exponentiate(joint, maximum, total)
        logarithm = log_likelihood(maximum, total, weights)
        joint *= (1.0 if weights is None else weights) / total
        sums = joint @ features.T
        if self._narrow is not None:
            self._narrow.fill_sums(sums, joint, candidates, x.T)
        return sums, logarithm
