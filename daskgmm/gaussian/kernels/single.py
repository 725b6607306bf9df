"""Kernels of passes that need not be exact: in float32, by back ends that have it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.kernels.natural import NaturalKernel

MOST_EXPONENT = 1000
"""Of a unit, so that its inverse is a number."""


@dataclass(frozen=True, kw_only=True)
class SingleKernel(NaturalKernel):
    """A natural kernel whose tiles are in float32, with sums over tiles in float64.

    A back end that has no float32 takes it as a natural kernel, which is exact.

    Attributes
    ----------
    units : ndarray of shape (d,)
        Powers of two that centred columns are multiplied by; no product of these is above 1 then.
    """

    units: Array

    @classmethod
    def of_natural(cls, kernel: NaturalKernel, half_range: Array) -> Self:
        """Return a natural kernel in float32, for rows within a half range (d,) of its centre."""
        if kernel.structure.statistic.n_quadratic(len(half_range)) == 1:
            half_range = np.full_like(half_range, half_range.max())  # the squared norm has one unit
        _, exponents = np.frexp(half_range)
        exponents = np.clip(exponents, -MOST_EXPONENT, MOST_EXPONENT)
        given = {field.name: getattr(kernel, field.name) for field in fields(kernel)}
        return cls(**given, units=np.ldexp(1.0, -exponents))
