"""Clusters within regions, and how many of them each region gets."""

import numpy as np
import pytest

from daskgmm.em.k_means import unwarned
from daskgmm.em.nested_clusters import apportioned, means_of, nested_clusters


@pytest.mark.parametrize("weighted", [False, True])
def test_clusters_apart_are_found_each_once(weighted):
    means = 50.0 * np.stack(np.meshgrid(*[np.arange(6.0)] * 2), axis=-1).reshape(-1, 2)
    random = np.random.default_rng(0)
    z = np.repeat(means, 60, axis=0) + random.normal(size=(36 * 60, 2))
    weights = random.uniform(0.5, 1.5, len(z)) if weighted else None
    anchors = nested_clusters(z, weights, 36, np.random.RandomState(0))
    distances = np.sqrt(((anchors.points[:, None] - means) ** 2).sum(axis=2))
    # k-means may leave one cluster to two centres, and two to one.
    assert np.median(distances.min(axis=1)) < 1.0
    assert len(anchors) == 36
    assert anchors.first[0] == 0
    assert anchors.first[-1] == 36


def test_no_more_clusters_than_distinct_rows():
    z = np.repeat(np.arange(3.0)[:, None], 20, axis=0)
    with unwarned():
        anchors = nested_clusters(z, None, 9, np.random.RandomState(0))
    assert set(anchors.points[:, 0]) <= {0.0, 1.0, 2.0}


def test_means_of_clusters_without_rows_stay():
    z, points = np.array([[1.0], [3.0]]), np.array([[9.0], [7.0]])
    found = means_of(z, np.array([1.0, 3.0]), np.array([1, 1]), points)
    np.testing.assert_array_equal(found, [[9.0], [2.5]])


@pytest.mark.parametrize(
    ("k", "shares", "rows", "expected"),
    [
        (4, [1.0, 1.0], [10, 10], [2, 2]),
        (5, [3.0, 1.0], [10, 10], [4, 1]),
        (5, [0.0, 1.0], [10, 10], [0, 5]),
        (6, [3.0, 1.0], [2, 10], [2, 4]),
        (3, [1.0, 1.0, 1.0, 1.0], [9, 9, 9, 9], [1, 1, 1, 0]),
    ],
)
def test_places_are_in_proportion_to_shares(k, shares, rows, expected):
    assert apportioned(k, np.array(shares), np.array(rows)).tolist() == expected
