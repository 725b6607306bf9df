"""The step between the values of a column is found from some rows of each batch."""

import dask.array as da
import numpy as np
import pytest
from numpy.testing import assert_allclose

from daskgmm.companions import ALONE
from daskgmm.em.events import silence
from daskgmm.em.survey.first_pass import survey_rows
from daskgmm.em.survey.rounding import TELLING_ROWS, SomeRows, rounding_of, settled
from daskgmm.gaussian.coordinates import coordinates_of
from daskgmm.passes.dataset import Dataset
from daskgmm.rows.opening import as_rows


def survey(x):
    return survey_rows(Dataset.of(as_rows(x), ALONE, 1, 1), None, silence)


def half_steps(x):
    return np.sqrt(np.diagonal(survey(x).rounding))


RANDOM = np.random.default_rng(0)


def test_steps_of_rounded_values():
    x = np.c_[
        RANDOM.poisson(3, 500), RANDOM.normal(size=500).round(1), 25 * RANDOM.integers(9, size=500)
    ]
    assert_allclose(half_steps(x), [0.5, 0.05, 12.5])


def test_steps_of_values_that_were_computed():
    """Sums and products of tenths differ in their last bits, which are no steps."""
    tenths = RANDOM.integers(-50, 50, 500)
    x = np.c_[tenths * 0.1, tenths / 10 + 0.3 - 0.3]
    assert_allclose(half_steps(x), [0.05, 0.05])


def test_numbers_that_were_not_rounded_have_hardly_a_step():
    assert (half_steps(RANDOM.normal(size=(500, 3))) < 1e-4).all()


@pytest.mark.parametrize("value", [0.0, 7.0, 1e8])
def test_a_constant_column_has_the_spacing_of_its_value(value):
    x = np.c_[np.full(50, value), np.arange(50.0)]
    assert half_steps(x)[0] <= 2 * np.spacing(value)
    assert half_steps(x)[1] == 0.5


def test_any_batch_tells():
    x = np.repeat([[1.0], [4.0], [4.5], [9.0]], 3000, axis=0)
    assert_allclose(half_steps(da.from_array(x, chunks=(1000, 1))), [0.25])


def test_coordinates_map_it_as_a_covariance():
    x = np.c_[RANDOM.poisson(3, 500), 100.0 * RANDOM.poisson(3, 500)]
    found = survey(x)
    for settings in ({"standardise": True, "pca": None}, {"standardise": True, "pca": 2}):
        coordinates = coordinates_of(found.mean, found.covariance, **settings)
        mapped = found.mapped(coordinates).rounding
        assert_allclose(mapped, coordinates.apply_scatter(np.diag([0.25, 2500.0])))
    assert_allclose(np.diagonal(found.mapped(coordinates_of(
        found.mean, found.covariance, standardise=True, pca=None)).rounding),
        0.25 / np.diagonal(found.covariance) * [1, 1e4])  # fmt: skip


def test_nothing_is_known_of_one_row():
    assert np.isinf(np.diagonal(rounding_of(np.ones((2, 1))))).all()
    assert_allclose(
        np.diagonal(settled(rounding_of(np.ones((2, 1))), np.ones((1, 2)))),
        np.finfo(float).eps ** 2,
    )


@pytest.mark.parametrize("lengths", [[30] * 5, [100_000], [10_000, 3, 50_000]])
def test_batches_of_unknown_length_tell_as_much(lengths):
    taken = SomeRows(1, None)
    number = np.arange(float(sum(lengths)))
    for part in np.split(number, np.cumsum(lengths)[:-1]):
        for first in range(0, len(part), 2048):
            taken.add(part[None, first : first + 2048])
    rows = taken.rows[0]
    assert min(len(number), TELLING_ROWS) <= len(rows) < 2 * TELLING_ROWS
    np.testing.assert_array_equal(rows, number[:: int(rows[1])])


@pytest.mark.parametrize("share", [0.0, 0.005, 0.04])
def test_a_few_values_that_were_computed_otherwise_are_no_steps(share):
    x = RANDOM.poisson([0.4, 2.0], (1000, 2)).astype(float)
    x[: round(1000 * share)] += RANDOM.uniform(size=(round(1000 * share), 2))
    assert_allclose(half_steps(RANDOM.permutation(x)), [0.5, 0.5])


def test_one_value_among_equal_ones_is_a_step_away():
    x = np.zeros((500, 1))
    x[3] = 5
    assert_allclose(half_steps(x), [2.5])


def test_those_of_one_station_stand_together_in_a_batch():
    x = RANDOM.normal(size=(400_000, 1)).round(1)
    x[100_000:102_000] += RANDOM.uniform(size=(2000, 1))
    assert_allclose(half_steps(da.from_array(x, chunks=(80_000, 1))), [0.05])


@pytest.mark.parametrize("share", [0.5, 0.1, 0.06, 0.051, 0.049, 0.02])
def test_beside_a_heap_of_zeros_the_others_tell(share):
    x = np.zeros((2000, 1))
    x[: round(2000 * share), 0] = RANDOM.exponential(size=round(2000 * share))
    assert half_steps(x)[0] < 0.05
