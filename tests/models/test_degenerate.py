"""Models that rest on `reg_covar`, on ties or on rounding are named, and are no evidence."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_iris

from daskgmm import GaussianMixture, sweep
from daskgmm.errors import ChoiceWarning, DegenerateComponentWarning, ScaleWarning
from tests.oracle.small_sets import SMALL_SETS

RANDOM = np.random.default_rng(0)

STRUCTURES = ("full", "tied", "diag", "spherical")


def caught(call):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        result = call()
    return result, [str(each.message) for each in found]


def zeros_and(values, share=0.5):
    """Return one column: so many zeros exactly, and these values."""
    zeros = np.zeros(round(len(values) * share / (1 - share)))
    return np.concatenate([zeros, values])[:, None]


@pytest.mark.parametrize("reg_covar", [0.0, 1e-6])
def test_a_component_of_equal_values_is_named(reg_covar):
    """Without `reg_covar` its variance went to 1e-282 without a word."""
    x = np.c_[zeros_and(RANDOM.exponential(size=400), 0.6), RANDOM.normal(size=1000)]
    mixture = GaussianMixture(2, covariance_type="diag", reg_covar=reg_covar, random_state=0)
    with pytest.warns(
        DegenerateComponentWarning, match=r"rest on a floor: \d \(column \d: |collapsed"
    ):
        mixture.fit(x)


def test_names_of_columns_are_in_the_warning():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {"height": RANDOM.normal(size=600), "visits": RANDOM.poisson(0.4, 600)}
    )
    with pytest.warns(DegenerateComponentWarning, match=r"column 1 \('visits'\)"):
        GaussianMixture(2, random_state=0).fit(frame.astype(float))


def test_a_category_as_columns_is_named_though_their_sum_is_no_evidence_at_all():
    x = SMALL_SETS["one-hot"].rows()
    _, said = caught(lambda: GaussianMixture(1).fit(x))
    assert said == []  # the sum of the columns is constant, in one component as in three
    with pytest.warns(DegenerateComponentWarning, match="rest on a floor"):
        GaussianMixture(3, random_state=0).fit(x)


def test_a_group_with_a_constant_column_is_named():
    x = np.r_[RANDOM.normal(size=(300, 2)), np.c_[RANDOM.normal(size=300) + 20, np.full(300, 0.25)]]
    with pytest.warns(DegenerateComponentWarning, match=r"\(column 1"):
        GaussianMixture(2, random_state=0).fit(x)
    with pytest.warns(DegenerateComponentWarning, match=r"\(column 1"):
        GaussianMixture(2, random_state=0, standardise=True).fit(x)
    with pytest.warns(DegenerateComponentWarning, match=r"\(principal axis"):
        GaussianMixture(2, random_state=0, pca=2).fit(x)


@pytest.mark.parametrize("kind", STRUCTURES)
def test_sound_models_are_not(kind):
    x = load_iris().data
    _, said = caught(lambda: GaussianMixture(2, covariance_type=kind, random_state=0).fit(x))
    assert said == []


@pytest.mark.slow
def test_sums_and_copies_of_columns_are_not_evidence_against_a_component():
    z = RANDOM.normal(size=(600, 2))
    z[:300] += 8
    x = np.c_[z, z.sum(1), z[:, 0], np.full(600, 3.0)]
    _mixture, said = caught(lambda: GaussianMixture(2, random_state=0).fit(x))
    assert said == []
    found, said = caught(lambda: sweep(x, range(1, 5), random_state=0).best())
    assert found.n_components == 2
    assert said == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::daskgmm.errors.DegenerateComponentWarning")
@pytest.mark.parametrize(("unit", "settings"), [(1e-4, {}), (1e-3, {"covariance_type": "diag"})])
def test_data_in_small_units_are_said_to_be_swallowed(unit, settings):
    x = np.concatenate([RANDOM.normal(size=(300, 2)) + c for c in ([0, 0], [8, 0], [0, 8])]) * unit
    with pytest.warns(ScaleWarning, match=r"reg_covar is 1e-06.*column 0 \(variance"):
        GaussianMixture(3, random_state=0, **settings).fit(x)
    with pytest.warns(ScaleWarning, match="standardise=True"):
        sweep(x, (2, 3), random_state=0, **settings)
    for better in ({"standardise": True}, {"reg_covar": 1e-6 * unit**2}):
        mixture = GaussianMixture(3, random_state=0, **settings, **better)
        fitted, said = caught(lambda mixture=mixture: mixture.fit(x))
        assert said == []
        assert_allclose(np.bincount(fitted.predict(x)), 300, atol=2)


def test_one_small_column_is_named():
    x = RANDOM.normal(size=(500, 3)) * [1.0, 1e-4, 1.0]
    with pytest.warns(ScaleWarning, match=r"rows in: column 1 \(variance 1e-08|rows in: column 1"):
        GaussianMixture(1).fit(x)


def test_constant_columns_are_not_small():
    x = np.c_[RANDOM.normal(size=500), np.zeros(500), np.full(500, 1e5), np.full(500, 0.1) * 3]
    _, said = caught(lambda: GaussianMixture(1).fit(x))
    assert said == []


@pytest.mark.slow
def test_a_start_with_a_spread_of_its_own_is_preferred():
    """Of several starts the likeliest had a component of ties; scikit-learn's is sound."""
    x = load_iris().data
    for seed in range(3):
        mixture = GaussianMixture(3, n_init=10, random_state=seed).fit(x)
        assert np.linalg.eigvalsh(mixture.covariances_).min() > 1e-3


@pytest.mark.slow
def test_iris_has_two_full_components():
    """mclust's choice, and its BIC; a component of 29 rows with petals 0.2 wide was chosen."""
    found = sweep(load_iris().data, range(1, 6), random_state=0)
    assert found.best().n_components == 2
    assert_allclose(found.best().criteria_["bic"], 574.0178, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "reg_covar"),
    [("zero-inflated", 0.0), ("one-hot", 1e-6), ("one-hot", 0.0), ("few", 1e-6)],
)
def test_no_model_on_a_floor_is_the_best_without_a_word(name, reg_covar):
    settings = {"random_state": 0, "n_init": 1, "reg_covar": reg_covar}
    found = sweep(SMALL_SETS[name].rows()[:300], range(1, 4), ("full", "diag"), **settings)
    best, said = caught(found.best)
    place = next(i for i, model in enumerate(found.models) if model is best)
    assert not found.table["degenerate"][place], said


def test_a_model_that_cannot_be_fitted_is_a_row_that_says_why():
    """Without `reg_covar` a copied column leaves no full covariance, but diagonal ones."""
    x = RANDOM.normal(size=(300, 2))
    x = np.c_[x, x[:, 0]]
    found = sweep(x, (1, 2), ("full", "diag"), random_state=0, reg_covar=0)
    table = found.table
    failed = [i for i, status in enumerate(table["status"]) if status == "failed"]
    assert {table["covariance_type"][i] for i in failed} == {"full"}
    assert [found.models[i] for i in failed] == [None] * len(failed)
    assert all("increase reg_covar" in table["reason"][i] for i in failed)
    assert caught(found.best)[0].covariance_type == "diag"
    assert len({len(column) for column in table.values()} | {len(found.models)}) == 1


def test_sizes_beyond_the_rows_are_rows_that_say_why():
    found = sweep(RANDOM.normal(size=(6, 2)), (1, 7, 9), "spherical", random_state=0)
    table = found.table
    assert table["status"][0] == "fitted"
    reasons = {k: r for k, r in zip(table["n_components"], table["reason"], strict=True) if r}
    assert reasons.keys() == {7, 9}
    assert "6 rows" in reasons[7]


def test_if_nothing_can_be_fitted_the_reasons_are_one_error():
    x = np.ones((50, 2))
    with pytest.raises(ValueError, match=r"No model of the sweep can be fitted\. 1 full, 2 full: "):
        sweep(x, (1, 2), reg_covar=0)


@pytest.mark.slow
def test_if_all_models_rest_on_a_floor_that_is_said():
    x = np.repeat([[0.0, 1.0], [5.0, 1.0]], 50, axis=0)
    found = sweep(x, (1, 2, 4), random_state=0)
    found.table["status"][found.table["n_components"].index(1)] = "sample"
    with pytest.warns(ChoiceWarning, match="Every model that was fitted has degenerate components"):
        found.best()
