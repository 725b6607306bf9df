"""Moments of rows: the result of a pass, from which the M-step follows; nothing of size n."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array

EMPTY = 10 * float(np.finfo(np.float64).eps)
"""Share of the weight below which a component has no rows: its mean would be rounding."""


@dataclass(frozen=True)
class Moments:
    r"""Expected sufficient statistics of a set of rows (Bishop 2006, section 9.3).

    With :math:`w_n` the weight of row n, :math:`\gamma_{nk}` its responsibilities and
    :math:`r_k` the reference point of component k, column k of `sums` holds
    :math:`\sum_n w_n \gamma_{nk} T(x_n - r_k)`: first :math:`N_k`, then the d sums of
    :math:`x - r_k`, then the quadratic entries. The moments of two sets of rows, about the same
    points, are added with ``+``.

    Attributes
    ----------
    sums : ndarray of float64, shape (p, k)
    reference : ndarray of shape (k, d)
        Reference points of the moments, r_k; equal in all parts of one pass.
    pooled : ndarray of shape (d, d), or None
        Second moment of all components together, if the statistic pools it.
    log_likelihood : float
        :math:`\sum_n w_n \log p(x_n)` in nats.
    weight : float
        :math:`\sum_n w_n`.
    rows : int
        Number of rows, with those of weight 0.
    prior_counts : pair of ndarray of shape (k,), or None
        `mean_counts` and `scale_counts` with a prior or tails; None without one.
    noise : float, or None
        Weight of the rows of a uniform component; None without one.
    tail : ndarray of shape (s, k), or None
        Sums of components with tails, as of `gaussian.tails.Tail`; the first are N_k. Then
        :math:`\gamma_{nk}` in `sums` has the factor of the tail, and row 0 of `sums` is the divisor
        of the means.
    traces : float, or None
        :math:`\sum_{nk} w_n \gamma_{nk} \operatorname{tr} P_{nk}`, P the precision of what row n
        has, if rows miss values.
    left_out : ndarray of shape (2,), or None
        Of a truncated mixture: what candidates leave out of the log densities of rows, summed with
        their weights in nats as some of them tell, and the sum of the weights.
    """

    sums: Array
    reference: Array
    pooled: Array | None
    log_likelihood: float
    weight: float
    rows: int
    prior_counts: tuple[Array, Array] | None = None
    noise: float | None = None
    tail: Array | None = None
    traces: float | None = None
    left_out: Array | None = None

    def __add__(self, other: Moments) -> Moments:
        """Return the moments of both sets of rows.

        Neither is changed: a task that runs again after the loss of a worker must not count twice.
        """
        if self.prior_counts is not None or other.prior_counts is not None:
            raise ValueError("Add the moments of all rows first, and those of a prior last.")
        pooled = None
        if self.pooled is not None and other.pooled is not None:
            pooled = self.pooled + other.pooled
        tail = None
        if self.tail is not None and other.tail is not None:
            tail = self.tail + other.tail
        traces = None
        if self.traces is not None and other.traces is not None:
            traces = self.traces + other.traces
        left_out = None
        if self.left_out is not None and other.left_out is not None:
            left_out = self.left_out + other.left_out
        return Moments(
            sums=self.sums + other.sums,
            reference=self.reference,
            pooled=pooled,
            log_likelihood=self.log_likelihood + other.log_likelihood,
            weight=self.weight + other.weight,
            rows=self.rows + other.rows,
            tail=tail,
            traces=traces,
            left_out=left_out,
        )

    @property
    def counts(self) -> Array:
        """Expected weight of each component, N_k, shape (k,)."""
        counts: Array = self.sums[0] if self.tail is None else self.tail[0]
        return counts

    @property
    def first(self) -> Array:
        """Sums of x - r_k, shape (k, d)."""
        d = self.reference.shape[1]
        return self.sums[1 : 1 + d].T

    @property
    def second(self) -> Array:
        """Sums of the quadratic entries of T(x - r_k), shape (k, q)."""
        d = self.reference.shape[1]
        return self.sums[1 + d :].T

    @property
    def mean_counts(self) -> Array:
        """Divisors of `first` in the means, shape (k,); N_k without a prior or tails."""
        return self.sums[0] if self.prior_counts is None else self.prior_counts[0]

    @property
    def scale_counts(self) -> Array:
        """Divisors of `second` in the covariances, shape (k,); N_k without a prior."""
        return self.counts if self.prior_counts is None else self.prior_counts[1]

    @cached_property
    def empty(self) -> NDArray[np.bool_]:
        """Whether each component has no rows, shape (k,)."""
        return self._is_little(np.minimum(self.counts, self.mean_counts))

    @cached_property
    def without_mean(self) -> NDArray[np.bool_]:
        """Whether neither rows nor a prior tell the mean of each component, shape (k,)."""
        return self._is_little(self.mean_counts)

    @cached_property
    def without_scale(self) -> NDArray[np.bool_]:
        """Whether neither rows nor a prior tell the covariance of each component, shape (k,)."""
        return self._is_little(self.scale_counts)

    def _is_little(self, counts: Array) -> NDArray[np.bool_]:
        return np.asarray(counts <= EMPTY * self.counts.sum())

    @cached_property
    def shifts(self) -> Array:
        """New means minus the reference points, 0 for components without one, shape (k, d)."""
        unknown = self.without_mean
        divisor = np.where(unknown, 1.0, self.mean_counts)
        return np.where(unknown[:, None], 0.0, self.first / divisor[:, None])

    @cached_property
    def divisor(self) -> Array:
        """`scale_counts`, and 1 for components without a covariance, shape (k,)."""
        return np.where(self.without_scale, 1.0, self.scale_counts)

    @cached_property
    def offsets(self) -> Array:
        r"""Vectors o_k with covariances `second` / `divisor` - o_k o_k^T, shape (k, d).

        About the new mean the scatter is :math:`SS_k - m_k \delta_k \delta_k^T`, with m the
        `mean_counts` and :math:`\delta` the `shifts`: so :math:`o_k = \sqrt{m_k / s_k} \delta_k`
        for the divisor s; without a prior they are the shifts.
        """
        if self.prior_counts is None:
            return self.shifts
        share = np.where(self.without_mean, 0.0, self.mean_counts) / self.divisor
        return np.sqrt(share)[:, None] * self.shifts

    def pooled_covariance(self) -> Array:
        """Return the pooled covariance within components, shape (1, d, d)."""
        assert self.pooled is not None, "the statistic does not pool"
        within = self.pooled - (self.divisor * self.offsets.T) @ self.offsets
        covariance = within / self.scale_counts.sum()
        symmetric: Array = (covariance + covariance.T) / 2
        return symmetric[None]


@dataclass(frozen=True)
class CompleteMoments(Moments):
    """Moments that are to have those of a proper prior: each component has a mean by these."""

    def _is_little(self, counts: Array) -> NDArray[np.bool_]:
        return np.zeros(len(counts), dtype=bool)
