"""Factors of many features: moments are projected, and nothing is as large as k d^2."""

import tracemalloc
import warnings

import dask.array as da
import numpy as np
import pytest
import zarr
from numpy.testing import assert_allclose
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

import daskgmm.gaussian.covariance.algebra.projections as projections
from daskgmm import GaussianMixture, load_model, plan, sweep
from daskgmm.errors import DegenerateComponentWarning
from tests.models.test_factors import ALL, TYPES, assert_never_falls, rows

D, Q = 90, 3


@pytest.fixture(scope="module")
def drawn():
    return rows(D, Q, 3, n=1000)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_they_end_where_exact_steps_end(covariance_type, drawn, monkeypatch):
    x = drawn[0]
    settings = {"covariance_type": covariance_type, "n_factors": Q, "random_state": 0, "tol": 1e-5}
    settings["init_params"] = "k-means++"
    found = GaussianMixture(3, **settings).fit(x)
    monkeypatch.setattr(projections, "MOST_PRODUCTS", 1000)
    exact = GaussianMixture(3, **settings).fit(x)
    order = [int(np.argmin(np.linalg.norm(found.means_ - mean, axis=1))) for mean in exact.means_]
    assert found.score(x) == pytest.approx(exact.score(x), abs=1e-4)
    ours, theirs = (each.covariances_in_data_units() for each in (found, exact))
    assert_allclose(ours[order], theirs, atol=2e-2)
    # The same parameters have the same densities either way, to rounding.
    there = exact.score_samples(x)
    monkeypatch.undo()
    assert_allclose(exact.score_samples(x), there, rtol=1e-11, atol=1e-9)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("covariance_type", ALL)
def test_densities_and_labels_are_those_of_the_matrices(covariance_type, drawn):
    x = drawn[0]
    x = (x - x.mean(axis=0)) / x.std(axis=0) + 5.0
    settings = {"covariance_type": covariance_type, "n_factors": Q, "random_state": 0}
    mixture = GaussianMixture(3, **settings, init_params="k-means++", max_iter=5).fit(x)
    components = zip(
        mixture.weights_, mixture.means_, mixture.covariances_in_data_units(), strict=True
    )
    joint = np.stack(
        [np.log(w) + multivariate_normal(m, matrix).logpdf(x) for w, m, matrix in components]
    )
    assert_allclose(mixture.score_samples(x), logsumexp(joint, axis=0), rtol=1e-9, atol=1e-9)
    assert_allclose(mixture.predict(x), joint.argmax(axis=0))
    far = x * 1e7  # where the whitened kernel takes over
    nearest = [multivariate_normal(m, c).logpdf(far) for m, c in zip(
        mixture.means_, mixture.covariances_in_data_units(), strict=True
    )]  # fmt: skip
    assert_allclose(mixture.score_samples(far), np.max(nearest, axis=0), rtol=1e-6)


@pytest.mark.parametrize("init_params", ["kmeans", "random_from_data", "k-means++", "random"])
def test_every_start_finds_the_loadings(init_params, drawn):
    x, labels, loadings, variances = drawn
    settings = {"covariance_type": "factor", "n_factors": Q, "random_state": 1, "tol": 1e-4}
    mixture = GaussianMixture(3, init_params=init_params, n_init=2, **settings).fit(x)
    found = mixture.predict(x)
    assert len({(int(a), int(b)) for a, b in zip(labels, found, strict=True)}) == 3
    for k in range(3):
        own = found[labels == k][0]
        matrix = mixture.factor_loadings_[own] @ mixture.factor_loadings_[own].T
        true = loadings[k].T @ loadings[k]
        assert np.linalg.norm(matrix - true) < 0.2 * np.linalg.norm(true)
        assert_allclose(mixture.noise_variance_[own], variances[k], rtol=0.3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("covariance_type", "seed"),
    [(each, seed + 4 * ((i + seed) % 2)) for i, each in enumerate(ALL) for seed in range(4)],
)
def test_the_likelihood_never_falls(covariance_type, seed, monkeypatch):
    monkeypatch.setattr(projections, "MOST_PRODUCTS", 0)
    random = np.random.default_rng(seed)
    d = int(random.integers(6, 12))
    x = rows(d, 2, 2, n=int(random.integers(30, 300)), seed=seed)[0]
    if seed % 4 == 1:
        x[:, 0] = x[:, 1]
    elif seed % 4 == 2:
        x = np.round(x) * 1e6
    elif seed % 4 == 3:
        x[: len(x) // 2] = x[0]
        x[:, -1] = 5.0
    mixture = GaussianMixture(
        int(random.integers(1, 5)), covariance_type=covariance_type, n_factors=2,
        reg_covar=(1e-6, 1e-2)[seed // 4], random_state=seed, max_iter=60,
    )  # fmt: skip
    assert_never_falls(mixture, x)


@pytest.mark.slow
@pytest.mark.parametrize("covariance_type", TYPES)
def test_files_checkpoints_chunks_and_weights(covariance_type, drawn, tmp_path):
    x = drawn[0]
    settings = {"covariance_type": covariance_type, "n_factors": Q, "random_state": 0, "tol": 1e-4}
    whole = GaussianMixture(3, **settings).fit(x)
    whole.save(tmp_path / "m.json")
    assert_allclose(load_model(tmp_path / "m.json").score_samples(x), whole.score_samples(x))
    with pytest.warns(match="did not converge"):
        GaussianMixture(3, **settings, max_iter=1).fit(x, checkpoint=tmp_path / "c")
    resumed = GaussianMixture(3, **settings).fit(x, checkpoint=tmp_path / "c")
    np.testing.assert_array_equal(resumed.covariances_, whole.covariances_)
    chunked = GaussianMixture(3, **settings).fit(da.from_array(x, chunks=(300, D)))
    assert_allclose(chunked.covariances_, whole.covariances_, rtol=1e-6, atol=1e-8)
    start = {
        "means_init": whole.means_,
        "weights_init": whole.weights_,
        "precisions_init": whole.precisions_,
    }
    weights = np.arange(len(x)) % 3
    repeated = GaussianMixture(3, **settings, **start).fit(np.repeat(x, weights, axis=0))
    weighted = GaussianMixture(3, **settings, **start).fit(
        x, sample_weight=weights, weights_are="counts"
    )
    assert_allclose(weighted.covariances_, repeated.covariances_, rtol=1e-6, atol=1e-8)


def test_far_from_the_origin_no_digits_are_lost(drawn):
    x = drawn[0]
    settings = {"covariance_type": "factor", "n_factors": Q, "random_state": 0}
    near = GaussianMixture(3, **settings).fit(x)
    far = GaussianMixture(3, **settings).fit(x + 1e8)
    assert far.score(x + 1e8) == pytest.approx(near.score(x), abs=1e-4)


@pytest.mark.slow
def test_noise_takes_outliers(drawn):
    x = drawn[0].copy()
    x[:20] = np.random.default_rng(0).uniform(-100, 100, size=(20, D))
    settings = {"covariance_type": "ppca", "n_factors": Q, "random_state": 0}
    mixture = GaussianMixture(3, noise=True, **settings).fit(x)
    assert (mixture.predict(x[:20]) == -1).all()
    assert (mixture.predict(x[20:]) >= 0).mean() > 0.99


@pytest.mark.slow
def test_they_are_swept(drawn):
    found = sweep(drawn[0], (2, 3, 4), "ppca", n_factors=(1, Q), n_init=1, random_state=0)
    best = found.best()
    assert (best.n_components, best.n_factors) == (3, Q)


@pytest.mark.parametrize("settings", [{"prior": "conjugate"}, {"tails": "contaminated"}])
def test_what_needs_all_products_is_refused(settings, drawn):
    with pytest.raises(ValueError, match=r"cannot be fitted with 3 factors of 90 features"):
        GaussianMixture(2, covariance_type="ppca", n_factors=Q, **settings).fit(drawn[0])


@pytest.mark.slow
def test_no_matrix_of_all_features_is_made_for_each_component(tmp_path):
    d, k, q, n = 600, 40, 4, 700
    random = np.random.default_rng(0)
    x = random.normal(size=(n, d)).astype(np.float32)
    x += 10 * random.normal(size=(k, d))[random.integers(k, size=n)].astype(np.float32)
    store = zarr.create_array(tmp_path / "x.zarr", data=x, chunks=(350, d))
    settings = {"covariance_type": "factor", "n_factors": q, "random_state": 0, "max_iter": 1}
    planned = plan(store, k, **settings)
    assert planned.thread_nbytes < 8 * k * d * d
    means = np.array([x[i] for i in range(k)])
    tracemalloc.start()
    start = {"means_init": means, "sample_rows": 400, "tol": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mixture = GaussianMixture(k, **start, **settings).fit(store)
    mixture.save(tmp_path / "m.json")
    load_model(tmp_path / "m.json").predict(store)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * k * d * d


@pytest.mark.parametrize("init_params", ["kmeans", "random_from_data"])
@pytest.mark.parametrize("covariance_type", TYPES)
def test_a_constant_column_without_reg_covar_is_named(covariance_type, init_params, drawn):
    x = drawn[0].copy()
    x[:, 7] = 3.0
    settings = {"covariance_type": covariance_type, "n_factors": Q, "random_state": 0}
    mixture = GaussianMixture(3, init_params=init_params, reg_covar=0.0, **settings)
    if covariance_type == "factor" and init_params == "kmeans":
        with pytest.raises(ValueError, match="column 7 has a single value"):
            mixture.fit(x)
    elif covariance_type == "factor":
        with pytest.warns(DegenerateComponentWarning, match="collapsed onto rows without spread"):
            mixture.fit(x)
    else:
        assert np.isfinite(mixture.fit(x).score(x))
