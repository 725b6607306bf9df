"""Rows counted in bins of one column and of pairs of columns, all of them in one streamed pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.companions import Companions
from daskgmm.em.survey.adaptation import checked_blocks
from daskgmm.errors import DataError
from daskgmm.gaussian.block import Block
from daskgmm.models.inputs.rows import scoring_rows
from daskgmm.passes.batches import Batch
from daskgmm.passes.over_batches import reduce_batches
from daskgmm.rows.sources import source_of


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows, or their weights, in m bins of each of c columns.

    Attributes
    ----------
    edges : ndarray of shape (c, m + 1)
        Of the bins; the last bin of a column has its upper edge too.
    single : ndarray of shape (c, m)
        Of one column each.
    pairs : ndarray of shape (c (c - 1) / 2, m, m)
        Of columns (0, 1), (0, 2), ..., the first one along the rows.
    present : ndarray of shape (c,)
        Of all rows that have a value of a column, inside the edges or not.
    both : ndarray of shape (c (c - 1) / 2,)
        The same of pairs of columns.
    rows : int
    """

    edges: Array
    single: Array
    pairs: Array
    present: Array
    both: Array
    rows: int

    def __add__(self, other: Counts) -> Counts:
        """Return the counts of both sets of rows."""
        return replace(
            self,
            single=self.single + other.single,
            pairs=self.pairs + other.pairs,
            present=self.present + other.present,
            both=self.both + other.both,
            rows=self.rows + other.rows,
        )

    def pair(self, one: int, other: int) -> Array:
        """Return the counts of two columns, shape (m, m); the first one along the rows."""
        low, high = sorted((one, other))
        place = list(combinations(range(len(self.edges)), 2)).index((low, high))
        found: Array = self.pairs[place]
        return found if one < other else found.T

    def coarser(self, factor: int) -> Counts:
        """Return the counts in bins that are so many times as wide; `factor` divides m."""
        c, m = self.single.shape
        left = m // factor
        pairs = self.pairs.reshape(-1, left, factor, left, factor).sum(axis=(2, 4))
        single = self.single.reshape(c, left, factor).sum(axis=2)
        return replace(self, edges=self.edges[:, ::factor], single=single, pairs=pairs)


@dataclass(frozen=True, slots=True)
class Counting:
    """The counts of one batch.

    Attributes
    ----------
    columns : tuple of int
    edges : ndarray of shape (c, m + 1)
    names : tuple of str or None
        Of all columns, for errors.
    gaps : bool
        Whether rows may miss values; these are in no bin.
    """

    columns: tuple[int, ...]
    edges: Array
    names: tuple[str, ...] | None
    gaps: bool

    def __call__(self, batch: Batch, blocks: Iterator[Block]) -> Counts:
        """Return the counts of the batch; raise `DataError` at the first bad value."""
        c, m = self.edges.shape[0], self.edges.shape[1] - 1
        pairs = list(combinations(range(c), 2))
        # One bin more, of what is outside: so no row has to be taken out.
        single, double = np.zeros((c, m + 1)), np.zeros((len(pairs), (m + 1) ** 2))
        present, both, rows = np.zeros(c), np.zeros(len(pairs)), 0
        for block in checked_blocks(batch, blocks, self.names, gaps=self.gaps):
            x, weights = block.x[:, self.columns], block.weights
            if weights is not None:
                weights = weights.astype(np.float64, copy=False)
            places = [bins(x[:, j], edges) for j, edges in enumerate(self.edges)]
            for j, place in enumerate(places):
                single[j] += np.bincount(place, weights, m + 1)
            for number, (i, j) in enumerate(pairs):
                joint = places[i] * (m + 1) + places[j]
                double[number] += np.bincount(joint, weights, (m + 1) ** 2)
            has = _present(x)
            present += [_weight(each, weights) for each in has.T]
            both += [_weight(has[:, i] & has[:, j], weights) for i, j in pairs]
            rows += len(x)
        inner = double.reshape(-1, m + 1, m + 1)[:, :m, :m]
        return Counts(self.edges, single[:, :m], inner, present, both, rows)


def bins(values: NDArray[Any], edges: Array) -> NDArray[np.intp]:
    """Return the bin of each value among m equal ones, m outside; as `numpy.histogram` has them."""
    m, low, high = len(edges) - 1, edges[0], edges[-1]
    values = np.asarray(values, np.float64)
    inside = (values >= low) & (values <= high)
    shifted = np.where(inside, values, low) - low
    place = np.minimum((shifted / (high - low) * m).astype(np.intp), m - 1)
    # By rounding it may be one too many or too few.
    place -= inside & (values < edges[place])
    place += inside & (values >= edges[place + 1]) & (place < m - 1)
    return np.where(inside, place, m)


def bin_rows(
    mixture: Any, x: Any, columns: Sequence[int], edges: Array, sample_weight: Any = None
) -> Counts:
    """Return the counts of rows, in one pass.

    Parameters
    ----------
    mixture : Mixture
        Fitted; says which columns there are, and what to do with rows that miss a value.
    x, sample_weight : as in `fit`
    columns : sequence of int, of length c
    edges : ndarray of shape (c, m + 1)
        Equally spaced.

    Raises
    ------
    DataError
        If X has no rows, or one cannot be used.
    """
    rows, beside = scoring_rows(mixture, source_of(x), Companions(sample_weight))
    predictor = mixture._predictor()
    data = predictor.dataset(rows, beside, present=True)
    gaps = predictor.transform.marginalise
    work = Counting(tuple(columns), edges, rows.columns, gaps)
    c, m = len(columns), edges.shape[1] - 1
    nbytes = 8 * m * (c + m * (c * (c - 1) // 2))
    found = None
    if data.batches:
        found = reduce_batches(data, work, _add, name="daskgmm_count", result_nbytes=nbytes).value
    if found is None or not found.present.any():
        raise DataError("X has no rows to draw. Check that it is the data that are meant.")
    return found


def _add(one: Counts, other: Counts) -> Counts:
    return one + other


def _present(x: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where x has a value."""
    return ~np.isnan(x) if x.dtype.kind == "f" else np.ones(x.shape, np.bool_)


def _weight(rows: NDArray[np.bool_], weights: Array | None) -> float:
    """Return the number of rows that are true, or their weight."""
    return float(np.count_nonzero(rows) if weights is None else weights @ rows)
