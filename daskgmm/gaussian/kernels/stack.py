"""Stacks of mixtures: the natural parameters of several mixtures as one matrix.

Rows are read and their statistics T(z) formed once for all, and one large product runs nearer to
the machine's speed than many small ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from daskgmm.gaussian.kernels.kernel import Kernel
from daskgmm.gaussian.kernels.natural import NaturalKernel


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
            return cls(kernels[0], (slice(0, kernels[0].n_columns),))
        return cls._of_natural([kernel for kernel in kernels if isinstance(kernel, NaturalKernel)])

    @classmethod
    def _of_natural(cls, kernels: Sequence[NaturalKernel]) -> Stack:
        first, ends = kernels[0], np.cumsum([len(kernel.theta) for kernel in kernels]).tolist()
        theta = np.concatenate([kernel.theta for kernel in kernels])
        reference = np.concatenate([kernel.reference for kernel in kernels])
        classes = [kernel.classes for kernel in kernels if kernel.classes is not None]
        whole = NaturalKernel(
            first.structure,
            first.center,
            reference,
            theta,
            first.factors,
            classes=np.concatenate(classes) if classes else None,
        )
        parts = tuple(slice(*ends) for ends in zip([0, *ends[:-1]], ends, strict=True))
        return cls(whole, parts)


def group_kernels(kernels: Sequence[Kernel]) -> list[list[int]]:
    """Return the indices of the kernels of each stack: natural ones of a structure share a stack.

    The last stack has a kernel of rows as they are, if there is any.
    """
    groups: dict[str, list[int]] = {}
    alone: list[list[int]] = []
    for index, kernel in enumerate(kernels):
        pools = kernel.structure.statistic.pools
        if isinstance(kernel, NaturalKernel) and (kernel.leaves_out or not pools):
            groups.setdefault(kernel.structure.name, []).append(index)
        else:  # also one that pools beside noise: it has a second moment of its own
            alone.append([index])
    alone.sort(key=lambda group: not kernels[group[0]].is_centred)
    return [*groups.values(), *alone]
