"""Curvature of the log-likelihood in the coordinates of a `ScoreChart`, on rows in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np
from scipy.linalg.blas import dsyrk

from daskgmm.arrays import Array
from daskgmm.gaussian.charts.score_chart import TILE, Labels, ScoreChart

PART = 8 * TILE
"""Fewest rows of a part of a curvature."""

MOST_PARTS = 32

PARTS_BYTES = 256 << 20
"""Most bytes of the squares of scores of all parts."""

SURELY_DRAWN = 0.1
"""Probability that two draws of a row's component differ from which on a row counts by itself."""

LEAST_CHANCE = 1e-3
"""Least probability of a row to be drawn: the largest weight that it has in return."""


def drawn_tiles(
    chart: ScoreChart, x: Array, weights: Array, labels: Labels | None = None, *, drawn: bool
) -> Iterator[tuple[Array, Array, Array, list[Array]]]:
    """Yield the counts (k,) of tiles, and weights, responsibilities and scores of their rows.

    If rows are `drawn`, those that surely are of one component, and lack little information,
    are so with little probability, and weigh more in return: in turn along the tile.
    """
    for first in range(0, len(x), TILE):
        rows = slice(first, min(first + TILE, len(x)))
        known = None if labels is None else labels[rows]
        gamma, parts = chart.responsibilities(x[rows], known)
        own, counts = weights[rows], gamma @ weights[rows]
        if drawn:
            unsure = 1.0 - np.einsum("kb,kb->b", gamma, gamma)
            chances = np.clip(unsure / SURELY_DRAWN, LEAST_CHANCE, 1.0)
            steps = np.floor(np.cumsum(chances) + 0.5)
            kept = np.flatnonzero(np.diff(steps, prepend=0.0))
            own, gamma = own[kept] / chances[kept], gamma[:, kept]
            parts = [z[:, kept] for z in parts]
        yield counts, own, gamma, [chart.features(z, i) for i, z in enumerate(parts)]


def curvature(
    chart: ScoreChart,
    x: Array,
    weights: Array,
    over: Callable[..., Iterable[list[Array]]] = map,
    *,
    counts: Array | None = None,
    labels: Labels | None = None,
    drawn: bool = False,
) -> Array:
    r"""Return minus the second derivatives of the log-likelihood.

    Louis' formula: the information of rows whose components are known, less the covariance of
    their scores given the rows.

    Parameters
    ----------
    x : ndarray of shape (m, d)
    weights : ndarray of shape (m,)
    over : callable
        Applies a function to parts of the rows, as `map` does: that of a pool, for instance.
        What the parts are depends on the numbers of rows and parameters alone.
    counts : ndarray of shape (k,), optional
        Shares of the components in all rows, if these are a sample; by default in these.
    labels : ndarray of int, shape (m,), optional
        As of `of_rows`.
    drawn : bool
        Whether of rows that lack little information few are enough.

    Returns
    -------
    ndarray of shape (P, P)
        Over the sum of the weights.
    """
    k, size = chart.parameters.n_components, chart.size
    fits = PARTS_BYTES // (8 * chart.n_parameters**2)
    parts = max(1, min(MOST_PARTS, fits, len(x) // PART))
    sums: list[Array] = []
    known = [None] * parts if labels is None else np.array_split(labels, parts)
    given = np.array_split(x, parts), np.array_split(weights, parts), known, [drawn] * parts
    for own in over(partial(_sums, chart), *given):
        sums = [one + other for one, other in zip(sums, own, strict=True)] if sums else own
    in_rows, squares, *products = sums
    total = float(weights.sum())
    of_components = in_rows if counts is None else total * counts
    fixed = np.arange(chart.n_weights)
    squares[fixed, fixed] += total
    for component in range(k):
        whole = np.full(size, of_components[component])  # of log odds it is `total`, above
        whole[0] = 0.0
        part = chart.free[component * size : (component + 1) * size]
        squares += part.T @ (np.diag(whole) - products[component]) @ part
    return np.asarray((squares + squares.T) / (2.0 * total))


def _sums(
    chart: ScoreChart, x: Array, weights: Array, labels: Labels | None, drawn: bool
) -> list[Array]:
    """Return weights (k,), squares of scores (P, P) and of those of each component (p, p)."""
    k, size = chart.parameters.n_components, chart.size
    squares, counts = np.zeros((chart.n_parameters,) * 2, order="F"), np.zeros(k)
    products = [np.zeros((size, size), order="F") for _ in range(k)]
    scores = np.empty((chart.n_parameters, min(TILE, len(x))))
    for found, weighed, gamma, features in drawn_tiles(chart, x, weights, labels, drawn=drawn):
        own, chances = scores[:, : gamma.shape[1]], gamma * weighed
        chart.join(gamma, features, own)
        own *= np.sqrt(weighed)
        squares = _with_squares(squares, own)
        counts += found
        for component, part in enumerate(features):
            part *= np.sqrt(chances[component])
            products[component] = _with_squares(products[component], part)
    return [counts, *map(_symmetric, (squares, *products))]


def squares(chart: ScoreChart, x: Array, weights: Array, labels: Labels | None = None) -> Array:
    r"""Return :math:`\sum_n w_n s_n s_n^T` over the sum of the weights, (P, P)."""
    found, scores = np.zeros((chart.n_parameters,) * 2, order="F"), np.empty(0)
    for first in range(0, len(x), TILE):
        rows = slice(first, first + TILE)
        scores = chart.of_rows(x[rows], None if labels is None else labels[rows])
        scores *= np.sqrt(weights[rows])
        found = _with_squares(found, scores)
    return np.asarray(_symmetric(found) / weights.sum())


def errors_along(
    chart: ScoreChart, x: Array, weights: Array, directions: Array, labels: Labels | None = None
) -> Array:
    """Return standard errors of `curvature` along directions (P, r), shape (r,).

    They are those of the mean of drawn rows that are a sample of many.
    """
    own = np.asarray(chart.free @ directions)
    own = own.reshape(chart.parameters.n_components, -1, directions.shape[1])
    sums, squares = np.zeros(directions.shape[1]), np.zeros(directions.shape[1])
    for _, weighed, gamma, features in drawn_tiles(chart, x, weights, labels, drawn=True):
        scores = np.stack([part.T @ f for part, f in zip(own, features, strict=True)])
        mean = np.einsum("kb,krb->rb", gamma, scores)
        scores *= scores
        lost = (np.einsum("kb,krb->rb", gamma, scores) - mean**2) * weighed
        sums += lost.sum(1)
        squares += (lost**2).sum(1)
    return np.asarray(np.sqrt(np.maximum(squares - sums**2 / len(x), 0.0)) / weights.sum())


def _with_squares(total: Array, columns: Array) -> Array:
    """Return the lower half of a symmetric matrix plus the products of columns (p, b), in place."""
    return np.asarray(dsyrk(1.0, columns.T, 1.0, total, trans=1, lower=1, overwrite_c=1))


def _symmetric(lower: Array) -> Array:
    return np.asarray(np.tril(lower) + np.tril(lower, -1).T)
