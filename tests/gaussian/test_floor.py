"""Components that rest on a floor are found; narrow ones with a spread of their own are not."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits

from daskgmm import GaussianMixture
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.floor import REG_COVAR, RIDGE, TIES, Floor, n_degenerate
from daskgmm.gaussian.m_step import Maximised
from daskgmm.gaussian.parameters import Parameters

SPREAD = np.diag([100.0, 4.0, 1.0])

NOTHING = np.zeros((3, 3))


def step(name, covariances, weights=None, **wrong):
    structure, covariances = STRUCTURES[name], np.asarray(covariances, float)
    k = 1 if structure.shared else len(covariances)
    covariances = structure.internal(covariances, k, 3)
    weights = np.full(k, 1 / k) if weights is None else np.asarray(weights)
    factors = structure.precision.factorise(covariances)
    return Maximised(Parameters(name, weights, np.zeros((k, 3)), covariances, factors), **wrong)


def found(floor, *arguments, **settings):
    return [(each.component, each.column) for each in floor.resting(step(*arguments, **settings))]


def test_a_variance_of_hardly_reg_covar_rests_on_it():
    floor = Floor.of(SPREAD, NOTHING, 1e-6)
    sound, flat = np.diag([50.0, 1.0, 0.5]), np.diag([50.0, 1.5e-6, 0.5])
    assert found(floor, "full", [sound, flat]) == [(1, 1)]
    assert found(floor, "diag", [np.diag(sound), np.diag(flat)]) == [(1, 1)]
    assert found(floor, "tied", flat) == [(None, 1)]
    assert found(floor, "spherical", [1.0, 2e-6])[0][0] == 1
    assert found(floor, "tied", sound) == []


def test_a_flat_direction_need_not_be_a_column():
    turned, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    flat = turned @ np.diag([50.0, 1.0, 1.1e-6]) @ turned.T
    assert len(found(Floor.of(SPREAD, NOTHING, 1e-6), "full", [flat])) == 1


def test_where_all_rows_are_flat_no_component_gains_by_it():
    """A sum of other columns, or a constant one: `reg_covar` is in every mixture alike."""
    turned, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    spread = turned @ np.diag([100.0, 4.0, 0.0]) @ turned.T
    component = turned @ np.diag([50.0, 1.0, 1e-6]) @ turned.T
    floor = Floor.of(spread, NOTHING, 1e-6)
    assert found(floor, "full", [component, component]) == []
    flatter = turned @ np.diag([1e-6, 1.0, 1e-6]) @ turned.T
    assert len(found(floor, "full", [component, flatter])) == 1


def test_half_a_step_between_tied_values_is_a_floor_without_reg_covar():
    floor = Floor.of(SPREAD, np.diag([0.0, 0.25, 0.0]), 0.0)
    assert found(floor, "diag", [[50.0, 0.26, 0.1], [50.0, 0.24, 0.1]]) == [(1, 1)]
    full = [np.diag([50.0, 0.26, 0.1]), np.diag([50.0, 0.24, 0.1])]
    assert found(floor, "full", full) == [(1, 1)]


def test_narrow_clusters_far_apart_do_not_rest():
    """Widths of 1 at distances of 1e8, above the spacing of floating point numbers there."""
    floor = Floor.of(np.diag([1e16, 1e16, 1e16]), np.diag(np.full(3, (1e8 * 2e-16) ** 2)), 1e-6)
    assert found(floor, "full", [np.eye(3), np.eye(3)]) == []
    assert found(floor, "diag", [[1.0, 1.0, 1e-17]]) == [(0, 2)]


def test_a_ridge_is_a_floor_of_its_component():
    floor = Floor.of(1e12 * np.eye(3), NOTHING, 1e-6)
    covariance = np.diag([1e12, 1e11, 0.05])
    assert floor.resting(step("full", [covariance])) == ()
    assert len(floor.resting(step("full", [covariance], ridges={0: 0.05}))) == 1


@pytest.mark.parametrize("wrong", [{"empty": (1,)}, {"collapsed": (1,)}])
def test_what_counts_as_degenerate(wrong):
    floor = Floor.of(SPREAD, NOTHING, 1e-6)
    sound, flat = np.diag([50.0, 1.0, 0.5]), np.diag([50.0, 1.5e-6, 0.5])
    for covariances, settings, count in (
        ([flat, sound], wrong, 2),
        ([sound, sound], wrong, 1),
        ([sound, sound], {}, 0),
    ):
        maximised = step("full", covariances, **settings)
        assert n_degenerate(maximised, floor.resting(maximised)) == count


def test_a_component_without_weight_does_not_rest_but_is_empty():
    floor = Floor.of(SPREAD, NOTHING, 1e-6)
    flat = np.diag([50.0, 1.5e-6, 0.5])
    of_none = step("full", [np.eye(3), flat], weights=[1.0, 0.0], empty=(1,))
    assert floor.resting(of_none) == ()
    assert n_degenerate(of_none, floor.resting(of_none)) == 1


def test_a_floor_of_hardly_a_rank_is_no_error():
    """Half steps of columns of unlike sizes, mapped to principal axes, without `reg_covar`."""
    random = np.random.default_rng(0)
    for _ in range(50):
        turned, _ = np.linalg.qr(random.normal(size=(3, 3)))
        rounding = turned.T @ np.diag([0.25, 1e-12, 1e-30]) @ turned
        floor = Floor.of(np.eye(3), rounding, 0.0)
        step_axis = turned.T[:, 0]
        narrow = np.eye(3) - (1 - 0.01) * np.outer(step_axis, step_axis)
        assert [each.component for each in floor.resting(step("full", [narrow, np.eye(3)]))] == [0]


@pytest.mark.parametrize("variance", [1e-29, 1e-65])
def test_a_vanishing_variance_is_found_in_its_own_column(variance):
    """Rounding of the other columns is larger than it."""
    covariance = np.array([[variance, 0.0, 0.0], [0.0, 2.0, 1.9], [0.0, 1.9, 2.0]])
    floor = Floor.of(SPREAD, np.diag([1e-10, 1e-20, 1e-20]), 0.0)
    (resting,) = floor.resting(step("full", [covariance]))
    assert resting.column == 0
    assert resting.cause == TIES
    np.testing.assert_allclose(resting.deviation, np.sqrt(variance))


def test_what_holds_a_component_is_named():
    floor = Floor.of(SPREAD, np.diag([0.25, 0.0, 0.0]), 1e-6)
    for covariance, cause in (([0.1, 1, 1], TIES), ([50, 2e-6, 1], REG_COVAR)):
        for name, given in (("full", [np.diag(covariance)]), ("diag", [covariance])):
            (resting,) = floor.resting(step(name, given))
            assert resting.cause == cause


def test_a_ridge_is_named_as_what_holds_a_component():
    floor = Floor.of(1e12 * np.eye(3), np.diag([1e-4, 1e-4, 1e-4]), 1e-6)
    for name, given in (("full", [np.diag([1e12, 1e11, 0.05])]), ("diag", [[1e12, 1e11, 0.05]])):
        (resting,) = floor.resting(step(name, given, ridges={0: 0.05}))
        assert (resting.column, resting.cause) == (2, RIDGE)


@pytest.mark.parametrize(("variance", "spread"), [(1e-9, 1e300), (1e-20, 1e290), (1e-300, 1e300)])
def test_no_spread_of_the_rows_overflows(variance, spread):
    floor = Floor.of(np.diag([spread, spread, 1.0]), NOTHING, variance)
    (resting,) = floor.resting(step("full", [np.diag([variance, spread / 2, 1.0])]))
    assert resting.column == 0


@pytest.mark.parametrize("unit", [1e-140, 1e-110, 1e-100, 1e100, 1e140])
@pytest.mark.parametrize("name", ["full", "diag", "ppca-1"])
def test_no_units_of_the_rows_are_a_floor(name, unit):
    """Sound components of rows of 1e-100 were said to be narrower than a step of the values."""
    sound, flat = np.diag([50.0, 1.0, 0.5]), np.diag([50.0, 1e-6, 1e-6])
    given = np.stack([sound, flat]) * unit**2
    if name == "diag":
        given = np.stack([np.diag(each) for each in given])
    if name == "ppca-1":  # loadings and noise
        noise = np.array([np.full(3, 0.5), np.full(3, 1e-6)])
        given = np.stack([[[7.0, 0.0, 0.0], each] for each in noise]) * [[[unit**2]]]
        given[:, 0] *= 7.0
    floor = Floor.of(SPREAD * unit**2, NOTHING, 1e-6 * unit**2)
    assert [component for component, _ in found(floor, name, given)] == [1]


@pytest.mark.parametrize(("structure", "wide"), [("tied", 1), ("full", 2), ("diag", 2)])
def test_outliers_do_not_lift_contaminated_components_off_the_floor(structure, wide):
    """Half of the rows count as the covariance has it: on equal rows that is 2 `reg_covar`."""
    d, reg_covar = 2, 1e-6
    one = 4.0 * reg_covar * (np.ones(d) if structure == "diag" else np.eye(d))
    covariances = np.tile(one, (wide, *[1] * one.ndim))
    plain = Parameters(structure, np.full(2, 0.5), np.zeros((2, d)), covariances, covariances)
    dirty = replace(plain, clean=np.array([0.5, 0.9]), inflation=np.array([1e6, 1e6]))
    floor = Floor.of(np.eye(d), np.zeros((d, d)), reg_covar)
    assert not floor.resting(Maximised(plain))
    found = [each.component for each in floor.resting(Maximised(dirty))]
    assert found == ([None] if structure == "tied" else [0])


def test_directions_that_are_nearly_equal_are_no_error():
    """Of 20 constant columns, in a component of all rows (LAPACK returned no direction)."""
    x, digits = load_digits(return_X_y=True)
    x = x[digits == 1]
    mixture = GaussianMixture(1, reg_covar=1e-6).fit(x)
    np.testing.assert_allclose(
        mixture.covariances_[0], np.cov(x.T, bias=True) + 1e-6 * np.eye(64), atol=1e-9
    )
