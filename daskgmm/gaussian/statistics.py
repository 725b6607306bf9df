"""What a set of rows leaves behind for the M-step: weighted sums, and nothing of size n."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Statistics:
    r"""Expected sufficient statistics of a set of rows (Bishop 2006, section 9.3).

    With :math:`w_n` the weight of row n, :math:`\gamma_{nk}` its responsibilities and
    :math:`r_k` the reference point of component k, column k of `sums` holds
    :math:`\sum_n w_n \gamma_{nk} T(x_n - r_k)`: first :math:`N_k`, then the d sums of
    :math:`x - r_k`, then what the structure keeps of the second moments.

    Attributes
    ----------
    sums : ndarray of float64, shape (p, k)
    reference : ndarray of shape (k, d)
        The points that the moments are taken about; equal in all parts of one pass, which
        is why partial statistics merge by plain addition.
    pooled : ndarray of shape (d, d), or None
        Second moment of all components together, for the tied structure.
    log_likelihood : float
        :math:`\sum_n w_n \log p(x_n)` in nats.
    weight : float
        :math:`\sum_n w_n`.
    rows : int
        The number of rows, those of weight 0 included.
    """

    sums: Array
    reference: Array
    pooled: Array | None
    log_likelihood: float
    weight: float
    rows: int

    @property
    def counts(self) -> Array:
        """The expected weight of each component, N_k, shape (k,)."""
        counts: Array = self.sums[0]
        return counts

    @property
    def mean_log_likelihood(self) -> float:
        """The log-likelihood per unit of weight, in nats; scikit-learn's lower bound."""
        return self.log_likelihood / self.weight


def merge(one: Statistics, other: Statistics) -> Statistics:
    """Return the statistics of both sets of rows; neither argument is changed.

    Purity matters: a task that is run again after a worker was lost must not count twice.
    """
    pooled = None
    if one.pooled is not None and other.pooled is not None:
        pooled = one.pooled + other.pooled
    return Statistics(
        sums=one.sums + other.sums,
        reference=one.reference,
        pooled=pooled,
        log_likelihood=one.log_likelihood + other.log_likelihood,
        weight=one.weight + other.weight,
        rows=one.rows + other.rows,
    )
