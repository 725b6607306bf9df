"""What a sweep says of its starts, and what its models begin with when they are fitted again."""

import math

import numpy as np
import pytest
from sklearn.base import clone

from daskgmm import GaussianMixture, sweep
from daskgmm.report.sweep import table_text
from tests.oracle.data import blobs

pytestmark = pytest.mark.filterwarnings("ignore::daskgmm.errors.ChoiceWarning")

X = blobs(400, 2, 2, seed=1)
SETTINGS = {"n_components": (2, 3), "covariance_type": ("diag", "EEI"), "n_init": 2}


@pytest.mark.slow
def test_starts_of_a_size_and_structure_are_numbered_the_best_first():
    table = sweep(X, random_state=0, **SETTINGS).table
    for kind in {*zip(table["n_components"], table["covariance_type"], strict=True)}:
        kinds = zip(table["n_components"], table["covariance_type"], strict=True)
        places = [place for place, each in enumerate(kinds) if each == kind]
        starts = [table["start"][place] for place in places]
        assert starts == list(range(1, len(places) + 1))
        held = [np.isfinite(table["heldout"][place]) for place in places]
        assert held == [start == 1 for start in starts]


def test_kinds_that_fail_are_numbered_too():
    table = sweep(X, (2, 500), "diag", n_init=2, random_state=0).table
    assert table["start"][table["status"].index("failed")] == 1


def test_columns_without_a_value_are_left_out_of_the_text():
    table = {
        **{name: [math.nan, math.nan] for name in ("heldout", "heldout_se", "icl")},
        **{name: [1.0, math.nan] for name in ("log_likelihood", "aic", "bic")},
        "n_components": [1, 2], "covariance_type": ["full", "full"], "degenerate": [0, 0],
        "status": ["fitted", "failed"], "converged": [True, False],
    }  # fmt: skip
    heading, first, second = table_text(table, 0).splitlines()
    assert heading.split() == ["k", "covariance", "log", "lik.", "AIC", "BIC", "status"]
    assert first.split() == ["*", "1", "full", "1.0000", "1.0", "1.0", "fitted"]
    assert second.split() == ["2", "full", "nan", "nan", "nan", "failed"]
    assert first.index("1.0000") + len("1.0000") == heading.index("lik.") + len("lik.")


@pytest.mark.slow
def test_the_text_names_the_structure_of_the_best():
    found = sweep(X, random_state=0, **SETTINGS)
    best = found.best()
    assert f"best by bic: {best.n_components} {best.covariance_type})" in repr(found)


@pytest.mark.parametrize(
    ("given", "estimator", "expected"),
    [
        (5, None, 5),
        (None, None, None),
        (np.int64(6), None, 6),
        (None, GaussianMixture(random_state=7), 7),
        (5, GaussianMixture(random_state=7), 5),
    ],
)
def test_models_have_the_seed_of_the_user(given, estimator, expected):
    found = sweep(X, 2, "diag", n_init=1, random_state=given, estimator=estimator)
    assert found.best().random_state == expected
    assert clone(found.best()).random_state == expected
    if estimator is not None:
        assert estimator.random_state == 7


@pytest.mark.slow
def test_the_seed_of_an_estimator_is_that_of_the_sweep():
    one, other = (
        sweep(X, 3, n_init=2, **settings)
        for settings in ({"estimator": GaussianMixture(random_state=3)}, {"random_state": 3})
    )
    assert one.table["seed"] == other.table["seed"]
    np.testing.assert_array_equal(one.best().means_, other.best().means_)


def test_a_model_of_a_random_state_has_the_seed_of_its_start():
    found = sweep(X, 2, "diag", n_init=1, random_state=np.random.RandomState(0))
    assert [model.random_state for model in found.models] == found.table["seed"]
