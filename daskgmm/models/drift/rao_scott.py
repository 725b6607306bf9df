r"""Test that many correlated means are 0, with the covariances that pieces of the rows tell.

The statistic is the sum of the squared means. Under the hypothesis it is a sum of chi-squares with
the eigenvalues of the covariance matrix V as factors, about :math:`c \chi^2_h` of the same mean and
variance, with :math:`h = (\operatorname{tr} V)^2 / \operatorname{tr} V^2` (Satterthwaite 1946; of
samples by design Rao & Scott 1984). V itself needs no inverse, and fewer pieces than there are
means are enough. Its trace is estimated with :math:`h \nu` degrees of freedom, so that statistic
over trace has an F distribution (Thomas & Rao 1987), with an unbiased estimate of
:math:`\operatorname{tr} V^2` (Bai & Saranadasa 1996).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f as f_distribution

from daskgmm.arrays import Array

OUTSTANDING = 4.0
"""Variance of a mean, over that of most, above which it is scaled down."""


@dataclass(frozen=True, slots=True)
class Means:
    """Weighted means over rows, and what pieces of the rows tell of their covariances.

    Attributes
    ----------
    means : ndarray of shape (m,)
    residuals : ndarray of shape (b, m)
        Of each piece: the sum of its products is the covariance matrix of the means.
    degrees : float
        Degrees of freedom of that matrix: pieces less one, if these are equal.
    """

    means: Array
    residuals: Array
    degrees: float

    @classmethod
    def of(cls, weights: Array, sums: Array) -> Means:
        """Return the means of sums (b, m) over pieces of these weights (b,)."""
        total = weights.sum()
        means = sums.sum(axis=0) / total
        unevenness = float(((weights / total) ** 2).sum())
        residuals = (sums - weights[:, None] * means) / (total * np.sqrt(1 - unevenness))
        return cls(means, residuals, 1 / unevenness - 1)

    def inflated(self, factor: float) -> Means:
        """Return the means with covariances that are so many times those of these."""
        return replace(self, residuals=np.sqrt(factor) * self.residuals)

    def tempered(self, variance: float) -> Means:
        """Return means of which none varies by much more than most, or than this variance.

        One that does, as a variance where tails are long, would drown all others. Those are scaled
        down, and no others: what is scaled by its own error has tails that are longer than normal.
        """
        own = (self.residuals**2).sum(axis=0)
        typical = max(variance, float(np.median(own[own > 0]))) if own.any() else variance
        most = OUTSTANDING * typical
        scales = np.sqrt(most / np.maximum(own, most))
        return replace(self, means=scales * self.means, residuals=scales * self.residuals)

    def minus(self, other: Means) -> Means:
        """Return the differences from the means of other rows; degrees are Welch's (1947)."""
        traces = np.array([float((each.residuals**2).sum()) for each in (self, other)])
        shares = float((traces**2 / [self.degrees, other.degrees]).sum())
        residuals = np.concatenate([self.residuals, other.residuals])
        degrees = float(traces.sum()) ** 2 / shares if shares else self.degrees
        return Means(self.means - other.means, residuals, degrees)


@dataclass(frozen=True, slots=True)
class Assessed:
    """The outcome of a test of some means.

    Attributes
    ----------
    statistic : float
        Sum of the squared means over its expectation, about 1 without a change.
    degrees : float
        Degrees of freedom of its numerator, h.
    p_value : float
    """

    statistic: float
    degrees: float
    p_value: float


def assess(means: Means, chosen: NDArray[np.intp] | slice) -> Assessed:
    """Test that some of the means are 0; nan if nothing of them varies."""
    own, residuals = means.means[chosen], means.residuals[:, chosen]
    trace = float((residuals**2).sum())
    if not trace > 0:
        return Assessed(np.nan, np.nan, np.nan)
    h = _effective(residuals, trace, means.degrees)
    statistic = float(own @ own) / trace
    p_value = float(f_distribution.sf(statistic, h, h * means.degrees))
    return Assessed(statistic, h, p_value)


def _effective(residuals: Array, trace: float, degrees: float) -> float:
    """Return h, from 1 to the number of means."""
    m = int((residuals != 0).any(axis=0).sum())
    squared = float(((residuals @ residuals.T) ** 2).sum())
    unbiased = degrees**2 / ((degrees - 1) * (degrees + 2)) * (squared - trace**2 / degrees)
    return float(trace**2 / np.clip(unbiased, trace**2 / m, trace**2))


def adjusted(p_values: Array) -> Array:
    """Return p values of any shape, adjusted for their number (Holm 1979); nan stays nan."""
    values = p_values.ravel()
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    steps = values[order] * np.arange(len(order), 0, -1)
    found = np.full(len(values), np.nan)
    found[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return found.reshape(p_values.shape)
