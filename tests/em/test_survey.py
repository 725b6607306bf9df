"""The survey's moments, and the values it refuses."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from daskgmm.companions import Companions
from daskgmm.em.events import silence
from daskgmm.em.survey.first_pass import survey_rows
from daskgmm.errors import DataError
from daskgmm.passes.dataset import Dataset
from daskgmm.rows.arrays import ArrayRows


def surveyed(X, weights=None, lengths=None):
    rows = ArrayRows(X, lengths)
    held = None if weights is None else ArrayRows(weights, rows.lengths)
    return survey_rows(Dataset.of(rows, Companions(held), 50, 100), None, silence)


@pytest.mark.parametrize("offset", [0.0, 1e8])
@pytest.mark.parametrize("weighted", [False, True])
def test_moments(offset, weighted):
    random = np.random.default_rng(0)
    X = np.sort(random.normal(size=(30_000, 3)), axis=0) + offset
    w = random.integers(0, 3, size=len(X)).astype(float) if weighted else None
    survey = surveyed(X, w, lengths=[1, 0, 9999, 20_000])
    ones = np.ones(len(X)) if w is None else w
    exact = (X - offset).astype(np.longdouble)
    mean = ones @ exact / ones.sum()
    scatter = ((exact - mean).T * ones) @ (exact - mean)
    assert_allclose(survey.mean - offset, mean.astype(float), atol=1e-12 + 2e-16 * offset)
    assert_allclose(survey.scatter, scatter.astype(float), rtol=1e-9)
    assert_allclose(survey.minimum, X[ones > 0].min(0))
    assert_allclose(survey.maximum, X[ones > 0].max(0))
    assert (survey.rows, survey.weight) == (len(X), ones.sum())


@pytest.mark.parametrize(
    ("value", "words"),
    [(np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity"), (1e200, "1e+200")],
)
def test_the_first_bad_value_is_named(value, words):
    X = np.zeros((100_000, 3))
    X[73_001, 2] = value
    with pytest.raises(DataError, match=r"row 73001 \(batch [1-9]") as raised:
        surveyed(X)
    assert words in str(raised.value)
    assert "column 2" in str(raised.value)


@pytest.mark.parametrize(
    ("value", "words"), [(np.nan, "NaN"), (np.inf, "infinity"), (-1.0, "negative")]
)
def test_the_first_bad_weight_is_named(value, words):
    weights = np.ones(100_000)
    weights[50_123] = value
    with pytest.raises(DataError, match="row 50123") as raised:
        surveyed(np.zeros((100_000, 2)), weights)
    assert words in str(raised.value)
    assert "sample_weight" in str(raised.value)


@pytest.mark.parametrize("lengths", [None, [1, 0, 9999, 20_000], [100] * 300])
def test_a_few_rows_from_all_over_tell_the_quartiles(lengths):
    X = np.sort(np.random.default_rng(0).normal(size=(30_000, 2)), axis=0)
    X[-3000:] = 1e37  # one in ten
    probe = surveyed(X, lengths=lengths).probe
    assert 16 <= len(probe) <= 64
    low, high = np.quantile(probe, (0.25, 0.75), axis=0)
    assert_allclose(low, np.quantile(X, 0.25, axis=0), atol=0.4)
    assert_allclose(high, np.quantile(X, 0.75, axis=0), atol=0.4)


def test_rows_of_weight_zero_are_not_among_them():
    X = np.arange(5000.0)[:, None]
    weights = (X[:, 0] % 3 == 0).astype(float)
    probe = surveyed(X, weights).probe
    assert len(probe)
    assert (probe % 3 == 0).all()
