"""Curvature of the log-likelihood in the coordinates of a `ScoreChart`, from sums over rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg.blas import dsyrk

from daskgmm.arrays import Array
from daskgmm.gaussian.charts.score_chart import TILE, Labels, ScoreChart

SURE = 1e-12
"""Probability that two draws of a row's component differ, below which it lacks no information."""


@dataclass(frozen=True, eq=False)
class SumsOfSquares:
    """Sums over rows that the curvature and the variance of scores are made of.

    Attributes
    ----------
    weight : float
        Sum of the weights of the rows.
    counts : ndarray of shape (k,)
        Weights of the components.
    scores : ndarray of shape (P, P)
        Weighted squares of the scores of the rows.
    components : tuple of ndarray of shape (p, p), length k
        Those of the scores of each component, weighted by responsibilities. Where a row's
        component is known both are the same: such rows are in neither, unless they were asked for.
    """

    weight: float
    counts: Array
    scores: Array
    components: tuple[Array, ...]

    def __add__(self, other: SumsOfSquares) -> SumsOfSquares:
        """Return the sums over both sets of rows."""
        pairs = zip(self.components, other.components, strict=True)
        return SumsOfSquares(
            self.weight + other.weight,
            self.counts + other.counts,
            self.scores + other.scores,
            tuple(one + another for one, another in pairs),
        )

    def curvature(self, chart: ScoreChart) -> Array:
        r"""Return minus the second derivatives of the log-likelihood over the weight, (P, P).

        Louis' formula: the information of rows whose components are known, less the covariance
        of their scores given the rows (T. A. Louis, "Finding the observed information matrix
        when using the EM algorithm", Journal of the Royal Statistical Society B 44 (1982)
        226-233).
        """
        size, found = chart.size, self.scores.copy()
        fixed = np.arange(chart.n_weights)
        found[fixed, fixed] += self.weight
        for component, products in enumerate(self.components):
            whole = np.full(size, self.counts[component])
            whole[0] = 0.0  # of log odds it is the weight of all rows, above
            part = chart.free[component * size : (component + 1) * size]
            found += part.T @ (np.diag(whole) - products) @ part
        return np.asarray((found + found.T) / (2.0 * self.weight))

    @property
    def of_rows(self) -> Array:
        r""":math:`\sum_n w_n s_n s_n^T` over the sum of the weights, (P, P), of all rows."""
        return np.asarray(self.scores / self.weight)


def sums_of_squares(
    chart: ScoreChart,
    x: Array,
    weights: Array,
    labels: Labels | None = None,
    *,
    all_rows: bool = False,
) -> SumsOfSquares:
    """Return the sums over rows x (m, d) with weights (m,), and labels as of `ScoreChart.of_rows`.

    Of `all_rows`, or of those whose component is not known.
    """
    k, size = chart.parameters.n_components, chart.size
    squares, counts = np.zeros((chart.n_parameters,) * 2, order="F"), np.zeros(k)
    products = [np.zeros((size, size), order="F") for _ in range(k)]
    scores = np.empty((chart.n_parameters, min(TILE, len(x))))
    for first in range(0, len(x), TILE):
        rows = slice(first, min(first + TILE, len(x)))
        known, own_weights = None if labels is None else labels[rows], weights[rows]
        gamma, parts = chart.responsibilities(x[rows], known)
        counts += gamma @ own_weights
        if not all_rows:
            kept = np.flatnonzero(1.0 - np.einsum("kb,kb->b", gamma, gamma) > SURE)
            gamma, own_weights = gamma[:, kept], own_weights[kept]
            parts = [z[:, kept] for z in parts]
            if not len(kept):
                continue
        own, shares = scores[:, : gamma.shape[1]], gamma * own_weights
        features = [chart.features(z, i) for i, z in enumerate(parts)]
        chart.join(gamma, features, own)
        own *= np.sqrt(own_weights)
        squares = _with_squares(squares, own)
        for component, part in enumerate(features):
            part *= np.sqrt(shares[component])
            products[component] = _with_squares(products[component], part)
    whole = tuple(map(_symmetric, products))
    return SumsOfSquares(float(weights.sum()), counts, _symmetric(squares), whole)


def _with_squares(total: Array, columns: Array) -> Array:
    """Return the lower half of a symmetric matrix plus the products of columns (p, b), in place."""
    return np.asarray(dsyrk(1.0, columns.T, 1.0, total, trans=1, lower=1, overwrite_c=1))


def _symmetric(lower: Array) -> Array:
    return np.asarray(np.tril(lower) + np.tril(lower, -1).T)
