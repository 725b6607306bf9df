"""Tiles: every row once, centred, in order, across the borders of blocks."""

import itertools

import numpy as np
import pytest

from daskgmm.companions import Companions
from daskgmm.errors import DataError
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.kernels.tiles import fill_tiles
from daskgmm.passes.pairing import paired


def tiles(lengths, capacity, weighted=False, d=2):
    n = sum(lengths)
    X = np.arange(n * d, dtype=float).reshape(n, d)
    w = 1.0 + np.arange(n)
    edges = np.cumsum([0, *lengths])
    cuts = list(itertools.pairwise(edges))
    blocks = iter([Block(X[a:b], Companions(w[a:b] if weighted else None)) for a, b in cuts])
    rows, weights = np.empty((d, capacity)), np.empty(capacity)
    center = np.array([1.0, -2.0])
    got, got_weights, sizes = [], [], []
    for b, is_weighted in fill_tiles(blocks, center, rows, weights):
        assert is_weighted == weighted
        got.append(rows[:, :b].T + center)
        got_weights.append(weights[:b].copy())
        sizes.append(b)
    joined = np.concatenate(got) if got else np.empty((0, d))
    np.testing.assert_array_equal(joined, X)
    if weighted:
        np.testing.assert_array_equal(np.concatenate(got_weights), w)
    return sizes


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "lengths", [[10], [1] * 10, [3, 3, 4], [0, 10, 0], [7, 0, 0, 1, 2], [25, 1]]
)
def test_tiles_are_full_but_the_last(lengths, weighted):
    for capacity in (1, 3, 4, 10, 100):
        sizes = tiles(lengths, capacity, weighted)
        assert all(size == capacity for size in sizes[:-1])
        assert sum(sizes) == sum(lengths)


def test_no_rows_make_no_tiles():
    assert tiles([0, 0], 4) == []


def test_integers_and_float32_become_float64():
    rows, weights = np.empty((1, 4)), np.empty(4)
    for dtype in (np.uint8, np.int16, np.float32, np.float16, bool):
        blocks = iter([Block(np.array([[0], [1]], dtype))])
        assert [b for b, _ in fill_tiles(blocks, np.array([0.5]), rows, weights)] == [2]
        np.testing.assert_array_equal(rows[0, :2], [-0.5, 0.5])


@pytest.mark.parametrize("cut", [[6], [1] * 6, [2, 4], [0, 5, 1]])
def test_weights_follow_rows_whatever_their_blocks(cut):
    X, w = np.zeros((6, 1)), np.arange(6.0)
    edges = np.cumsum([0, *cut])
    weights = iter([w[a:b] for a, b in itertools.pairwise(edges)])
    pairs = list(paired(iter([X[:1], X[1:5], X[5:]]), Companions(weights)))
    np.testing.assert_array_equal(np.concatenate([p.weights for p in pairs]), w)
    assert [len(p.weights) for p in pairs] == [1, 4, 1]


@pytest.mark.parametrize(("n", "words"), [(4, "fewer entries"), (9, "more entries")])
def test_weights_of_another_number_are_refused(n, words):
    with pytest.raises(DataError, match=words):
        list(paired(iter([np.zeros((6, 1))]), Companions(iter([np.ones(n)]))))


@pytest.mark.parametrize("capacity", [3, 64])
def test_rows_of_weight_zero_are_put_at_the_centre(capacity):
    x = np.array([[1.0], [1e150], [3.0], [np.finfo(np.float64).max]])
    held = Block(x, Companions(np.array([2.0, 0.0, 0.5, 0.0])))
    rows, weights = np.empty((1, capacity)), np.empty(capacity)
    found = []
    for b, _ in fill_tiles(iter([held]), np.array([0.5]), rows, weights):
        found += rows[0, :b].tolist()
    assert found == [0.5, 0.0, 2.5, 0.0]
