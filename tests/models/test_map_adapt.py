"""Adaptation of a background model, against its closed form in NumPy."""

import json
import warnings

import dask.array as da
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from daskgmm import BayesianGaussianMixture, GaussianMixture, load_model
from daskgmm.errors import DataError, ModelFileError, WeightsWarning
from tests.oracle.data import blobs

TYPES = ("full", "tied", "diag", "spherical")
ALL = ("weights", "means", "covariances")
R = np.random.default_rng(0)
MANY = np.concatenate([R.normal(size=(400, 3)) * [1, 2, 0.5] + c for c in (0.0, 4.0, 9.0)])
FEW = R.normal(size=(60, 3)) + np.repeat([[1.0], [5.0]], 30, axis=0)


def background(covariance_type, **settings):
    settings = {"reg_covar": 1e-3, "random_state": 0} | settings
    return GaussianMixture(3, covariance_type=covariance_type, **settings).fit(MANY)


def closed_form(mixture, x, r, names=ALL, w=None):
    """Reynolds, Quatieri & Dunn (2000), equations 7 to 14, with matrices."""
    w = np.ones(len(x)) if w is None else w * len(x) / w.sum()
    gamma = mixture.predict_proba(x) * w[:, None]
    n, kind = gamma.sum(0), mixture.covariance_type
    mean = gamma.T @ x / n[:, None]
    second = np.einsum("nk,ni,nj->kij", gamma, x, x) / n[:, None, None]
    alpha = n / (n + r)
    weights = alpha * n / n.sum() + (1 - alpha) * mixture.weights_
    mu = alpha[:, None] * mean + (1 - alpha)[:, None] * mixture.means_
    old = mixture.covariances_in_data_units()
    a = alpha[:, None, None]
    ridge = mixture.reg_covar * np.eye(3)
    old_second = old + np.einsum("ki,kj->kij", mixture.means_, mixture.means_)
    cov = a * (second + ridge) + (1 - a) * old_second - np.einsum("ki,kj->kij", mu, mu)
    if kind == "tied":
        cov = np.einsum("k,kij->ij", n + r, cov) / (n + r).sum()
    elif kind != "full":
        cov = np.diagonal(cov, axis1=1, axis2=2)
        cov = cov if kind == "diag" else cov.mean(1)
    return weights / weights.sum(), mu, cov


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("r", [16.0, 1.0])
def test_it_is_the_closed_form(kind, r):
    mixture = background(kind)
    before = mixture.means_.copy(), mixture.covariances_.copy(), mixture.weights_.copy()
    adapted = mixture.map_adapt(FEW, r, ALL)
    weights, means, covariances = closed_form(mixture, FEW, r)
    assert_allclose(adapted.weights_, weights, rtol=1e-12)
    assert_allclose(adapted.means_, means, rtol=1e-12, atol=1e-12)
    assert_allclose(adapted.covariances_, covariances, rtol=1e-12, atol=1e-12)
    for now, then in zip(
        (mixture.means_, mixture.covariances_, mixture.weights_), before, strict=True
    ):
        assert_array_equal(now, then)


@pytest.mark.parametrize("kind", TYPES)
def test_the_limits_are_the_prior_and_the_m_step(kind):
    mixture = background(kind, acceleration=None)
    prior = mixture.map_adapt(FEW, np.inf, ALL)
    assert_array_equal(prior.means_, mixture.means_)
    assert_array_equal(prior.covariances_, mixture.covariances_)
    assert_allclose(prior.weights_, mixture.weights_, rtol=1e-15)
    fitted = background(kind, acceleration=None)
    fitted.set_params(warm_start=True, max_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one step does not converge
        fitted.fit(FEW)
    step = mixture.map_adapt(FEW, 0, ALL)
    for name in ("weights_", "means_", "covariances_"):
        assert_allclose(getattr(step, name), getattr(fitted, name), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", TYPES)
def test_a_component_without_rows_keeps_its_mean_and_covariance(kind):
    mixture = background(kind)
    mixture.means_[2] = 1e4
    adapted = mixture.map_adapt(FEW, {"means": 2, "covariances": 5}, ("means", "covariances"))
    assert_array_equal(adapted.means_[2], mixture.means_[2])
    if kind != "tied":
        assert_array_equal(adapted.covariances_[2], mixture.covariances_[2])


def test_the_result_depends_on_ratios_of_weights_or_on_counts():
    mixture, w = background("full"), R.integers(1, 4, len(FEW))
    one, other = (
        mixture.map_adapt(FEW, 16, ALL, c * np.ones(len(FEW)), weights_are="relative")
        for c in (1.0, 1e6)
    )
    assert_allclose(other.covariances_, one.covariances_, rtol=1e-12)
    counts = mixture.map_adapt(FEW, 16, ALL, w, weights_are="counts")
    repeated = mixture.map_adapt(np.repeat(FEW, w, axis=0), 16, ALL)
    assert_allclose(counts.covariances_, repeated.covariances_, rtol=1e-12)


def test_chunks_do_not_matter_and_passes_follow_each_other():
    mixture = background("full")
    plain = mixture.map_adapt(FEW, parameters=ALL, n_iter=2)
    chunked = mixture.map_adapt(da.from_array(FEW, chunks=(7, 3)), parameters=ALL, n_iter=2)
    assert_allclose(chunked.covariances_, plain.covariances_, rtol=1e-12)
    assert np.abs(plain.means_ - mixture.map_adapt(FEW, parameters=ALL).means_).max() > 1e-6


@pytest.mark.parametrize("settings", [{"standardise": True}, {"pca": 2}])
def test_coordinates_and_missing_rows(settings):
    mixture = background("full", missing="drop", **settings)
    gaps = np.insert(FEW, 10, np.nan, axis=0)
    assert_allclose(mixture.map_adapt(gaps).means_, mixture.map_adapt(FEW).means_, rtol=1e-12)


def test_save_and_load(tmp_path):
    adapted = background("diag").map_adapt(FEW)
    adapted.save(tmp_path / "m.json")
    assert_array_equal(
        load_model(tmp_path / "m.json").predict_proba(FEW), adapted.predict_proba(FEW)
    )
    assert np.isnan(adapted.criteria_["log_likelihood"])


@pytest.mark.parametrize("saved", [False, True])
def test_it_says_how_it_was_adapted(tmp_path, saved):
    mixture, w = background("diag"), np.linspace(1, 2, len(FEW))
    relevance = {"means": 16.0, "weights": np.inf}
    adapted = mixture.map_adapt(FEW, relevance, ("means", "weights"), w, n_iter=2)
    if saved:
        adapted.save(tmp_path / "m.json")
        adapted = load_model(tmp_path / "m.json")
    facts = adapted.adapted_
    assert facts["relevance"] == relevance
    assert facts["n_iter"] == adapted.n_iter_ == 2
    assert facts["rows"] == 60
    assert_allclose(facts["weight"], w.sum())
    assert_allclose(facts["effective_rows"], w.sum() ** 2 / (w @ w))
    assert facts["background"] == {"rows": 1200, "sha256": mixture.fitted_on_["sha256"]}
    assert adapted.converged_ is False
    assert np.isnan(adapted.lower_bound_)
    assert np.isnan(adapted.gap_estimate_)
    assert adapted.lower_bounds_ == []
    assert not hasattr(adapted, "fitted_on_")
    assert not hasattr(mixture, "adapted_")


def test_a_second_adaptation_knows_the_first_background_and_a_fit_forgets():
    mixture = background("full")
    twice = mixture.map_adapt(FEW).map_adapt(FEW[:20], 4)
    assert twice.adapted_["rows"] == 20
    assert twice.adapted_["background"]["sha256"] == mixture.fitted_on_["sha256"]
    assert not hasattr(twice.fit(MANY), "adapted_")


@pytest.mark.parametrize("acceleration", ["auto", None])
def test_a_fit_goes_on_from_an_adapted_mixture(acceleration):
    """A bound that is not known must not stop it, nor be compared with."""
    adapted = background("full", acceleration=acceleration).map_adapt(FEW, parameters=ALL)
    adapted.set_params(warm_start=True, max_iter=1, tol=0.0)
    other = GaussianMixture(
        3, reg_covar=1e-3, max_iter=1, tol=0.0, acceleration=acceleration,
        weights_init=adapted.weights_, means_init=adapted.means_,
        precisions_init=adapted.precisions_,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one step does not converge
        adapted.fit(MANY)
        other.fit(MANY)
    assert_allclose(adapted.means_, other.means_, rtol=1e-9)
    assert_allclose(adapted.lower_bound_, other.lower_bound_, rtol=1e-9)


def test_a_scikit_learn_model_of_it_predicts_the_same():
    adapted = background("tied").map_adapt(FEW)
    assert_allclose(adapted.to_sklearn().predict_proba(FEW), adapted.predict_proba(FEW), atol=1e-12)


def test_whole_weights_that_may_be_counts_are_doubted():
    w = R.integers(1, 4, len(FEW))
    with pytest.warns(WeightsWarning, match=r"the relevance is weighed against n = "):
        background("full").map_adapt(FEW, sample_weight=w)


def test_two_speakers_are_told_apart():
    mixture, other = background("diag"), FEW - [0.0, 2.0, 1.0]
    one, two = mixture.map_adapt(FEW[::2]), mixture.map_adapt(other[::2])
    assert one.score(FEW[1::2]) - two.score(FEW[1::2]) > 0.1
    assert two.score(other[1::2]) - one.score(other[1::2]) > 0.1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"relevance": -1}, ">= 0"),
        ({"relevance": np.nan}, ">= 0"),
        ({"relevance": {"weights": 1}}, "parameters are means"),
        ({"parameters": ("mean",)}, "give some of"),
        ({"parameters": ()}, "give some of"),
        ({"n_iter": 0}, "n_iter"),
    ],
)
def test_wrong_arguments_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        background("full").map_adapt(FEW, **wrong)


def test_bad_values_are_named_and_the_advice_helps():
    bad, mixture = FEW.copy(), background("full")
    bad[7, 1] = np.nan
    with pytest.raises(DataError, match=r"NaN in .*7.*column 1.*missing='drop'"):
        mixture.map_adapt(bad)
    found = mixture.set_params(missing="drop").map_adapt(bad)
    assert found.adapted_["rows"] == 59
    assert_allclose(found.means_, mixture.map_adapt(np.delete(FEW, 7, axis=0)).means_, rtol=1e-12)


@pytest.mark.parametrize(
    ("mixture", "message"),
    [
        (GaussianMixture(2, noise=True, random_state=0), "room for outliers"),
        (
            GaussianMixture(2, tails="contaminated", max_iter=300, random_state=0),
            "room for outliers",
        ),
        (BayesianGaussianMixture(2, random_state=0), "variational posterior cannot be adapted"),
    ],
)
def test_only_gaussian_components_are_adapted(mixture, message):
    x = blobs(300, 2, 2)
    with pytest.raises(ValueError, match=message):
        mixture.fit(x).map_adapt(x[:50])


@pytest.mark.parametrize(
    "damage",
    [
        {"relevance": None}, {"relevance": {"means": "many"}}, {"relevance": {"means": [1]}},
        {"n_iter": -1}, {"n_iter": "one"}, {"background": 3},
    ],
)  # fmt: skip
def test_damage_of_what_a_file_says_of_an_adaptation_is_found(tmp_path, damage):
    path = tmp_path / "m.json"
    background("diag").map_adapt(FEW).save(path)
    document = json.loads(path.read_text())
    document["adapted"] |= damage
    path.write_text(json.dumps(document))
    with pytest.raises(ModelFileError, match="is damaged"):
        load_model(path)
