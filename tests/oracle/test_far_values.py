"""Values so far away that sums of all rows tell of nothing else: the rest is fitted rightly."""

import warnings

import dask.array as da
import numpy as np
import pytest
from numpy.testing import assert_allclose

from daskgmm import GaussianMixture, sweep
from daskgmm.errors import DegenerateComponentWarning, ResolutionWarning
from tests.oracle.data import STRUCTURES

FILL = 9.969209968386869e36


def two_groups(seed=0, n=400):
    random = np.random.default_rng(seed)
    return np.concatenate([random.normal(at, size=(n, 2)) for at in ([0, 0], [9, 0])])


def quietly(k, X, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResolutionWarning)
        warnings.simplefilter("ignore", DegenerateComponentWarning)
        return GaussianMixture(k, random_state=0, **settings).fit(X)


def warned(act):
    """Return the warnings of far values that it gives; others are of the models."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        act()
    return [each for each in caught if each.category is ResolutionWarning]


def ordinary(mixture, bound=1e3):
    """Components by their means' first entry, those of far values left out."""
    near = np.flatnonzero((np.abs(mixture.means_) < bound).all(1) & (mixture.weights_ > 1e-3))
    return near[np.argsort(mixture.means_[near, 0])]


@pytest.mark.parametrize("far", [1e16, FILL, -3.4028234663852886e38, 1e150])
@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_one_far_value_moves_no_other_component(far, covariance_type):
    rows = two_groups()
    alone = quietly(2, rows, covariance_type=covariance_type, tol=1e-8)
    X = np.vstack([rows[:300], [[0.0, far]], rows[300:]])
    # From the same groups: what k-means finds beside such a value is another matter.
    start = {
        "weights_init": [0.4, 0.4, 0.2],
        "means_init": np.vstack([alone.means_, X[300]]),
        "precisions_init": np.concatenate([alone.precisions_, alone.precisions_[:1]]),
    }
    found = quietly(3, X, covariance_type=covariance_type, tol=1e-8, **start)
    near, same = ordinary(found), ordinary(alone)
    assert_allclose(found.means_[near], alone.means_[same], atol=1e-5)
    assert_allclose(found.covariances_[near], alone.covariances_[same], rtol=1e-5, atol=1e-5)
    assert_allclose(found.score(rows), alone.score(rows) + np.log(800 / 801), atol=1e-6)
    expected = alone.predict_proba(rows)[:, same]
    assert_allclose(found.predict_proba(rows)[:, near], expected, atol=1e-5)
    lazy = found.predict_proba(da.from_array(rows, chunks=(77, 2))).compute()
    assert_allclose(lazy[:, near], expected, atol=1e-5)
    assert found.predict(X)[300] not in near


@pytest.mark.parametrize("acceleration", [None, "auto"])
def test_tied_covariances_are_those_of_the_ordinary_rows(acceleration):
    rows = two_groups()
    X = np.vstack([rows, np.full((1, 2), 1e20)])
    means = np.array([[0.0, 0.0], [9.0, 0.0], [1e20, 1e20]])
    found = quietly(3, X, covariance_type="tied", acceleration=acceleration, means_init=means)
    within = (np.cov(rows[:400].T, bias=True) + np.cov(rows[400:].T, bias=True)) * 400 / 801
    assert_allclose(found.covariances_, within, atol=1e-3)


def test_weighted_far_values_count_as_often_as_their_weight():
    rows = two_groups()
    X = np.vstack([rows, np.full((1, 2), FILL)])
    weights = np.ones(len(X))
    weights[-1] = 200.0
    found, weighted = quietly(3, X), GaussianMixture(3, random_state=0)
    (told,) = warned(lambda: weighted.fit(X, sample_weight=weights))
    assert "column 0 reaches 9.96921e+36" in str(told.message)
    assert_allclose(weighted.weights_[ordinary(weighted)].sum(), 0.8)
    for mixture in (found, weighted):
        assert_allclose(mixture.means_[ordinary(mixture)], [[0, 0], [9, 0]], atol=0.15)
    weights[-1] = 0.0  # as if it were not there
    GaussianMixture(2, random_state=0).fit(X, sample_weight=weights)


@pytest.mark.parametrize("apart", [1e9, 1e13])
@pytest.mark.parametrize("covariance_type", STRUCTURES)
def test_groups_apart_are_each_right(apart, covariance_type):
    random = np.random.default_rng(1)
    near, far = random.normal(size=(500, 2)), (random.normal(size=(500, 2)) + apart).round(2)
    found = GaussianMixture(2, covariance_type=covariance_type, random_state=0)
    found.fit(np.concatenate([near, far]))
    order = np.argsort(found.means_[:, 0])
    full = np.stack([np.cov(each.T, bias=True) for each in (near, far - apart)])
    expected = {
        "full": full[0],
        "tied": full.mean(0),
        "diag": np.diagonal(full[0]),
        "spherical": np.trace(full[0]) / 2,
    }[covariance_type]
    covariance = found.covariances_
    if covariance_type != "tied":
        covariance = covariance[order[0]]
    assert_allclose(covariance, expected, atol=1e-5 if covariance_type != "tied" else 1e-2)
    assert_allclose(found.means_[order[0]], near.mean(0), atol=1e-12)


@pytest.mark.parametrize("offset", [1e8, 1e12])
def test_an_offset_of_all_rows_costs_no_warning(offset):
    X = two_groups() + offset
    exact = X - offset
    shifted = GaussianMixture(2, random_state=0).fit(X)
    same = GaussianMixture(2, random_state=0).fit(exact)
    assert_allclose(shifted.covariances_, same.covariances_, atol=1e-3)
    assert_allclose(shifted.score(X), same.score(exact), atol=1e-4)


@pytest.mark.parametrize(
    ("far", "words"),
    [
        (FILL, "netCDF's default fill value"),
        (np.float32(1e20), "missing value of CMIP"),
        (-(2.0**63), "smallest int64"),
        (-1e17, "-1e+17, while half of its values lie between"),
    ],
)
def test_the_warning_names_column_value_and_meaning(far, words):
    X = two_groups()
    X[5, 1] = far
    (told,) = warned(lambda: GaussianMixture(3, random_state=0).fit(X))
    text = str(told.message)
    assert words in text
    assert "column 1 reaches" in text
    assert "_FillValue" in text
    assert "missing='drop'" in text
    assert told.filename == __file__


@pytest.mark.parametrize("settings", [{"standardise": True}, {"pca": 1}])
def test_scales_and_axes_of_a_far_value_are_said_to_be_so(settings):
    X = two_groups()
    X[5, 1] = FILL
    (told,) = warned(lambda: GaussianMixture(2, random_state=0, **settings).fit(X))
    assert "standardise and pca are then those of the far values alone" in str(told.message)


def test_columns_are_named_as_in_a_frame():
    import pandas as pd

    X = pd.DataFrame(two_groups(), columns=["t", "salt"])
    X.loc[7, "salt"] = FILL
    (told,) = warned(lambda: GaussianMixture(3, random_state=0).fit(X))
    assert "column 1 ('salt') reaches" in str(told.message)


@pytest.mark.parametrize("covariance_type", STRUCTURES)
def test_a_component_finer_than_the_numbers_is_named(covariance_type):
    rows = two_groups()
    # So many that they are no exception: quartiles do not show them.
    X = np.concatenate([rows, rows + 1e17])
    mixture = GaussianMixture(2, covariance_type=covariance_type, random_state=0)
    (told,) = warned(lambda: mixture.fit(X))
    assert "lies at 1e+17 in column" in str(told.message)
    assert "numbers are 16 apart" in str(told.message)


@pytest.mark.slow
@pytest.mark.parametrize("covariance_type", [["full"], ["tied", "spherical"], ["diag"]])
@pytest.mark.parametrize(
    "far", [np.full((1, 2), 1e10), np.array([[3e8, 0.0], [3e8, 1.0]]), np.full((1, 2), FILL)]
)
def test_a_sweep_takes_far_rows(far, covariance_type):
    rows = two_groups(n=100)
    found = []
    x, settings = np.vstack([rows, far]), {"random_state": 0, "n_init": 1}
    warned(lambda: found.append(sweep(x, range(1, 5), covariance_type, **settings)))
    fitted = [model for model in found[0].models if model is not None]
    assert {model.n_components for model in fitted} == {1, 2, 3, 4}
    assert all(np.isfinite(model.means_).all() for model in fitted)
    assert not np.isnan(found[0].table["log_likelihood"]).any()


def test_a_sweep_warns_once():
    X = np.vstack([two_groups(n=100), np.full((1, 2), FILL)])
    (told,) = warned(lambda: sweep(X, range(1, 4), random_state=0))
    assert told.filename == __file__


@pytest.mark.parametrize("far", [1e12, FILL])
def test_no_other_component_rests_on_a_floor(far):
    X = two_groups()
    X[5] = far
    mixture = GaussianMixture(3, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mixture.fit(X)
    floors = [str(each.message) for each in caught if "rest on a floor" in str(each.message)]
    assert f"floor: {mixture.predict(X[5:6])[0]} (column" in floors[0]
    assert floors[0].count("standard deviation") == 1


@pytest.mark.slow
def test_rows_of_weight_zero_may_hold_anything_finite():
    rows = two_groups(n=100)
    X = np.vstack([rows, np.full((3, 2), 1e150)])
    weights = np.r_[np.ones(len(rows)), np.zeros(3)]
    for covariance_type in STRUCTURES:
        settings = {"covariance_type": covariance_type, "random_state": 0}
        found = GaussianMixture(2, **settings).fit(X, sample_weight=weights)
        alone = GaussianMixture(2, **settings).fit(rows)
        assert_allclose(found.lower_bound_, alone.lower_bound_, rtol=1e-6)
    assert np.isfinite(sweep(X, [1, 2], sample_weight=weights, random_state=0).table["bic"]).all()


def filled(share, value, others=None):
    """Return two columns, of which the first has so many of one value among these."""
    X = two_groups()
    if others is not None:
        X[:, 0] = others
    X[: round(share * len(X)), 0] = value
    return np.random.default_rng(1).permutation(X)


MOSTLY_ZERO = np.where(np.arange(800) % 5, 0.0, np.arange(800) / 100)


@pytest.mark.parametrize(
    ("value", "share"),
    [(FILL, 0.002), (float(np.float32(FILL)), 0.3), (1e20, 0.7), (1e20, 0.002), (-(2.0**63), 0.3)],
)
@pytest.mark.parametrize("others", [None, MOSTLY_ZERO, 0.0])
def test_a_value_that_stands_for_a_missing_one_is_named_however_frequent(value, share, others):
    """Also where half of the other values are equal: zeros, as of rain."""
    (told,) = warned(lambda: GaussianMixture(2, random_state=0).fit(filled(share, value, others)))
    assert "column 0 reaches" in str(told.message)
    if others is not None and share < 0.5:
        assert "while half of its values are 0." in str(told.message)


@pytest.mark.parametrize("others", [MOSTLY_ZERO, (np.arange(800) % 50 == 0) * 1.0, 0.0])
def test_columns_of_mostly_one_value_are_not_far(others):
    X = filled(0.0, np.nan, others)
    assert not warned(lambda: GaussianMixture(2, random_state=0).fit(X))


@pytest.mark.parametrize("structure", ["full", "diag"])
def test_a_few_far_rows_collapse_no_other_component(structure):
    """Without `reg_covar`, a variance below the rounding of 1e30 was no variance."""
    X = np.vstack([two_groups(), np.random.default_rng(2).normal(size=(20, 2)) * 1e30])
    start = {"weights_init": [0.4, 0.4, 0.2], "means_init": [[0, 0], [9, 0], [1e30, 0]]}
    start["precisions_init"] = (
        np.array([np.eye(2), np.eye(2), np.eye(2) * 1e-60])
        if structure == "full"
        else np.array([[1, 1], [1, 1], [1e-60, 1e-60]])
    )
    found = GaussianMixture(3, covariance_type=structure, reg_covar=0, **start)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found.fit(X)
    assert not [each for each in caught if "collapsed" in str(each.message)]
    assert_allclose(found.covariances_[0].max(), 1.0, atol=0.2)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"acceleration": None},
        {"init_params": "k-means++"},
        {"init_params": "k-means++", "sample_rows": 100},
        {"covariance_type": "tied", "standardise": True},
    ],
)
def test_squares_of_float32_fill_values_overflow_nowhere(settings):
    X = two_groups().astype(np.float32)
    X[::50, 1] = FILL
    # NumPy's warnings of overflow are errors here.
    found = quietly(3, X, **settings)
    assert np.isfinite(found.score(X))
    assert len(np.unique(found.predict(X))) > 1


def test_a_sweep_of_float32_fill_values_overflows_nowhere():
    X = two_groups().astype(np.float32)
    X[::50, 1] = FILL
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResolutionWarning)
        found = sweep(X, range(1, 4), random_state=0)
    assert np.isfinite(found.table["bic"]).all()


@pytest.mark.parametrize("seed", range(8))
def test_far_rows_among_zeros_are_told_though_some_stand_for_all(seed):
    X = two_groups(seed)
    X[: round(0.95 * len(X)), 0] = 0.0
    X[-16:, 0] = 1e30 * np.random.default_rng(seed).uniform(1, 2, 16)
    X = np.random.default_rng(seed).permutation(X)
    (told,) = warned(lambda: GaussianMixture(2, random_state=0, covariance_type="diag").fit(X))
    assert "column 0 reaches" in str(told.message)


def test_of_two_far_values_the_farther_is_told_where_the_known_one_is_near():
    X = two_groups()
    X[3, 0], X[4, 0] = -(2.0**31), 1e30
    (told,) = warned(lambda: GaussianMixture(2, random_state=0).fit(X))
    assert "reaches 1e+30" in str(told.message)


def test_a_small_cluster_beside_a_heap_and_far_rows_does_not_collapse():
    random = np.random.default_rng(0)
    x = np.zeros(4000)
    x[:120], x[120:140] = random.normal(100, 5, 120), 1e30
    mixture = GaussianMixture(
        3, covariance_type="diag", reg_covar=0, means_init=[[0.0], [100.0], [1e30]],
        weights_init=[0.96, 0.03, 0.01], precisions_init=[[1.0], [1 / 400], [1e-56]],
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mixture.fit(x[:, None])
    assert_allclose(mixture.covariances_[1], x[:120].var(), rtol=1e-3)
