"""The merge of two components keeps the moments of the mixture, as far as its structure can."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from daskgmm.gaussian.components.merging import Pair, likely, merges
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.parameters import Parameters


def merged(parameters):
    return merges(parameters, 1)[0]


MEANS = np.array([[0.0, 0.0], [9.0, 0.0], [9.5, 0.2], [0.0, 20.0]])


def mixture(name):
    covariance = np.array([[1.0, 0.3], [0.3, 0.5]])
    covariances = STRUCTURES[name].repeat(covariance, 4)
    factors = STRUCTURES[name].precision.factorise(covariances)
    weights = np.array([0.1, 0.2, 0.3, 0.4])
    return Parameters(name, weights, MEANS, covariances, factors)


@pytest.mark.parametrize("name", STRUCTURES)
def test_the_two_that_are_most_alike_become_one(name):
    found = merged(mixture(name))
    assert_allclose(found.weights, [0.1, 0.5, 0.4])
    assert_allclose(found.means, [[0, 0], [9.3, 0.12], [0, 20]])
    assert_allclose(found.weights @ found.means, mixture(name).weights @ MEANS)


def test_full_covariances_are_those_of_both():
    found = merged(mixture("full"))
    apart = MEANS[1] - MEANS[2]
    expected = mixture("full").covariances[1] + 0.24 * np.outer(apart, apart)
    assert_allclose(found.covariances[1], expected)
    assert_allclose(merged(mixture("diag")).covariances[1], np.diag(expected))
    assert_allclose(merged(mixture("spherical")).covariances[1], np.trace(expected) / 2, atol=0.2)


@pytest.mark.parametrize("name", STRUCTURES)
def test_down_to_one(name):
    found = mixture(name)
    for k in (3, 2, 1):
        found = merged(found)
        assert found.n_components == k
    assert_allclose(found.weights, [1.0])


@pytest.mark.parametrize("name", STRUCTURES)
@pytest.mark.parametrize("apart", [1e8, 1e10, 1e36])
def test_points_far_apart_beside_their_widths_are_merged(name, apart):
    parameters = mixture(name)
    means = np.array([[0.0, 0.0], [apart, apart], [3 * apart, 3 * apart], [0.0, 7 * apart]])
    found = replace(parameters, means=means)
    for k in (3, 2, 1):
        found = merged(found)
        assert found.n_components == k
        assert np.isfinite(found.precisions_cholesky).all()
    assert_allclose(found.means[0], parameters.weights @ means)
    if name in ("full", "diag"):
        centred = means - found.means[0]
        spread = np.sqrt(np.diagonal((centred.T * parameters.weights) @ centred))
        variances = found.covariances[0]
        variances = np.diagonal(variances) if name == "full" else variances
        assert_allclose(np.sqrt(variances), spread)


@pytest.mark.parametrize("name", ["full", "diag"])
def test_pairs_whose_moments_overflow_are_left_out(name):
    parameters = mixture(name)
    means = np.array([[0.0, 0.0], [1e200, 0.0], [-1e200, 1e200], [0.0, -1e200]])
    with np.errstate(all="ignore"):
        assert merges(replace(parameters, means=means), 6) == []


def test_the_pairs_come_in_the_order_of_what_they_lose():
    """Three components near to each other, and one far away."""
    found = merges(mixture("full"), 4)
    assert [len(each.weights) for each in found] == [3] * 4
    assert_allclose(found[0].weights, [0.1, 0.5, 0.4])
    assert_allclose(found[1].weights, [0.3, 0.3, 0.4])
    assert len(merges(mixture("full"), 99)) == 6


def test_a_component_that_is_similar_to_all_leaves_room_for_other_pairs():
    found = [Pair(0, 3, 0.1), Pair(1, 3, 0.2), Pair(2, 3, 0.3), Pair(0, 1, 0.4), Pair(0, 2, 0.5)]
    assert likely(found, 4) == [found[0], found[1], found[3], found[2]]
    assert likely(found, 1) == found[:1]
    assert likely(found, 2) == [found[0], found[1]]
    impossible = [*found[:3], Pair(0, 1, np.inf)]
    assert likely(impossible, 4) == impossible
    assert likely([], 4) == []


def test_pairs_without_a_component_of_hardly_any_weight_are_tried():
    means = np.array([[0.0, 0.0], [8.0, 0.0], [0.0, 8.0], [8.0, 8.0], [50.0, 50.0]])
    covariances = np.tile(np.eye(2), (5, 1, 1))
    weights = np.array([0.2, 0.25, 0.26, 0.2895, 0.0005])
    found = merges(Parameters("full", weights, means, covariances, covariances.copy()), 4)
    kept = [sum(each.weights < 0.001) for each in found]
    assert sorted(kept) == [0, 0, 1, 1]
