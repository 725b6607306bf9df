"""EM by hand: moments of parts of the rows, their sum, and the step from it."""

import json
from copy import copy

import dask.array as da
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from daskgmm import BayesianGaussianMixture, GaussianMixture, MixtureMoments
from daskgmm.errors import DataError, DegenerateComponentWarning, ModelFileError, SettingError
from daskgmm.gaussian.covariance.structures import STRUCTURES

R = np.random.default_rng(0)
X = np.concatenate([R.normal(size=(300, 3)) * [1, 2, 0.5] + c for c in R.normal(size=(3, 3)) * 3])
R.shuffle(X)
WIDE = R.normal(size=(300, 70)) + np.repeat([[0.0], [2.0]], 150, axis=0)


@pytest.fixture(scope="module")
def mixture():
    return fitted("full", max_iter=2)


@pytest.fixture(scope="module")
def moments(mixture):
    return mixture.moments(X)


@pytest.mark.filterwarnings("ignore:Best performing")
def fitted(covariance_type, x=X, *, max_iter, **settings):
    settings = {"random_state": 0, "init_params": "random_from_data", **settings}
    settings |= {"acceleration": None, "tol": 0.0, "max_iter": max_iter}
    weights = settings.pop("sample_weight", None)
    with pytest.warns(UserWarning, match="did not converge"):
        return GaussianMixture(3, covariance_type=covariance_type, **settings).fit(x, None, weights)


def check_steps(covariance_type, x=X, weights=None, rtol=1e-12, **settings):
    """Steps from moments of two parts are the iterations of a fit of all rows."""
    settings["sample_weight"] = weights
    ours = fitted(covariance_type, x, max_iter=2, **settings)
    theirs = fitted(covariance_type, x, max_iter=5, **settings)
    bounds, middle = [], len(x) // 3
    for _ in range(3):
        parts = slice(0, middle), slice(middle, None)
        w = [None if weights is None else weights[part] for part in parts]
        moments = sum(ours.moments(x[p], sample_weight=v) for p, v in zip(parts, w, strict=True))
        ours = ours.step(moments)
        bounds.append(ours.lower_bound_)
    assert_allclose(bounds, theirs.lower_bounds_[2:], rtol=rtol)
    assert_allclose(ours.weights_, theirs.weights_, rtol=rtol)
    assert_allclose(ours.means_, theirs.means_, rtol=rtol, atol=rtol)
    assert_allclose(ours.covariances_, theirs.covariances_, rtol=10 * rtol, atol=rtol)
    return ours


@pytest.mark.parametrize("covariance_type", STRUCTURES)
def test_steps_are_the_iterations_of_a_fit(covariance_type):
    check_steps(covariance_type)


@pytest.mark.parametrize(
    "settings",
    [
        {"equal_weights": True},
        {"standardise": True, "pca": 2},
        {"weights": R.uniform(0.1, 3.0, len(X))},
        {"reg_covar": 1e-3},
        {"x": X.astype(np.float32)},
        {"x": 1e3 * X + 1e5},
    ],
    ids=lambda settings: "-".join(settings),
)
def test_steps_with_settings(settings):
    check_steps("full", rtol=1e-9, **settings)


@pytest.mark.parametrize("covariance_type", ["ppca", "factor"])
def test_steps_where_moments_are_projected(covariance_type):
    check_steps(covariance_type, WIDE, rtol=1e-6, n_factors=2)


def test_they_are_sums_of_responsibilities(mixture, moments):
    gamma = mixture.predict_proba(X)
    assert moments.rows == moments.weight == len(X)
    assert_allclose(moments.counts, gamma.sum(0), rtol=1e-12)
    assert_allclose(moments.means, gamma.T @ X / gamma.sum(0)[:, None], rtol=1e-12)
    assert moments.log_likelihood == pytest.approx(mixture.score(X), rel=1e-13)
    assert "900 rows under 3 components (full) of 3 features" in repr(moments)


def test_lazy_rows_have_the_moments_of_rows_in_memory(mixture, moments):
    lazy = mixture.moments(da.from_array(X, chunks=(250, 3)))
    assert_allclose(lazy.counts, moments.counts, rtol=1e-13)
    assert mixture.step(lazy).lower_bound_ == pytest.approx(mixture.score(X), rel=1e-13)


def test_rows_that_miss_values_are_left_out_or_refused(mixture, moments):
    holed = np.concatenate([X, [[np.nan, 0.0, 0.0]]])
    with pytest.raises((DataError, ValueError), match="NaN"):
        mixture.moments(holed)
    dropping = fitted("full", missing="drop", max_iter=2)
    assert dropping.moments(holed).rows == len(X)
    assert_allclose(dropping.moments(holed).counts, moments.counts, rtol=1e-12)


def test_files_are_exact_and_sums_of_them_have_the_same_bits(mixture, moments, tmp_path):
    one, other = mixture.moments(X[:400]), mixture.moments(X[400:])
    one.save(tmp_path / "one.json")
    other.save(tmp_path / "other.json")
    read = [MixtureMoments.load(tmp_path / name) for name in ("one.json", "other.json")]
    here, there = mixture.step(one + other), mixture.step(read[0] + read[1])
    assert_array_equal(here.covariances_, there.covariances_)
    assert_array_equal(here.means_, there.means_)
    assert here.lower_bound_ == there.lower_bound_
    text = (tmp_path / "one.json").read_text()
    assert json.loads(text)["rows"] == 400


def test_what_a_step_returns_is_a_mixture(mixture, moments, tmp_path):
    before = mixture.means_.copy()
    after = mixture.step(moments)
    assert_array_equal(mixture.means_, before)
    assert (after.n_iter_, after.converged_, after.lower_bounds_) == (
        1,
        False,
        [after.lower_bound_],
    )
    assert not hasattr(after, "history_")
    assert after.score(X) > mixture.score(X)
    after.save(tmp_path / "after.json")
    assert_array_equal(GaussianMixture.load(tmp_path / "after.json").predict(X), after.predict(X))


def test_a_mixture_of_scikit_learn_steps(mixture, moments):
    found = GaussianMixture.from_sklearn(mixture.to_sklearn())
    assert_array_equal(found.step(found.moments(X)).means_, mixture.step(moments).means_)


def test_what_changes_no_density_changes_no_moments(mixture, moments):
    """Clusters of the components, and what becomes of rows that miss values."""
    merged = copy(mixture).merge_components(X, 2)
    assert_array_equal(merged.step(moments).means_, mixture.step(moments).means_)
    dropping = copy(mixture).set_params(missing="drop")
    holed = np.concatenate([X, [[np.nan, 0.0, 0.0]]])
    assert (moments + dropping.moments(holed)).rows == 2 * len(X)


def test_they_compare_and_hash_as_objects(mixture, moments):
    assert moments == moments
    assert moments != mixture.moments(X)
    assert len({moments, moments}) == 1


def test_moments_under_another_mixture_are_refused(mixture, moments):
    after = mixture.step(moments)
    with pytest.raises(SettingError, match="under two different mixtures"):
        moments + after.moments(X)
    with pytest.raises(SettingError, match="under another mixture"):
        after.step(moments)
    with pytest.raises(TypeError, match="unsupported operand"):
        moments + 1


@pytest.mark.parametrize(
    ("settings", "reason"),
    [({"prior": "conjugate"}, "prior='conjugate'"), ({"noise": True}, "noise, tails")],
)
def test_mixtures_whose_steps_need_more_are_refused(settings, reason):
    found = GaussianMixture(2, random_state=0, **settings).fit(X[:, :2])
    with pytest.raises(SettingError, match=reason):
        found.moments(X[:, :2])
    bayesian = BayesianGaussianMixture(2, random_state=0).fit(X)
    with pytest.raises(SettingError, match="variational posterior"):
        bayesian.moments(X)


def test_a_component_without_rows_is_told():
    apart = np.concatenate([X, X + 1e3])
    found = GaussianMixture(2, random_state=0).fit(apart)
    near = found.moments(X)
    assert np.isnan(near.means).any(axis=1).sum() == 1
    with pytest.warns(DegenerateComponentWarning, match="without rows"):
        found.step(near)


def test_rows_are_no_moments(mixture):
    with pytest.raises(SettingError, match=r"is a ndarray; give moments of rows: mixture\.moments"):
        mixture.step(X)


def test_no_rows_make_no_step(mixture):
    none = mixture.moments(X, sample_weight=np.zeros(len(X)))
    assert np.isnan(none.log_likelihood)
    with pytest.raises(SettingError, match="of no rows"):
        mixture.step(none)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text.replace('"rows": 900', '"rows": 901'), "checksum is wrong"),
        (lambda text: text[: len(text) // 2], "torn or no JSON"),
        (lambda text: text.replace('"format_version": 1', '"format_version": 9'), "reads up to 1"),
        (lambda text: text.replace("daskgmm-moments", "other"), "no moments of daskgmm"),
        (lambda text: text.replace('"weighing"', '"weighting"'), "'weighing' is missing"),
        (lambda text: text.replace('"record": "Moments"', '"record": "Pass"'), "is missing"),
        (lambda text: "x", "does not begin as JSON"),
    ],
)
def test_damaged_files_are_refused(moments, tmp_path, damage, message):
    path = tmp_path / "moments.json"
    moments.save(path)
    path.write_text(damage(path.read_text()))
    with pytest.raises(ModelFileError, match=message):
        MixtureMoments.load(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ModelFileError, match="There is no file of moments"):
        MixtureMoments.load(tmp_path / "none.json")


def test_they_are_not_saved_under_the_name_of_another_format(moments, tmp_path):
    with pytest.raises(SettingError, match="a file of moments is JSON"):
        moments.save(tmp_path / "moments.npz")
    assert not any(tmp_path.iterdir())
