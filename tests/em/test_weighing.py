"""What weights add up to: effective rows, at any scale, in any cut."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from daskgmm.em.survey.weighing import Weighing, check_meaning, merge_weighings, weigh
from tests.em.test_survey import surveyed

RANDOM = np.random.default_rng(3)
WEIGHTS = RANDOM.lognormal(0, 2, 5000)
SCALES = [1.0, 1e-12, 1e12, 1e-160, 1e140]


def direct(weights):
    return weights.sum() ** 2 / (weights**2).sum()


@pytest.mark.parametrize("scale", SCALES)
def test_effective_rows_have_no_scale(scale):
    found = weigh(WEIGHTS * scale, len(WEIGHTS))
    assert_allclose(found.effective_rows, direct(WEIGHTS), rtol=1e-12)
    assert_allclose(found.total, WEIGHTS.sum() * scale, rtol=1e-12)


@pytest.mark.parametrize("weight", [1.0, 0.1, 1 / 3000, 100.0, 1e-200, 3e140])
def test_equal_weights_count_as_rows_exactly(weight):
    parts = [weigh(np.full(m, weight), m) for m in (700, 1, 0, 2299)]
    total = Weighing()
    for part in parts:
        total = merge_weighings(total, part)
    assert total.effective_rows == total.rows == 3000


def test_cuts_do_not_matter():
    whole = weigh(WEIGHTS, len(WEIGHTS))
    for cuts in ([2500], [0, 1, 4999], list(range(0, 5000, 7))):
        merged = Weighing()
        for part in np.split(WEIGHTS, cuts):
            merged = merge_weighings(merged, weigh(part, len(part)))
        assert (merged.rows, merged.heaviest) == (whole.rows, whole.heaviest)
        assert_allclose(merged.effective_rows, whole.effective_rows, rtol=1e-12)


def test_rows_of_weight_zero_are_no_rows():
    some = np.where(RANDOM.random(5000) < 0.5, WEIGHTS, 0.0)
    found = weigh(some, len(some))
    assert found.rows == (some > 0).sum()
    assert_allclose(found.effective_rows, direct(some), rtol=1e-12)
    assert weigh(np.zeros(5), 5) == Weighing()
    assert merge_weighings(Weighing(), found) == found


def test_what_counts():
    counts = RANDOM.integers(1, 9, 100)
    found = weigh(counts, 100)
    assert found.counted("counts") == counts.sum()
    assert found.counted("relative") == found.counted(None) == found.effective_rows
    assert 1 <= found.effective_rows < 100


@pytest.mark.parametrize(
    ("weights", "whole"),
    [
        (np.arange(5), True),
        (np.ones(5, bool), True),
        (np.arange(5, dtype=np.float32), True),
        (np.array([1.0, 1.5]), False),
        (np.array([3.0, 1e20]), False),  # all floats of that size are whole
        (np.zeros(3), True),
    ],
)
def test_whole_numbers(weights, whole):
    assert weigh(weights, len(weights)).whole is whole


@pytest.mark.parametrize("scale", SCALES)
def test_the_survey_of_many_tiles_and_chunks(scale):
    some = np.where(RANDOM.random(5000) < 0.9, WEIGHTS, 0.0)
    survey = surveyed(RANDOM.normal(size=(5000, 2)), some * scale, lengths=[1, 0, 3333, 1666])
    assert_allclose(survey.counted(None), direct(some), rtol=1e-12)
    assert survey.weighing.rows == survey.weighed_rows


def test_without_weights_rows_count():
    survey = surveyed(np.zeros((5000, 2)), lengths=[1, 4999])
    assert survey.counted("relative") == survey.counted("counts") == 5000


def test_another_meaning_is_refused():
    with pytest.raises(ValueError, match="weights_are is 'frequency'; give 'relative'"):
        check_meaning("frequency")
