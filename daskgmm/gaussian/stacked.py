"""Several mixtures in one product: the natural parameters of all of them, one below the other.

Reading the rows and forming their statistics T(z) is done once for all; the product of
all parameters with a tile runs nearer to the machine's speed than many small ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daskgmm.gaussian.kernel import Kernel, Sums
from daskgmm.gaussian.natural import NaturalKernel
from daskgmm.gaussian.softmax import exponentiate, log_likelihood
from daskgmm.gaussian.statistics import Statistics
from daskgmm.gaussian.workspace import Workspace

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Stack:
    """Kernels of one structure about one centre, as one kernel of all their components.

    Attributes
    ----------
    kernel : Kernel
    parts : tuple of slice
        The components of each mixture.
    """

    kernel: Kernel
    parts: tuple[slice, ...]

    @classmethod
    def of(cls, kernels: Sequence[Kernel]) -> Stack:
        """Return the stack of natural kernels of one structure, or of one kernel of any kind."""
        if len(kernels) == 1:
            return cls(kernels[0], (slice(0, kernels[0].shape[1]),))
        return cls._of_natural([each for each in kernels if isinstance(each, NaturalKernel)])

    @classmethod
    def _of_natural(cls, kernels: Sequence[NaturalKernel]) -> Stack:
        first, ends = kernels[0], np.cumsum([len(kernel.theta) for kernel in kernels]).tolist()
        theta = np.concatenate([kernel.theta for kernel in kernels])
        reference = np.concatenate([kernel.reference for kernel in kernels])
        whole = NaturalKernel(first.structure, first.center, reference, theta, first.factors)
        parts = tuple(slice(*ends) for ends in zip([0, *ends[:-1]], ends, strict=True))
        return cls(whole, parts)


class StackedExpectation:
    """The E-step of several mixtures over one batch; used as `kernel.Expectation` is."""

    def __init__(self, stack: Stack, work: Workspace) -> None:
        p, k, d = stack.kernel.shape
        self._stack, self._work = stack, work
        pooled = np.zeros((d, d)) if stack.kernel.structure.statistic.pools else None
        self._sums = Sums(np.zeros((p, k)), pooled)
        self._log_likelihoods = np.zeros(len(stack.parts))
        self._full = stack.kernel.bind(work, work.joint.shape[1])
        self._full.add_to(self._sums)
        self.rows, self.weights = self._full.rows, self._full.weights

    def add(self, b: int, weighted: bool) -> None:
        """Take in the first b rows of the buffer."""
        tile = self._full
        if b < self.rows.shape[1]:
            tile = self._stack.kernel.bind(self._work, b)
            tile.add_to(self._sums)
        weights = tile.weights if weighted else None
        tile.log_joint()
        for index, part in enumerate(self._stack.parts):
            joint = tile.joint[part]
            exponentiate(joint, tile.maximum, tile.total)
            self._log_likelihoods[index] += log_likelihood(tile.maximum, tile.total, weights)
            np.divide(1.0 if weights is None else weights, tile.total, out=tile.total)
            np.multiply(joint, tile.total, joint)
        self._sums.weight += b if weights is None else float(weights.sum())
        self._sums.rows += b
        tile.total.fill(1.0)  # each mixture has its own, which its responsibilities carry now
        tile.accumulate()

    def statistics(self) -> list[Statistics]:
        """Return the statistics of each mixture, of all rows taken in."""
        sums = self._sums
        return [
            Statistics(
                np.ascontiguousarray(sums.sums[:, part]),
                self._stack.kernel.reference[part],
                sums.pooled,
                float(total),
                sums.weight,
                sums.rows,
            )
            for part, total in zip(self._stack.parts, self._log_likelihoods, strict=True)
        ]
