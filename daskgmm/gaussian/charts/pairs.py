r"""The curvature from fourth moments of pairs of components, without scores of rows.

In Louis' formula, with :math:`\phi_j` the score of a row that is known to be of component j, the
information that is missing has the blocks :math:`-\sum \gamma_j \gamma_k \phi_j \phi_k^T`, and on
the diagonal :math:`\sum \gamma_j (1 - \gamma_j) \phi_j \phi_j^T`, which is the sum of
:math:`\sum \gamma_j \gamma_k \phi_j \phi_j^T` over all other k. So one symmetric matrix of each
pair, :math:`\sum \gamma_j \gamma_k\, t t^T` with t the products of y and 1, tells all: both scores
are linear in t. With :math:`z_j` the row in the units of j, y is the z of a component that has the
sum of both precisions. Then :math:`(z_j; z_k) = Q y` plus constants, Q of orthonormal columns, and
nothing that is large cancels, however unlike the components are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import daskgmm.gaussian.covariance.algebra.packed as packed
from daskgmm.arrays import Array
from daskgmm.gaussian.charts.score_chart import SQRT_2, ScoreChart
from daskgmm.gaussian.charts.score_curvature import SumsOfSquares
from daskgmm.gaussian.kernels.pairs import PairLayout


@dataclass(frozen=True, eq=False)
class Frame:
    """The coordinates y = F (x - m) of a pair of components.

    Attributes
    ----------
    pair : tuple of int
    point : ndarray of shape (d,)
    factor : ndarray of shape (d, d)
        Upper triangular.
    maps : tuple of ndarray of shape (p, p)
        From t to the scores of each component of the pair.
    """

    pair: tuple[int, int]
    point: Array
    factor: Array
    maps: tuple[Array, Array]


@dataclass(frozen=True, eq=False)
class PairFrames:
    """Frames of all pairs of the components of a chart.

    Attributes
    ----------
    chart : ScoreChart
    frames : tuple of Frame
        With those of each component and itself if squares of the scores of all rows are wanted.
    """

    chart: ScoreChart
    frames: tuple[Frame, ...]

    @classmethod
    def of(cls, chart: ScoreChart, *, all_rows: bool) -> PairFrames:
        """Return the frames of a chart."""
        columns = chart.n_columns
        pairs = [(j, k) for j in range(columns) for k in range(j + (not all_rows), columns)]
        return cls(chart, tuple(_frame(chart, pair) for pair in pairs))

    @property
    def layout(self) -> PairLayout:
        """What is summed."""
        numbers = np.full((self.chart.n_columns,) * 2, -1, np.int64)
        for place, frame in enumerate(self.frames):
            numbers[frame.pair] = place
        return PairLayout(
            numbers,
            np.stack([frame.point for frame in self.frames]),
            np.stack([frame.factor for frame in self.frames]),
            self.chart.detail < 2,
            *_products(self.chart),
        )

    def squares(self, weight: float, counts: Array, sums: Array) -> SumsOfSquares:
        """Return the sums of squares of rows, from those of the products of each pair."""
        k, size = self.chart.n_columns, self.chart.size
        components, whole = np.zeros((k, size, size)), np.zeros((k, size, k, size))
        for frame, own in zip(self.frames, _unfolded(self.chart, sums), strict=True):
            (j, other), (of_j, of_other) = frame.pair, frame.maps
            half = of_j @ own
            components[j] += half @ of_j.T
            whole[j, :, other] = half @ of_other.T
            if j != other:
                components[other] += of_other @ own @ of_other.T
                whole[other, :, j] = whole[j, :, other].T
        transposed = self.chart.free.T.tocsr()
        half = transposed @ whole.reshape(k * size, -1)
        return SumsOfSquares(weight, counts, (transposed @ half.T).T.copy(), tuple(components))


def n_sums(chart: ScoreChart, *, all_rows: bool) -> int:
    """Return the number of sums of all pairs."""
    columns = chart.n_columns
    of_pair = int(_products(chart)[2].sum())
    return of_pair * columns * (columns + 1 if all_rows else columns - 1) // 2


def _products(chart: ScoreChart) -> tuple[NDArray[np.int64], ...]:
    """Return `left`, `right` and `stops` of a layout.

    Of matrices t has all products of (1, y), those of the first entries first. Products of four
    entries are then each made once, as those of two and of two that do not come after.
    """
    d = chart.parameters.n_features
    if chart.detail == 2:
        left, right = np.tril_indices(1 + d)
        return left, right, (right + 1) * (right + 2) // 2
    squares = np.arange(1, 1 + d) if chart.detail == 1 else np.array([1 + d])
    linear, ones = np.arange(1 + d), np.zeros(1 + d, np.int64)
    left, right = np.r_[linear, squares], np.r_[ones, squares]
    if chart.detail == 0:
        right[-1] = 0  # the norm is an entry by itself
    return left, right, np.arange(1, 1 + len(left))


def _unfolded(chart: ScoreChart, sums: Array) -> Iterator[Array]:
    """Yield t t^T of each pair, from the distinct products (pairs, size)."""
    left, right, stops = _products(chart)
    p, starts = len(stops), np.cumsum(stops) - stops
    i, j = np.tril_indices(p)
    place = starts[i] + j
    if chart.detail == 2:
        four = -np.sort(-np.stack([left[i], right[i], left[j], right[j]]), axis=0)
        first = four[0] * (four[0] + 1) // 2 + four[1]  # the place of a product of two
        place = starts[first] + four[2] * (four[2] + 1) // 2 + four[3]
    for own in sums:
        found = np.empty((p, p))
        found[i, j] = found[j, i] = own[place]
        yield found


def _frame(chart: ScoreChart, pair: tuple[int, int]) -> Frame:
    """Return the frame of a pair of components, or of one and the uniform one, or of one alone."""
    means, d = chart.parameters.means, chart.parameters.n_features
    own = [j for j in dict.fromkeys(pair) if j < len(means)]
    if not own:  # the uniform component has the same score everywhere
        return Frame(pair, np.zeros(d), np.zeros((d, d)), (_constant(chart),) * 2)
    factors = [_factor(chart, j) for j in own]
    factor, parts = _joined(factors, is_full=chart.detail == 2)
    point, first = means[own[0]], len(own) == 1
    if not first:
        apart = factors[1] @ (means[own[1]] - point)
        point = point + np.linalg.solve(factor, parts[1].T @ apart)
    maps = {
        j: _scores(chart, j, part, f @ (point - means[j]))
        for j, part, f in zip(own, parts, factors, strict=True)
    }
    of_first, of_second = (maps[j] if j in maps else _constant(chart) for j in pair)
    return Frame(pair, point, factor, (of_first, of_second))


def _factor(chart: ScoreChart, component: int) -> Array:
    """Return the matrix (d, d) that makes z of x."""
    if chart.detail == 2:
        return np.asarray(chart.parameters.precisions_cholesky[component].T)
    return np.diag(chart.axes[component])


def _joined(factors: list[Array], *, is_full: bool) -> tuple[Array, list[Array]]:
    """Return R and the parts Q_j of matrices Q_j R, with R upper triangular, or diagonal."""
    if is_full:
        basis, upper = np.linalg.qr(np.concatenate(factors))
        return upper, np.split(basis, len(factors))
    scales = np.stack([np.diagonal(factor) for factor in factors])
    largest = scales.max(axis=0)
    norms = largest * np.sqrt(((scales / largest) ** 2).sum(axis=0))
    return np.diag(norms), [np.diag(scale / norms) for scale in scales]


def _constant(chart: ScoreChart) -> Array:
    """Return the map to the score of a uniform component."""
    p = len(_products(chart)[2])
    found = np.zeros((chart.size, p))
    found[0, 0] = 1.0
    return found


def _scores(chart: ScoreChart, component: int, part: Array, shift: Array) -> Array:
    """Return the map from t to the scores of a component with z = part y + shift."""
    d, excess = len(shift), chart.excess[component]
    found = _constant(chart)
    if chart.detail == 2:
        return _of_matrices(part, shift, excess)
    found[1 : 1 + d, 0], found[1 : 1 + d, 1 : 1 + d] = shift, part
    scale = np.diagonal(part)
    if chart.detail == 1:
        found[1 + d :, 0] = shift**2 + excess
        found[1 + d :, 1 : 1 + d] = np.diag(2.0 * shift * scale)
        found[1 + d :, 1 + d :] = np.diag(scale**2)
        found[1 + d :] /= SQRT_2
    else:
        found[1 + d, 0] = (shift**2).sum() + excess.sum()
        found[1 + d, 1 : 1 + d], found[1 + d, 1 + d] = 2.0 * shift * scale, scale[0] ** 2
        found[1 + d] /= np.sqrt(2.0 * d)
    return found


def _of_matrices(part: Array, shift: Array, excess: Array) -> Array:
    d = len(shift)
    whole = np.zeros((1 + d, 1 + d))  # of (1, z) from (1, y)
    whole[0, 0], whole[1:, 0], whole[1:, 1:] = 1.0, shift, part
    rows, columns = packed.indices(d)
    a = np.r_[0, np.arange(1, 1 + d), 1 + rows][:, None]
    b = np.r_[np.zeros(1 + d, np.intp), 1 + columns][:, None]
    left, right = np.tril_indices(1 + d)
    found: Array = whole[a, left] * whole[b, right]
    found += np.where(left == right, 0.0, whole[a, right] * whole[b, left])
    found[1 + d :, 0] += excess
    found[1 + d : 1 + 2 * d] /= SQRT_2  # squares come first
    return found
