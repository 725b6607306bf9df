"""Counts of rows: those of NumPy, whatever the chunks, in one pass."""

from itertools import combinations

import dask.array as da
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from daskgmm import plot
from daskgmm.errors import DataError, SettingError
from daskgmm.models.pictures.binning import bin_rows, bins
from daskgmm.plot.counting import FACTORS, FINE, outside

EDGES = np.array([np.linspace(-2, 9, 25), np.linspace(-3, 4, 25), np.linspace(0, 10, 25)])


def expected(rows, weights=None):
    single = [np.histogram(rows[:, j], EDGES[j], weights=weights)[0] for j in range(3)]
    pairs = [
        np.histogram2d(rows[:, i], rows[:, j], (EDGES[i], EDGES[j]), weights=weights)[0]
        for i, j in combinations(range(3), 2)
    ]
    return np.array(single), np.array(pairs)


@pytest.mark.parametrize("chunks", [5000, 701])
def test_counts_are_those_of_numpy(mixture, rows, chunks):
    found = bin_rows(mixture, da.from_array(rows, (chunks, 3)), [0, 1, 2], EDGES)
    single, pairs = expected(rows)
    assert_array_equal(found.single, single)
    assert_array_equal(found.pairs, pairs)
    assert (found.rows, found.present.tolist()) == (5000, [5000.0] * 3)
    assert_array_equal(found.pair(2, 0), pairs[1].T)


def test_values_on_edges_are_counted_as_numpy_does():
    edges = np.linspace(0.1, 0.7, 7)
    values = np.concatenate([edges, np.nextafter(edges, -1), np.nextafter(edges, 1), [np.nan]])
    counts = np.bincount(bins(values, edges), minlength=7)[:6]
    assert_array_equal(counts, np.histogram(values[:-1], edges)[0])
    whole = np.arange(-3, 9, dtype=np.int8)
    assert_array_equal(np.flatnonzero(bins(whole, np.linspace(0, 5, 6)) < 5), np.arange(3, 9))


def test_values_close_to_the_smallest_of_all():
    edges = np.linspace(0, 1e-308, 7)
    values = np.random.default_rng(0).uniform(0, 1e-308, 99)
    assert_array_equal(
        np.bincount(bins(values, edges), minlength=6), np.histogram(values, edges)[0]
    )


def test_weights(mixture, rows):
    weights = np.random.default_rng(1).uniform(size=5000)
    found = bin_rows(mixture, rows, [0, 1, 2], EDGES, weights)
    assert_allclose(found.pairs, expected(rows, weights)[1], rtol=1e-12)
    assert_allclose(found.both, weights.sum(), rtol=1e-12)


def test_rows_that_miss_values(mixture, rows):
    gaps = rows.copy()
    gaps[:100, 0] = np.nan
    with pytest.raises(DataError, match="NaN"):
        bin_rows(mixture, gaps, [0, 1], EDGES[:2])
    dropped = bin_rows(mixture.set_params(missing="drop"), gaps, [1, 2], EDGES[1:])
    assert dropped.rows == 4900
    kept = bin_rows(mixture.set_params(missing="marginalise"), gaps, [0, 1], EDGES[:2])
    assert (kept.present.tolist(), kept.both.tolist()) == ([4900.0, 5000.0], [4900.0])
    assert_array_equal(kept.single[1], expected(rows)[0][1])
    with pytest.raises(DataError, match="no rows"):
        bin_rows(mixture.set_params(missing="drop"), gaps[:50], [0, 1], EDGES[:2])


def test_coarser_bins_hold_the_same_rows(mixture, rows):
    found = bin_rows(mixture, rows, [0, 1], EDGES[:2])
    half = found.coarser(2)
    assert_array_equal(half.edges, EDGES[:2, ::2])
    assert_array_equal(half.pairs.sum(), found.pairs.sum())
    wanted = np.histogram2d(rows[:, 0], rows[:, 1], (EDGES[0, ::2], EDGES[1, ::2]))[0]
    assert_array_equal(half.pairs[0], wanted)
    assert all(FINE % factor == 0 for factor in FACTORS)


def test_one_pass_is_made_whatever_the_number_of_features(mixture, rows):
    read = []

    def block(part, block_info=None):
        if block_info:
            read.append(block_info[0]["chunk-location"])
        return part

    lazy = da.from_array(rows, (1000, 3)).map_blocks(block, dtype=float, meta=np.empty((0, 3)))
    plot.corner(mixture, lazy)
    assert sorted(read) == [(number, 0) for number in range(5)]


def test_columns_are_in_the_units_of_the_data(rows):
    from daskgmm import GaussianMixture

    fitted = GaussianMixture(2, standardise=True, random_state=0).fit(rows)
    assert_array_equal(bin_rows(fitted, rows, [0, 1, 2], EDGES).pairs, expected(rows)[1])


def test_wrong_numbers_of_bins(mixture, rows):
    for wrong in (1, 2.5, True, 5000):
        with pytest.raises(SettingError, match="bins"):
            plot.components(mixture, rows, [0, 1], bins=wrong)
    with pytest.raises(SettingError, match="X is not"):
        plot.corner(mixture, sample_weight=np.ones(3))


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (100.0, ""),
        (99.0, "1 % of rows beyond the axes"),
        (0.0, "all rows beyond the axes"),
    ],
)
def test_rows_beyond_the_axes_are_told(seen, said):
    """They are not those outside the ellipses, which pictures speak of beside them."""
    assert outside(np.array([seen]), 100.0, "rows") == said
