"""Curvature of the log-likelihood in the coordinates of a `ScoreChart`, from sums over rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg.blas import dsyrk

from daskgmm.arrays import Array
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.charts.conditionals import Conditionals, Conditioning
from daskgmm.gaussian.charts.row_scores import features_of, join, responsibilities
from daskgmm.gaussian.charts.score_chart import ScoreChart
from daskgmm.gaussian.charts.unseen import Unseen, unseen_of

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
        Of rows with gaps or noise they have the variances of what is not seen beside.
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


def no_squares(chart: ScoreChart) -> SumsOfSquares:
    """Return the sums over no rows."""
    k, size, n_parameters = chart.n_columns, chart.size, chart.n_parameters
    none = tuple(np.zeros((size, size)) for _ in range(k))
    return SumsOfSquares(0.0, np.zeros(k), np.zeros((n_parameters, n_parameters)), none)


def sums_of_squares(
    chart: ScoreChart,
    conditioning: Conditioning,
    block: Block,
    *,
    all_rows: bool = False,
) -> SumsOfSquares:
    """Return the sums over the rows of a block, all of which have a weight.

    Of `all_rows`, or of those whose component is not known.
    """
    k, size = chart.n_columns, chart.size
    squares, counts = np.zeros((chart.n_parameters,) * 2, order="F"), np.zeros(k)
    products = [np.zeros((size, size), order="F") for _ in range(k)]
    n_tile = conditioning.tile_rows
    scores = np.empty((chart.n_parameters, min(n_tile, len(block.x))))
    unseen: list[Unseen] = []
    for first in range(0, len(block.x), n_tile):
        tile = block.part(slice(first, first + n_tile))
        weights = _weights(tile)
        given = conditioning(tile)
        gamma = responsibilities(chart, given, tile.beside.labels)
        counts += gamma @ weights
        _add_unseen(chart, unseen, given, gamma * weights)
        if not all_rows:
            kept = np.flatnonzero(1.0 - np.einsum("kb,kb->b", gamma, gamma) > SURE)
            gamma, weights, given = gamma[:, kept], weights[kept], given.kept(kept)
            if not len(kept):
                continue
        own, features = scores[:, : gamma.shape[1]], features_of(chart, given)
        join(chart, gamma, features, own)
        own *= np.sqrt(weights)
        squares = _with_squares(squares, own)
        for component, part in enumerate(features):
            part *= np.sqrt(gamma[component] * weights)
            products[component] = _with_squares(products[component], part)
    whole = [_symmetric(part) for part in products]
    if unseen:
        whole = [part + rest.variance(chart) for part, rest in zip(whole, unseen, strict=True)]
    return SumsOfSquares(float(_weights(block).sum()), counts, _symmetric(squares), tuple(whole))


def _weights(block: Block) -> Array:
    given = block.weights
    return np.ones(len(block.x)) if given is None else given.astype(np.float64)


def _add_unseen(
    chart: ScoreChart, unseen: list[Unseen], given: Conditionals, shares: Array
) -> None:
    """Add the variances of what rows do not tell, for components with `shares` (k, b) of them."""
    if given.spreads is None:
        return
    if not unseen:
        unseen += [unseen_of(chart, len(each.covariances)) for each in given.spreads]
    for total, means, spread, own in zip(unseen, given.means, given.spreads, shares, strict=True):
        total.add(means, spread, own)


def _with_squares(total: Array, columns: Array) -> Array:
    """Return the lower half of a symmetric matrix plus the products of columns (p, b), in place."""
    return np.asarray(dsyrk(1.0, columns.T, 1.0, total, trans=1, lower=1, overwrite_c=1))


def _symmetric(lower: Array) -> Array:
    return np.asarray(np.tril(lower) + np.tril(lower, -1).T)
