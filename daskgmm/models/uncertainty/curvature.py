"""The curvature of the log-likelihood: on a sample, and along weak directions on all rows.

A sample tells the curvature to a part of what rows lack in information. Where components overlap,
little is left along some directions, and the part is most of it. There the curvature is taken of
all rows, from differences of slopes beside the parameters, which are passes as those of a fit.
"""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from daskgmm.arrays import Array
from daskgmm.em.likelihood import Likelihood
from daskgmm.em.scores import SEED, Scores
from daskgmm.em.slopes import products_along, products_on
from daskgmm.em.survey.sample import SAMPLE_BYTES, Sample
from daskgmm.em.survey.uniform_sample import rule_of, uniform_sample
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.charts.score_chart import Labels, ScoreChart
from daskgmm.gaussian.charts.score_curvature import curvature, errors_along
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.executors.threads import thread_count

SAMPLE_ROWS = 30_000
"""Rows of the first sample; data with fewer are taken whole."""

ROWS_PER_PARAMETER = 25
"""The same for each free parameter, if they are more."""

DEARER = 3
"""Part of these for rows with gaps or noise, whose curvature is that of slopes."""

PARTS = 10
"""Parts of a sample of such rows: they tell its error to a quarter."""

CLOSE = 0.04
"""Standard error of the curvature along a direction, of its size, from which on it is taken of all
rows."""

BARELY = 0.25
"""The same, beyond which it tells too little, where there are too many such directions."""

MOST_DIRECTIONS = 64
"""Directions that are taken of all rows, at most."""

ROWS_OF_ERRORS = 10_000
"""Rows of a sample that tell its errors, to a few per cent."""

SPARE = 1.5
"""Rows of all that slopes are taken of, over those that are needed, as the need is an estimate."""

SQUARE, STATISTIC, SLOPE, READING, HASHING = 2e-11, 8e-9, 2e-10, 5e-9, 2e-8
"""Seconds that a row takes: in a sample for each product of two parameters, and for each statistic
of a component; in a pass for each statistic and direction; for each number that is read; and to be
drawn. They choose the cheapest of several samples."""


@dataclass(frozen=True, eq=False)
class Curvature:
    """Minus the second derivatives of the log-likelihood, in the coordinates of a chart.

    Attributes
    ----------
    matrix : ndarray of shape (P, P)
        Over the weight of the rows.
    values : ndarray of shape (r,)
        Its smallest eigenvalues, ascending; r is `MOST_DIRECTIONS` and one more, or P.
    directions : ndarray of shape (P, r)
        Their eigenvectors.
    errors : ndarray of shape (r,)
        Standard errors of `values`; 0 where they are those of all rows.
    sample : Sample
        In the coordinates of the model.
    """

    matrix: Array
    values: Array
    directions: Array
    errors: Array
    sample: Sample

    @property
    def rows(self) -> int:
        """Rows of the sample."""
        return len(self.sample.x)

    @property
    def parts(self) -> Array:
        """Standard errors of `values`, of their size; infinity where these are not positive."""
        positive = self.values > 0.0
        found = self.errors / np.where(positive, self.values, 1.0)
        return np.where((self.errors > 0.0) & ~positive, np.inf, found)

    @property
    def is_told(self) -> bool:
        """Whether the curvature along every direction is known well enough."""
        return bool(self.parts.max() <= BARELY)


def rows_at_first(n_parameters: int, likelihood: Likelihood) -> int:
    """Return the most rows of the first sample."""
    rows = max(SAMPLE_ROWS, ROWS_PER_PARAMETER * n_parameters)
    return rows if likelihood.is_plain else max(1, rows // DEARER)


def weighed(sample: Sample) -> tuple[Array, Array, Labels | None]:
    """Return the rows of a sample (m, d), their weights (m,) and labels (m,), if they have any."""
    x, weights = np.asarray(sample.x, np.float64), sample.weights
    given = np.ones(len(x)) if weights is None else weights.astype(np.float64)
    return x, given, sample.beside.labels


def curvature_of(
    data: Dataset, chart: ScoreChart, found: Scores, columns: tuple[str, ...] | None
) -> Curvature:
    """Return the curvature, from the sample of a pass and from further passes where it is weak."""
    assert found.sample is not None, "some rows have a weight"
    likelihood = Likelihood.of(data)
    found_on = _on_sample(likelihood, chart, found, found.sample)
    rows = rows_worth_drawing(likelihood, chart, found_on, found.weighing.rows)
    if rows > found_on.rows:
        gaps = likelihood.gaps
        sample, _ = uniform_sample(data, rule_of(data, SEED, rows), columns, gaps=gaps)
        assert sample is not None, "some rows have a weight"
        found_on = _on_sample(likelihood, chart, found, sample)
    off = np.flatnonzero(found_on.parts > CLOSE)[:MOST_DIRECTIONS]
    return _with_all_rows(data, chart, found, found_on, off) if len(off) else found_on


def _on_sample(
    likelihood: Likelihood, chart: ScoreChart, found: Scores, sample: Sample
) -> Curvature:
    """Return the curvature on a sample, on the threads of this process."""
    if not likelihood.is_plain:
        return _from_slopes(likelihood, chart, found, sample)
    x, weights, labels = weighed(sample)
    n, total = found.weighing.rows, float(found.weights.sum())
    drawn, counts = len(x) < n, chart.counts(found.sums.sum(0), total)
    shares = None if counts is None or not drawn else counts / total
    with ThreadPoolExecutor(thread_count()) as pool:
        matrix = curvature(chart, x, weights, pool.map, counts=shares, labels=labels, drawn=drawn)
    values, directions = _weakest(matrix)
    errors = np.zeros(len(values))
    if drawn:
        few = slice(None, None, -(-len(x) // ROWS_OF_ERRORS))
        known = None if labels is None else labels[few]
        of_few = errors_along(chart, x[few], weights[few], directions, known)
        errors = of_few * np.sqrt(len(x[few]) * (1.0 / len(x) - 1.0 / n))
    return Curvature(matrix, values, directions, errors, sample)


def _from_slopes(
    likelihood: Likelihood, chart: ScoreChart, found: Scores, sample: Sample
) -> Curvature:
    """Return the curvature on a sample of rows that are not complete or not exact."""
    rows = Block(np.asarray(sample.x, np.float64), sample.beside)
    edges = np.linspace(0, len(rows.x), PARTS + 1).astype(int).tolist()
    parts = [rows.part(slice(*ends)) for ends in itertools.pairwise(edges)]
    _, weights, _ = weighed(sample)
    shares = np.add.reduceat(weights, edges[:-1]) / weights.sum()

    def of_part(part: Block) -> Array:
        return products_on(part, likelihood, chart, found.half_range)

    with ThreadPoolExecutor(thread_count()) as pool:
        each = list(pool.map(of_part, parts))
    matrix = sum(share * own for share, own in zip(shares, each, strict=True))
    values, directions = _weakest(matrix)
    along = np.stack([np.einsum("pr,pr->r", directions, own @ directions) for own in each])
    left = max(0.0, 1.0 - len(rows.x) / found.weighing.rows)
    spread = ((shares[:, None] * (along - values)) ** 2).sum(0)
    errors = np.sqrt(spread * PARTS / (PARTS - 1.0) * left)
    return Curvature(matrix, values, directions, errors, sample)


def _weakest(matrix: Array) -> tuple[Array, Array]:
    # Of all: asked for some, LAPACK returns none where many are nearly equal.
    values, vectors = eigh(matrix)
    known = MOST_DIRECTIONS + 1  # the last one tells whether these are enough
    return values[:known], vectors[:, :known]


def rows_worth_drawing(
    likelihood: Likelihood, chart: ScoreChart, curvature: Curvature, n: int
) -> int:
    """Return the rows of the sample, of n, with which the curvature is known soonest."""
    d, size, at_first = chart.parameters.n_features, chart.free.shape[0], curvature.rows
    most = max(at_first, min(n, SAMPLE_BYTES // (8 * d)))
    if at_first >= n:
        return at_first
    of_row = chart.n_parameters**2 * SQUARE + size * STATISTIC
    if not likelihood.is_plain:
        of_row = chart.n_parameters * size * SLOPE

    def seconds(rows: int) -> float:
        parts = _parts_of_more(curvature, rows, n)
        off = int(np.count_nonzero(parts > CLOSE))
        if off > MOST_DIRECTIONS:
            return np.inf
        total, a_pass = 0.0, n * (d * READING + HASHING)
        if rows > at_first:
            total += a_pass + rows * of_row
        if off:
            total += a_pass + rows_needed(parts, rows, n) * (off + 1) * size * SLOPE
        return total

    sizes = [at_first]
    while sizes[-1] < most:
        sizes.append(min(most, 2 * sizes[-1]))
    costs = [seconds(rows) for rows in sizes]
    return sizes[int(np.argmin(costs))] if min(costs) < np.inf else most


def _parts_of_more(curvature: Curvature, rows: int, n: int) -> Array:
    """Return `Curvature.parts` of as many rows, of n, as they are expected to be."""
    if rows >= n:
        return np.zeros(len(curvature.parts))
    left = (1.0 / rows - 1.0 / n) / (1.0 / curvature.rows - 1.0 / n)
    return np.asarray(curvature.parts * np.sqrt(left))


def rows_needed(parts: Array, rows: int, n: int) -> float:
    """Return the rows, of n, that tell what so many do not: each direction as well as is `CLOSE`.

    The smallest eigenvalues of few rows are too small, by about their errors.
    """
    worst = float(parts.max())
    if not worst < 1.0:
        return float(n)
    return min(float(n), 1.0 / (1.0 / n + (1.0 / rows - 1.0 / n) * (CLOSE / worst) ** 2 / SPARE))


def _with_all_rows(
    data: Dataset, chart: ScoreChart, found: Scores, curvature: Curvature, off: NDArray[np.intp]
) -> Curvature:
    """Return the curvature with its products with some directions taken of all rows, or enough."""
    own = curvature.directions[:, off]
    n = found.weighing.rows
    share = rows_needed(curvature.parts, curvature.rows, n) / n
    products = products_along(data, chart, own, found.half_range, share)
    changes = products - curvature.matrix @ own
    within = own.T @ changes
    outer = own @ changes.T
    matrix = curvature.matrix + outer + outer.T - own @ (within + within.T) @ own.T / 2.0
    rest = curvature.parts.copy()
    rest[off] = 0.0
    values, directions = _weakest(matrix)
    # What was left to the sample was known to this part of it, wherever it is now.
    return replace(
        curvature,
        matrix=matrix, values=values, directions=directions, errors=values * rest.max(),
    )  # fmt: skip
