r"""The E-step of patterns that few rows have: many patterns in each call.

What a pattern costs beside its rows is mostly calls, which arrays of many patterns share. Each is
as wide as whole rows: without the covariances of missing columns, the factor of :math:`\Sigma` has
that of the observed ones, and deviations are 0 where values are missing. A whole row is expected at
:math:`\mu + R (x - \mu)`, with ones for the observed columns on the diagonal of R and
:math:`\Sigma_{mo} \Sigma_{oo}^{-1}` in the rows of missing ones, and
:math:`\Sigma_{mm} - \Sigma_{mo} \Sigma_{oo}^{-1} \Sigma_{om}` is left (`conditional`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.kernels.barring import Barring
from daskgmm.gaussian.kernels.kernel import LOG_2_PI
from daskgmm.gaussian.kernels.softmax import exponentiate
from daskgmm.gaussian.log_weights import log_weights
from daskgmm.gaussian.missing.conditional import MATRICES
from daskgmm.gaussian.missing.patterns import Pattern, pool_rows
from daskgmm.gaussian.parameters import Parameters

Group = tuple[Pattern, Block]
"""A pattern, and rows of its observed columns."""

FEW_NUMBERS, FEW_COLUMNS = 8000, 24
"""Deviations of the rows of a pattern from all means, and columns, up to which it takes less time
with others than alone: 130 rows of 12 columns with 5 components, 33 with 20."""

TOGETHER_BYTES = 1 << 20
"""Bytes of the deviations, or of the matrices, of patterns whose calls are shared."""

ARRAYS = 16
"""Arrays of this size that are there at once."""


def are_short(whole: Parameters, group: Group) -> bool:
    """Return whether the rows of a pattern are so few that it comes with others."""
    pattern, block = group
    few = len(pattern) <= FEW_COLUMNS and len(block.x) * whole.means.size <= FEW_NUMBERS
    return few and whole.structure == MATRICES and not pattern.all()


def held_rows(d: int) -> int:
    """Return the number of rows of short groups that are held at most: a part of a pool."""
    return max(1, pool_rows(d) // 4)


def short_nbytes(d: int) -> int:
    """Return the most bytes that short groups hold: their rows, and what they share."""
    return 8 * (d + 3) * held_rows(d) + ARRAYS * TOGETHER_BYTES


@dataclass(frozen=True, eq=False)
class Padded:
    """Patterns with as many rows, those that have fewer with rows of weight 0.

    Attributes
    ----------
    observed : ndarray of bool, shape (n, d)
        Of n patterns.
    x : ndarray of shape (n, m, d)
        m rows of each, 0 where values are missing.
    weights : ndarray of shape (n, m)
    labels : ndarray of int, shape (n, m)
        -1 where unknown.
    rows : int
        Number of rows that are there.
    """

    observed: NDArray[np.bool_]
    x: Array
    weights: Array
    labels: NDArray[np.intp]
    rows: int

    @classmethod
    def of(cls, groups: Sequence[Group]) -> Padded:
        """Return groups of rows together."""
        blocks = [block for _, block in groups]
        observed = np.stack([pattern for pattern, _ in groups])
        lengths = np.array([len(block.x) for block in blocks])
        there = np.arange(lengths.max()) < lengths[:, None]
        x, weights = np.zeros((*there.shape, observed.shape[1])), there.astype(np.float64)
        x[there[:, :, None] & observed[:, None]] = np.concatenate([b.x.ravel() for b in blocks])
        labels = np.full(there.shape, -1, np.intp)
        if blocks[0].weights is not None:
            weights[there] = np.concatenate([block.weights for block in blocks])
        if blocks[0].beside.labels is not None:
            labels[there] = np.concatenate([block.beside.labels for block in blocks])
        return cls(observed, x, weights, labels, int(lengths.sum()))


@dataclass(frozen=True, eq=False)
class Sums:
    """Expected moments of whole rows about the means of the components.

    Attributes
    ----------
    counts : ndarray of shape (k,)
    first : ndarray of shape (k, d)
    second : ndarray of shape (k, d, d)
    traces : float
        As of `Moments`.
    log_likelihood, weight : float
    rows : int
    """

    counts: Array
    first: Array
    second: Array
    traces: float
    log_likelihood: float
    weight: float
    rows: int

    def __add__(self, other: Sums) -> Sums:
        """Return the sums over both sets of rows."""
        return Sums(
            self.counts + other.counts,
            self.first + other.first,
            self.second + other.second,
            self.traces + other.traces,
            self.log_likelihood + other.log_likelihood,
            self.weight + other.weight,
            self.rows + other.rows,
        )

    def about(self, shifts: Array) -> tuple[Array, Array]:
        """Return first and second moments about other points, means less these (k, d)."""
        first = self.first + self.counts[:, None] * shifts
        crossed = self.first[:, :, None] * shifts[:, None, :]
        second = self.second + crossed + crossed.swapaxes(1, 2)
        return first, second + self.counts[:, None, None] * shifts[:, :, None] * shifts[:, None, :]


def together(groups: Sequence[Group], k: int) -> Iterator[list[Group]]:
    """Yield groups that share calls, those of about as many rows."""
    ordered = sorted(groups, key=lambda group: len(group[1].x))
    d, first = len(ordered[0][0]), 0
    while first < len(ordered):
        # Of a slice the last one has the most rows, and is known only with its length.
        matrices = max(1, TOGETHER_BYTES // (8 * k * d * d))
        rows = len(ordered[min(first + matrices, len(ordered)) - 1][1].x)
        stop = first + max(1, min(matrices, TOGETHER_BYTES // (8 * k * d * rows)))
        yield ordered[first:stop]
        first = stop


def sums_of(
    whole: Parameters, groups: Padded, noise: float, classes: NDArray[np.intp] | None
) -> Sums:
    """Return the moments of groups of rows under a mixture with matrices.

    `noise` and `classes` are those of a kernel.

    Raises
    ------
    SingularError
        If the covariance of the observed columns of a pattern is singular to rounding.
    """
    o, (k, d) = groups.observed, whole.means.shape
    both, pairs = o[:, :, None] & o[:, None, :], np.eye(d, dtype=bool)
    covariances = np.where(both | pairs, whole.covariances[:, None], 0.0)  # (k, n, d, d)
    factors = STRUCTURES[MATRICES].precision.factorise(covariances.reshape(-1, d, d))
    factors = np.where(both, factors.reshape(covariances.shape), 0.0)
    traces = (factors**2).sum(axis=(-1, -2))
    diagonals = np.diagonal(factors, axis1=-2, axis2=-1)
    constant = np.log(np.where(o, diagonals, 1.0)).sum(-1) - 0.5 * LOG_2_PI * o.sum(-1)
    constant += log_weights(whole)[:, None] - 0.5 * noise * traces
    deviations = np.where(o[:, None, :], groups.x - whole.means[:, None, None], 0.0)
    distances = ((deviations @ factors) ** 2).sum(-1)  # (k, n, m)
    gamma = (constant[:, :, None] - 0.5 * distances).reshape(k, -1)
    log_likelihood = _responsibilities(gamma, groups, classes)
    gamma = gamma.reshape(distances.shape)
    counts = gamma.sum(-1)
    first = (gamma[:, :, None, :] @ deviations)[:, :, 0]
    second = (deviations * gamma[..., None]).swapaxes(-1, -2) @ deviations
    # What observed values tell of the others.
    across = np.where(~o[:, :, None] & o[:, None, :], whole.covariances[:, None], 0.0)
    half = across @ factors
    maps = half @ factors.swapaxes(-1, -2) + np.where(both & pairs, 1.0, 0.0)
    neither = ~o[:, :, None] & ~o[:, None, :]
    left = np.where(neither, whole.covariances[:, None] - half @ half.swapaxes(-1, -2), 0.0)
    if noise:
        left += noise * (maps @ maps.swapaxes(-1, -2) - np.eye(d))
    spread = (maps @ second @ maps.swapaxes(-1, -2) + counts[..., None, None] * left).sum(axis=1)
    ahead = (maps @ first[..., None])[..., 0].sum(axis=1)
    weight = float(groups.weights.sum())
    trace = float((counts * traces).sum())
    return Sums(counts.sum(1), ahead, spread, trace, log_likelihood, weight, groups.rows)


def _responsibilities(joint: Array, groups: Padded, classes: NDArray[np.intp] | None) -> float:
    """Make weighted responsibilities of log joint densities (k, b); return the log-likelihood."""
    weights = groups.weights.ravel()
    if classes is not None:
        Barring(classes).bar(joint, groups.labels.ravel())
    maximum, total = np.empty(len(weights)), np.empty(len(weights))
    exponentiate(joint, maximum, total)
    joint *= weights / total
    there = weights > 0  # a row that is not there has no likelihood
    return float(weights[there] @ (maximum[there] + np.log(total[there])))
