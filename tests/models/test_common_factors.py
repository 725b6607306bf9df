"""Mixtures of common factor analysers: loadings and noise that all components share."""

import warnings
from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
import zarr
from numpy.testing import assert_allclose
from scipy.linalg import subspace_angles
from scipy.optimize import approx_fprime
from sklearn.decomposition import FactorAnalysis

import daskgmm.gaussian.covariance.algebra.projections as projections
from daskgmm import GaussianMixture, load_model, sweep
from daskgmm.cli import main
from daskgmm.gaussian.components.merging import merges
from daskgmm.gaussian.components.splitting import splits
from daskgmm.gaussian.covariance.low_rank.common_likelihood import Profile
from daskgmm.gaussian.covariance.structures import STRUCTURES
from tests.models.test_factors import rows as rows_of_factors

K, D, Q = 3, 8, 2

SETTINGS = {"covariance_type": "mcfa", "n_factors": Q, "random_state": 0}

ONE_START = {**SETTINGS, "init_params": "k-means++"}
"""No race of starts, which would take most of the time."""


class Truth:
    """A mixture of common factor analysers, and rows drawn from it."""

    def __init__(self, d=D, seed=0):
        random = np.random.default_rng(seed)
        self.loadings = random.normal(size=(Q, d))
        self.weights = np.array([0.5, 0.3, 0.2])
        self.latent_means = 4 * random.normal(size=(K, Q))
        self.latent_roots = random.normal(size=(K, Q, Q))
        self.noise = random.uniform(0.2, 1.0, size=d)
        self.means = 10 * random.normal(size=d) + self.latent_means @ self.loadings
        roots = np.einsum("kij,id->kjd", self.latent_roots, self.loadings)
        self.covariances = roots.swapaxes(1, 2) @ roots + np.diag(self.noise)

    def rows(self, n, seed=1):
        random = np.random.default_rng(seed)
        labels = random.choice(K, size=n, p=self.weights)
        factors = np.einsum("nij,nj->ni", self.latent_roots[labels], random.normal(size=(n, Q)))
        x = self.means[labels] + factors @ self.loadings
        return x + random.normal(size=x.shape) * np.sqrt(self.noise), labels


@pytest.fixture(scope="module")
def truth():
    return Truth()


@pytest.fixture(scope="module")
def x(truth):
    return truth.rows(1000)[0]


@pytest.fixture(scope="module")
def mixture(x):
    return GaussianMixture(K, **ONE_START, tol=1e-6).fit(x)


def assert_shared(mixture):
    """Assert that means and covariances are those of one subspace and one noise."""
    loadings, noise = mixture.factor_loadings_, mixture.noise_variance_
    center = mixture.weights_ @ mixture.means_
    means = center + mixture.factor_means_ @ loadings.T
    covariances = loadings @ mixture.factor_covariances_ @ loadings.T + np.diag(noise)
    scale = np.abs(covariances).max()
    assert_allclose(mixture.means_, means, atol=1e-8 * np.sqrt(scale), rtol=1e-9)
    assert_allclose(mixture.covariances_in_data_units(), covariances, atol=1e-7 * scale)


@pytest.mark.parametrize("limit", [64, 0])
def test_components_share_loadings_noise_and_center(x, limit, monkeypatch):
    monkeypatch.setattr(projections, "MOST_PRODUCTS", limit)
    found = GaussianMixture(K, **ONE_START).fit(x)
    assert_shared(found)
    assert found.factor_loadings_.shape == (D, Q)
    assert found.explained_variance_.shape == (Q,)
    assert_allclose(found.weights_ @ found.means_, x.mean(0), atol=1e-9)
    # Over all components the factors have the mean 0 and the covariance 1.
    means, covariances = found.factor_means_, found.factor_covariances_
    assert_allclose(found.weights_ @ means, 0.0, atol=1e-12)
    within = np.tensordot(found.weights_, covariances, 1)
    assert_allclose(within + (found.weights_ * means.T) @ means, np.eye(Q), atol=1e-10)
    gram = found.factor_loadings_.T / found.noise_variance_ @ found.factor_loadings_
    assert_allclose(gram, np.diag(np.diag(gram)), atol=1e-8 * gram.max())
    assert gram[0, 0] > gram[1, 1]


@pytest.mark.slow
@pytest.mark.parametrize("q", [1, 2, 3])
def test_one_component_is_factor_analysis(q):
    x, settings = rows_of_factors(q=q, k=1)[0], {"n_factors": q, "reg_covar": 0, "tol": 1e-9}
    found = GaussianMixture(covariance_type="mcfa", **settings).fit(x)
    reference = FactorAnalysis(q, svd_method="lapack", tol=1e-8, max_iter=20_000).fit(x)
    assert found.score(x) == pytest.approx(reference.score(x), abs=1e-6)
    assert_allclose(np.abs(found.transform(x)), np.abs(reference.transform(x)), atol=2e-2)
    factor = GaussianMixture(covariance_type="factor", **settings).fit(x)
    assert found._n_parameters() == factor._n_parameters()
    assert_allclose(found.factor_loadings_, factor.factor_loadings_[0], atol=2e-3)


@pytest.mark.slow
def test_parameters_come_back_within_three_standard_errors(truth):
    """Standard errors are those of estimates from other rows, begun at the truth."""
    structure = STRUCTURES["mcfa-2"]
    known = structure.precision.factorise(structure.precision.of_matrices(truth.covariances))
    begun = {"means_init": truth.means, "weights_init": truth.weights}
    begun["precisions_init"] = structure.precision.precisions(known)
    settings = {**SETTINGS, "tol": 1e-6}
    found = [
        deviations(GaussianMixture(K, **settings, **begun).fit(truth.rows(5000, seed)[0]), truth)
        for seed in range(10, 22)
    ]
    errors = [np.sqrt((np.array(each) ** 2).mean(0) / 20) for each in zip(*found, strict=True)]
    fine = GaussianMixture(K, **settings, **begun).fit(truth.rows(100_000)[0])
    for deviation, error in zip(deviations(fine, truth), errors, strict=True):
        assert np.abs(deviation / error).max() < 3
    assert np.rad2deg(subspace_angles(fine.factor_loadings_, truth.loadings.T)).max() < 1.0


def deviations(fit, truth):
    """Return weights, means, matrices and noise of a fit less those of the truth."""
    order = ((fit.means_[:, None] - truth.means) ** 2).sum(2).argmin(0)
    assert sorted(order) == [0, 1, 2]
    return (
        fit.weights_[order] - truth.weights,
        fit.means_[order] - truth.means,
        fit.covariances_in_data_units()[order] - truth.covariances,
        fit.noise_variance_ - truth.noise,
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_nested_mixtures_are_never_likelier(x, truth):
    settings = {"random_state": 0, "tol": 1e-6, "means_init": truth.means}
    bounds = []
    for q in (1, 2, 3):
        common, own = (
            GaussianMixture(K, covariance_type=each, n_factors=q, **settings).fit(x).score(x)
            for each in ("mcfa", "factor")
        )
        assert common <= own + 1e-6
        bounds.append(common)
    assert (np.diff(bounds) > -1e-6).all()


def test_parameters_are_counted_as_in_the_paper(mixture):
    # k - 1, d, q (d + k), k q (q + 1) / 2, less q^2; and a centre across the subspace.
    paper = K - 1 + D + Q * (D + K) + K * Q * (Q + 1) // 2 - Q**2
    assert mixture._n_parameters() == paper + D - Q


def test_the_m_step_has_the_gradient_of_its_objective():
    random = np.random.default_rng(0)
    roots, shares = random.normal(size=(K, 6, 12)), np.array([0.2, 0.3, 0.5])
    covariances, offsets = roots @ roots.swapaxes(1, 2) / 12, random.normal(size=(K, 6))
    offsets -= shares @ offsets
    variances = shares @ (np.diagonal(covariances, 0, 1, 2) + offsets**2)
    profile = Profile(shares, offsets, covariances, variances)
    loadings, logs = random.normal(size=(Q, 6)), np.log(variances * random.uniform(0.2, 0.6, 6))
    _, *gradients = profile(loadings, logs)

    def value(point):
        return profile.at(point[:-6].reshape(Q, 6), point[-6:]).value

    found = approx_fprime(np.concatenate([loadings.ravel(), logs]), value)
    assert_allclose(np.concatenate(gradients, axis=None), found, atol=1e-5)
    # f is -2 times the expected log-likelihood of the means and matrices that it stands for.
    at = profile.at(loadings, logs)
    axes = at.vectors * np.sqrt(at.noise)
    means = offsets / np.sqrt(at.noise) @ at.vectors.T @ axes
    expected = 0.0
    for k in range(K):
        matrix = axes.T @ at.within[k] @ axes + np.diag(at.noise)
        apart = offsets[k] - means[k]
        trace = np.trace(np.linalg.solve(matrix, covariances[k] + np.outer(apart, apart)))
        expected += shares[k] * (np.linalg.slogdet(matrix)[1] + trace)
    assert at.value == pytest.approx(expected, rel=1e-12)


@pytest.mark.slow
def test_projected_steps_end_where_exact_ones_do(monkeypatch):
    x = Truth(70).rows(1000)[0]
    found = GaussianMixture(K, **ONE_START, tol=1e-6).fit(x)
    monkeypatch.setattr(projections, "MOST_PRODUCTS", 1000)
    exact = GaussianMixture(K, **ONE_START, tol=1e-6).fit(x)
    assert found.score(x) == pytest.approx(exact.score(x), abs=1e-5)
    assert np.rad2deg(subspace_angles(found.factor_loadings_, exact.factor_loadings_)).max() < 0.1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("init_params", "limit"),
    [("kmeans", 64), ("random", 64), ("kmeans", 0), ("random_from_data", 0), ("k-means++", 0)],
)
def test_every_start_finds_the_components(init_params, limit, truth, monkeypatch):
    monkeypatch.setattr(projections, "MOST_PRODUCTS", limit)
    x, labels = truth.rows(500)
    found = GaussianMixture(K, **SETTINGS, init_params=init_params, n_init=2).fit(x).predict(x)
    table = np.array([np.bincount(found[labels == k], minlength=K) for k in range(K)])
    assert table.max(1).sum() > 0.93 * len(x)


def test_given_starts_are_moved_into_the_subspace(x, mixture):
    means = mixture.means_ + 0.5 * np.random.default_rng(0).normal(size=(K, D))
    started = {"means_init": means, "weights_init": mixture.weights_}
    found = GaussianMixture(K, **SETTINGS, **started, tol=1e-6).fit(x)
    assert_shared(found)
    assert found.score(x) == pytest.approx(mixture.score(x), abs=1e-4)
    assert np.diff(found.lower_bounds_).min() > -1e-9
    again = GaussianMixture(
        K, **SETTINGS, means_init=mixture.means_, weights_init=mixture.weights_,
        precisions_init=mixture.precisions_,
    ).fit(x)  # fmt: skip
    assert again.score(x) == pytest.approx(mixture.score(x), abs=1e-5)


@pytest.mark.parametrize("limit", [64, 0])
def test_rows_may_be_moved_and_scaled(x, limit, monkeypatch):
    monkeypatch.setattr(projections, "MOST_PRODUCTS", limit)
    settings = {**SETTINGS, "reg_covar": 0, "acceleration": None, "max_iter": 20}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one = GaussianMixture(K, **settings, init_params="random").fit(x)
        moved = GaussianMixture(K, **settings, init_params="random").fit(4 * x + 1000.0)
    assert_allclose(moved.means_, 4 * one.means_ + 1000.0, rtol=1e-6)
    assert_allclose(
        moved.covariances_in_data_units(), 16 * one.covariances_in_data_units(), rtol=1e-3,
        atol=1e-3,
    )  # fmt: skip


def test_latent_coordinates_are_posterior_means_in_common_axes(x, mixture):
    latent, labels = mixture.transform(x), mixture.predict(x)
    loadings, matrices = mixture.factor_loadings_, mixture.covariances_in_data_units()
    for k in range(K):
        own = labels == k
        gain = mixture.factor_covariances_[k] @ loadings.T @ np.linalg.inv(matrices[k])
        expected = mixture.factor_means_[k] + (x[own] - mixture.means_[k]) @ gain.T
        assert_allclose(latent[own], expected, rtol=1e-7, atol=1e-9)
    points = mixture.inverse_transform(latent, labels)
    assert_allclose(points, x.mean(0) + latent @ loadings.T, rtol=1e-9, atol=1e-8)
    assert ((x - points) ** 2).mean() < 1.2 * mixture.noise_variance_.mean()
    assert np.isnan(mixture.inverse_transform(latent, np.full(len(x), -1))).all()


def test_rows_are_drawn_from_it(mixture):
    drawn, labels = mixture.sample(50_000)
    own = drawn[labels == 1]
    matrix = mixture.covariances_in_data_units()[1]
    assert_allclose(own.mean(0), mixture.means_[1], atol=6 * np.sqrt(matrix.max() / len(own)))
    assert_allclose(np.cov(own.T), matrix, atol=0.1 * matrix.max())


def test_splits_and_merges_stay_in_the_structure(mixture):
    parameters = mixture._parameters()
    for other in [*splits(parameters, 2), *merges(parameters, 2)]:
        estimated = GaussianMixture(other.n_components, covariance_type="mcfa", n_factors=Q)
        estimated.weights_, estimated.means_ = other.weights, other.means
        estimated.covariances_ = other.covariances
        estimated.precisions_cholesky_ = other.precisions_cholesky
        estimated.n_features_in_ = D
        assert_shared(estimated)


@pytest.mark.slow
def test_it_is_swept_over_components_and_factors(x):
    found = sweep(x[:500], (2, 3), ("mcfa", "factor"), n_factors=[1, 2], n_init=1, random_state=0)
    with pytest.warns(match="the largest number that was tried"):
        best = found.best()
    assert (best.n_components, best.covariance_type, best.n_factors) == (K, "mcfa", Q)
    assert_shared(best)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("limit", [64, 0])
def test_noise_weights_and_equal_weights(x, limit, tmp_path, monkeypatch):
    monkeypatch.setattr(projections, "MOST_PRODUCTS", limit)
    x = x[:400]
    far = np.concatenate([x, np.random.default_rng(0).uniform(-200, 200, size=(40, D))])
    noisy = GaussianMixture(K, **ONE_START, noise=True, max_iter=30).fit(far)
    assert (noisy.predict(far[len(x) :]) == -1).mean() > 0.95
    assert np.isnan(noisy.transform(far)[noisy.predict(far) == -1]).all()
    weighed = GaussianMixture(K, **ONE_START).fit(x, sample_weight=np.full(len(x), 2.0))
    plain = GaussianMixture(K, **ONE_START).fit(x)
    assert weighed.score(x) == pytest.approx(plain.score(x), abs=1e-5)
    equal = GaussianMixture(K, **ONE_START, equal_weights=True).fit(x)
    assert_allclose(equal.weights_, 1 / K)
    equal.save(tmp_path / "m.json")
    assert_allclose(load_model(tmp_path / "m.json").transform(x), equal.transform(x), rtol=1e-12)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"prior": "conjugate"}, "prior='conjugate' cannot be fitted with 'mcfa-2'"),
        ({"tails": "t"}, "tails='t' cannot be fitted with 'mcfa-2'"),
        ({"tails": "contaminated"}, "tails='contaminated' cannot be fitted"),
        ({"n_factors": 8}, "n_factors is 8, and the model has 8 features"),
        ({"n_factors": None}, "needs a number of factors"),
    ],
)
def test_what_it_cannot_be_fitted_with_is_refused(x, settings, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixture(K, **{**SETTINGS, **settings}).fit(x)


def test_weights_alone_are_adapted(x, mixture):
    with pytest.raises(ValueError, match="Means of the structure 'mcfa-2' cannot be adapted"):
        mixture.map_adapt(x[:500])
    adapted = mixture.map_adapt(x[:500], parameters=("weights",))
    assert_allclose(adapted.means_, mixture.means_)


def test_others_have_no_factors_in_common(x):
    other = GaussianMixture(2, covariance_type="factor", n_factors=1, random_state=0).fit(x)
    assert not hasattr(other, "factor_means_")
    assert not hasattr(GaussianMixture(2, random_state=0).fit(x), "factor_covariances_")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("limit", [64, 0])
def test_model_files_and_checkpoints_give_the_same_bits(x, limit, tmp_path, monkeypatch):
    monkeypatch.setattr(projections, "MOST_PRODUCTS", limit)
    settings = {**ONE_START, "tol": 0.0, "max_iter": 8}
    whole = GaussianMixture(K, **settings).fit(x)
    whole.save(tmp_path / "m.json")
    loaded = load_model(tmp_path / "m.json")
    assert (loaded.covariance_type, loaded.n_factors) == ("mcfa", Q)
    for name in ("means_", "covariances_", "factor_loadings_", "factor_means_"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(whole, name))
    np.testing.assert_array_equal(loaded.transform(x), whole.transform(x))
    with pytest.warns(match="did not converge"):
        GaussianMixture(K, **{**settings, "max_iter": 1}).fit(x, checkpoint=tmp_path / "c")
    resumed = GaussianMixture(K, **settings).fit(x, checkpoint=tmp_path / "c")
    np.testing.assert_array_equal(resumed.covariances_, whole.covariances_)
    assert resumed.lower_bounds_ == whole.lower_bounds_
    chunked = GaussianMixture(K, **settings).fit(da.from_array(x, chunks=(700, D)))
    assert_allclose(chunked.covariances_, whole.covariances_, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("limit", [64, 0])
def test_a_constant_column_is_taken_with_reg_covar_and_named_without(x, limit, monkeypatch):
    monkeypatch.setattr(projections, "MOST_PRODUCTS", limit)
    x = x.copy()
    x[:, 3] = 5.0
    assert np.isfinite(GaussianMixture(K, **ONE_START).fit(x).score(x))
    with pytest.raises(ValueError, match="column 3 has a single value"):
        GaussianMixture(K, **SETTINGS, reg_covar=0.0).fit(x)


def test_it_is_on_the_command_line(x, tmp_path, monkeypatch, capsys):
    x = x[:300]
    zarr.create_array(tmp_path / "x.zarr", data=x, chunks=(100, D))
    monkeypatch.chdir(tmp_path)
    common = ["fit", "x.zarr", "-k", "3", "--covariance", "mcfa", "--n-factors", "2"]
    main([*common, "-o", "m.json"], standalone_mode=False)
    assert "mcfa-2 covariance" in capsys.readouterr().out
    predicted = ["predict", "m.json", "x.zarr", "--outputs", "latent", "--dtype", "float64"]
    main([*predicted, "-o", "p.zarr"], standalone_mode=False)
    latent = load_model("m.json").transform(x)
    assert_allclose(zarr.open_group("p.zarr")["latent"][:], latent, rtol=1e-9)


def test_one_component_without_spread_in_the_subspace():
    """The others tell its axes: it has the noise alone."""
    truth = Truth()
    truth.latent_roots[2] = 0.0
    found = GaussianMixture(K, **ONE_START).fit(truth.rows(1000)[0])
    assert_shared(found)
    narrow = np.linalg.eigvalsh(found.factor_covariances_).max(axis=1).min()
    assert narrow < 0.02


def test_covariances_that_share_nothing_are_made_to_share():
    structure = STRUCTURES["mcfa-2"]
    random = np.random.default_rng(0)
    noise = random.normal(size=(K, 90, 180))
    own = structure.precision.of_matrices(noise @ noise.swapaxes(1, 2) / 180)
    scatter = structure.scatter(own, np.ones(K), 90)
    found = structure.maximise(replace(scatter, means=random.normal(size=(K, 90))), own)
    assert structure.subspace(found).is_exact
    assert not structure.subspace(own).is_exact
