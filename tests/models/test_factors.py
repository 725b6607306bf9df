"""Mixtures of principal components and factor analysers, with the moments of all products."""

import warnings
from contextlib import closing

import numpy as np
import pytest
import zarr
from numpy.testing import assert_allclose
from scipy.stats import multivariate_normal
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA, FactorAnalysis

import daskgmm
import daskgmm.gaussian.covariance.algebra.projections as projections
from daskgmm import GaussianMixture, load_model, sweep
from daskgmm.cli import main
from daskgmm.companions import ALONE
from daskgmm.em.selection.choosing import combinations, starts_of
from daskgmm.errors import DataError, SettingError
from daskgmm.gaussian.covariance.low_rank.factor_analysis import factor_analysis, first_noise
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.kernels.workspace import HUGE_PAGE, tile_rows, workspace
from daskgmm.models.inputs.costs import cut, plan_of
from daskgmm.models.sweeps.request import all_at_once
from daskgmm.rows.arrays import ArrayRows

TYPES = ["ppca", "factor"]
"""Structures whose components have factors of their own."""

ALL = [*TYPES, "mcfa"]


def assert_never_falls(mixture, x):
    """Fit a mixture from one start, whatever it warns of, and compare its bounds."""
    mixture.set_params(init_params="k-means++")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mixture.fit(x)
    bounds = np.array(mixture.lower_bounds_)
    assert (np.diff(bounds) >= -1e-9 * np.maximum(1, np.abs(bounds[1:]))).all()


def rows(d=8, q=2, k=3, n=1000, seed=0, noise=(0.2, 1.0)):
    """Return rows of k factor analysers, their labels, loadings and noise."""
    random = np.random.default_rng(seed)
    means, loadings = 4 * random.normal(size=(k, d)), 1.5 * random.normal(size=(k, q, d))
    variances = random.uniform(*noise, size=(k, d))
    labels = random.integers(k, size=n)
    x = means[labels] + np.einsum("nq,nqd->nd", random.normal(size=(n, q)), loadings[labels])
    return x + random.normal(size=(n, d)) * np.sqrt(variances[labels]), labels, loadings, variances


@pytest.mark.parametrize("q", [1, 3, 7])
def test_one_component_is_principal_component_analysis(q):
    x = rows(n=20_000)[0]
    mixture = GaussianMixture(covariance_type="ppca", n_factors=q, reg_covar=0).fit(x)
    reference = PCA(q, svd_solver="full").fit(x)  # whose variances are divided by n - 1
    assert mixture.score(x) == pytest.approx(reference.score(x), abs=1e-6)
    assert_allclose(mixture.explained_variance_[0], reference.explained_variance_, rtol=1e-4)
    assert_allclose(mixture.noise_variance_[0], reference.noise_variance_, rtol=1e-4)
    along = mixture.factor_loadings_[0].T @ reference.components_.T
    lengths = np.sqrt(mixture.explained_variance_[0] - mixture.noise_variance_[0])
    assert_allclose(np.abs(along), np.diag(lengths), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("q", [1, 2, 3])
def test_one_component_is_factor_analysis(q):
    x = rows(q=q, k=1)[0]
    mixture = GaussianMixture(covariance_type="factor", n_factors=q, reg_covar=0, tol=1e-9).fit(x)
    reference = FactorAnalysis(q, svd_method="lapack", tol=1e-8, max_iter=20_000).fit(x)
    assert mixture.score(x) == pytest.approx(reference.score(x), abs=1e-6)
    loadings, theirs = mixture.factor_loadings_[0], reference.components_
    assert_allclose(loadings @ loadings.T, theirs.T @ theirs, atol=1e-3)
    assert_allclose(mixture.noise_variance_[0], reference.noise_variance_, atol=1e-3)


REFERENCES = {
    "ppca": lambda q: PCA(q, svd_solver="full"),
    "factor": lambda q: FactorAnalysis(q, svd_method="lapack", tol=1e-8, max_iter=5000),
}


@pytest.mark.slow
@pytest.mark.parametrize(("small", "limit"), [(1e-3, 0), (1e-5, 64)])
@pytest.mark.parametrize("covariance_type", TYPES)
def test_little_noise_is_found(covariance_type, limit, small, monkeypatch):
    monkeypatch.setattr(projections, "MOST_PRODUCTS", limit)
    random = np.random.default_rng(0)
    x = random.normal(size=(4000, 2)) @ random.normal(size=(2, 9))
    x += small * random.normal(size=x.shape)
    settings = {"covariance_type": covariance_type, "n_factors": 2, "reg_covar": 0, "tol": 1e-6}
    reference = REFERENCES[covariance_type](2).fit(x)
    one = GaussianMixture(**settings).fit(x)
    assert one.score(x) == pytest.approx(reference.score(x), abs=2e-5)
    assert_allclose(one.noise_variance_[0], reference.noise_variance_, rtol=2e-3)
    half = np.arange(len(x)) < 2000
    x[half] += 5.0 * random.normal(size=9)
    two = GaussianMixture(2, **settings, random_state=0).fit(x)
    parts = [REFERENCES[covariance_type](2).fit(x[half == each]) for each in (False, True)]
    best = np.mean(
        [part.score(x[half == each]) for part, each in zip(parts, (False, True), strict=True)]
    )
    assert two.score(x) == pytest.approx(best - np.log(2), abs=2e-3)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:FactorAnalysis did not converge")
@pytest.mark.parametrize("seed", range(2))
def test_where_a_feature_has_no_noise_the_likelihood_is_as_high(seed):
    """Heywood's case: the maximum is at the border."""
    x = rows(d=5, q=2, k=1, n=25, seed=seed)[0]
    settings = {"covariance_type": "factor", "n_factors": 2, "reg_covar": 0, "tol": 1e-9}
    mixture = GaussianMixture(**settings).fit(x)
    reference = FactorAnalysis(2, svd_method="lapack", tol=1e-9, max_iter=20_000).fit(x)
    assert mixture.score(x) > reference.score(x) - 1e-5


@pytest.mark.parametrize("covariance_type", TYPES)
def test_what_was_drawn_is_found(covariance_type):
    x, labels, loadings, variances = rows(n=6000)
    if covariance_type == "ppca":
        random = np.random.default_rng(1)
        variances = np.repeat(variances[:, :1], 8, axis=1)
        x = np.array([x[labels == k].mean(0) for k in range(3)])[labels]
        x = x + np.einsum("nq,nqd->nd", random.normal(size=(len(x), 2)), loadings[labels])
        x = x + random.normal(size=x.shape) * np.sqrt(variances[labels])
    settings = {"covariance_type": covariance_type, "n_factors": 2, "random_state": 0}
    mixture = GaussianMixture(3, tol=1e-5, **settings).fit(x)
    assert mixture.factor_loadings_.shape == (3, 8, 2)
    found = mixture.covariances_in_data_units()
    for k in range(3):
        own = np.bincount(mixture.predict(x)[labels == k]).argmax()
        true = loadings[k].T @ loadings[k] + np.diag(variances[k])
        assert_allclose(found[own], true, atol=6 * true.max() * np.sqrt(2 / 2000))
        noise = np.ravel(mixture.noise_variance_[own]).mean()
        assert_allclose(noise, variances[k].mean(), rtol=0.1)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_densities_are_those_of_the_matrices(covariance_type):
    x = rows()[0]
    settings = {"covariance_type": covariance_type, "n_factors": 3, "random_state": 0}
    mixture = GaussianMixture(3, **settings).fit(x)
    loadings, noise = mixture.factor_loadings_, mixture.noise_variance_.reshape(3, -1)
    matrices = loadings @ loadings.swapaxes(1, 2) + noise[:, :, None] * np.eye(8)
    assert_allclose(mixture.covariances_in_data_units(), matrices, atol=1e-12)
    densities = sum(
        weight * multivariate_normal(mean, matrix).pdf(x)
        for weight, mean, matrix in zip(mixture.weights_, mixture.means_, matrices, strict=True)
    )
    assert_allclose(mixture.score_samples(x), np.log(densities), rtol=1e-9)
    drawn, labels = mixture.sample(50_000)
    assert_allclose(np.cov(drawn[labels == 1].T), matrices[1], atol=0.1 * matrices[1].max())


@pytest.mark.slow
@pytest.mark.parametrize("k", [1, 3])
def test_nested_mixtures_are_never_likelier(k):
    x, settings = rows(noise=(0.1, 3.0))[0], {"random_state": 0, "tol": 1e-6, "max_iter": 500}
    bounds = []
    for q in (1, 2, 4, 7):
        ends = [
            GaussianMixture(k, covariance_type=each, n_factors=q, **settings).fit(x).score(x)
            for each in TYPES
        ]
        assert ends[0] <= ends[1] + 1e-6
        bounds.append(ends)
    full = GaussianMixture(k, **settings).fit(x).score(x)
    diagonal = GaussianMixture(k, covariance_type="diag", **settings).fit(x).score(x)
    assert (np.diff([*bounds, [full, full]], axis=0) > -1e-6).all()
    assert diagonal < bounds[-1][1]
    assert bounds[-1] == pytest.approx([full, full], abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("covariance_type", "seed"),
    [(each, seed + 4 * ((i + seed) % 2)) for i, each in enumerate(ALL) for seed in range(4)],
)
def test_the_likelihood_never_falls(covariance_type, seed):
    random = np.random.default_rng(seed)
    d = int(random.integers(3, 9))
    x = rows(d, 1, 2, n=int(random.integers(30, 300)), seed=seed)[0]
    kind = seed % 4
    if kind == 1:
        x[:, 0] = x[:, 1]
    elif kind == 2:
        x = np.round(x) * 1e6
    elif kind == 3:
        x[: len(x) // 2] = x[0]
        x[:, -1] = 5.0
    q, k = int(random.integers(1, d)), int(random.integers(1, 5))
    mixture = GaussianMixture(
        k, covariance_type=covariance_type, n_factors=q, reg_covar=(1e-6, 1e-2)[seed // 4],
        random_state=seed, max_iter=60,
    )  # fmt: skip
    assert_never_falls(mixture, x)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_model_files_and_checkpoints_give_the_same_bits(covariance_type, tmp_path):
    x = rows()[0]
    settings = {"covariance_type": covariance_type, "n_factors": 2, "random_state": 0, "tol": 1e-6}
    whole = GaussianMixture(3, **settings).fit(x)
    whole.save(tmp_path / "m.json")
    loaded = load_model(tmp_path / "m.json")
    assert (loaded.covariance_type, loaded.n_factors) == (covariance_type, 2)
    for name in ("covariances_", "precisions_", "precisions_cholesky_", "factor_loadings_"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(whole, name))
    np.testing.assert_array_equal(loaded.predict_proba(x), whole.predict_proba(x))
    with pytest.warns(match="did not converge"):
        GaussianMixture(3, **settings, max_iter=1).fit(x, checkpoint=tmp_path / "c")
    resumed = GaussianMixture(3, **settings).fit(x, checkpoint=tmp_path / "c")
    np.testing.assert_array_equal(resumed.covariances_, whole.covariances_)
    assert resumed.lower_bounds_ == whole.lower_bounds_


def test_damaged_files_are_refused(tmp_path):
    x = rows()[0]
    mixture = GaussianMixture(2, covariance_type="factor", n_factors=2, random_state=0).fit(x)
    mixture.covariances_[1, -1, 3] = -1.0
    with pytest.raises(ValueError, match="component 1 has a variance below 0"):
        mixture.save(tmp_path / "m.json")
    mixture.covariances_[1, -1, 3] = 1.0
    mixture.n_factors = 3
    with pytest.raises(ValueError, match="'factor-3' after a fit with 'factor-2'"):
        mixture.predict(x)


@pytest.mark.slow
def test_they_are_swept_over_the_number_of_factors():
    x, names = rows(n=300)[0], {f"{each}-{q}" for each in TYPES for q in (1, 2, 3)}
    found = sweep(x, (2, 3), TYPES, n_init=1, n_factors=[1, 2, 3], random_state=0)
    assert set(found.table["covariance_type"]) == names
    with pytest.warns(match="the largest number that was tried"):
        best = found.best()
    assert (best.n_components, best.covariance_type, best.n_factors) == (3, "factor", 2)
    # k - 1, k d, and for each component d q - q (q - 1) / 2 + d.
    assert best._n_parameters() == 2 + 24 + 3 * (16 - 1 + 8)
    again = GaussianMixture(3, covariance_type="factor", n_factors=2, random_state=0).fit(x)
    assert best.score(x) == pytest.approx(again.score(x), abs=2e-3)
    mixed = sweep(x, 3, ("full", "ppca"), n_init=1, n_factors=2, random_state=0)
    assert set(mixed.table["covariance_type"]) == {"full", "ppca-2"}


def test_it_is_on_the_command_line(tmp_path, monkeypatch, capsys):
    x = rows(n=400)[0]
    zarr.create_array(tmp_path / "x.zarr", data=x, chunks=(200, 8))
    monkeypatch.chdir(tmp_path)
    common = ["x.zarr", "-k", "3", "--covariance"]
    main(["fit", *common, "ppca", "--n-factors", "2", "-o", "m.json"], standalone_mode=False)
    fitted = load_model("m.json")
    assert (fitted.covariance_type, fitted.n_factors) == ("ppca", 2)
    assert "ppca-2 covariance" in capsys.readouterr().out
    main(["sweep", *common, "factor", "--n-factors", "1-3", "-o", "s.json"], standalone_mode=False)
    assert load_model("s.json").n_factors == 2


BAD = [
    ({"covariance_type": "ppca"}, "needs a number of factors"),
    ({"covariance_type": "factor", "n_factors": 0}, "n_factors is 0"),
    ({"covariance_type": "factor", "n_factors": True}, "n_factors is True"),
    ({"covariance_type": "ppca", "n_factors": 2.5}, "n_factors is 2.5"),
    ({"covariance_type": "ppca", "n_factors": [1, 2]}, r"n_factors is \[1, 2\]"),
    ({"covariance_type": "ppca", "n_factors": 8}, "n_factors is 8, and the model has 8 features"),
    ({"covariance_type": "factor", "n_factors": 3, "pca": 3}, "the model has 3 features"),
    ({"n_factors": 2}, "covariance_type='full', which has no factors"),
    ({"covariance_type": "ppca-2"}, "covariance_type"),
]


@pytest.mark.parametrize(("settings", "message"), BAD)
def test_bad_numbers_of_factors_are_refused_before_a_byte_is_read(settings, message):
    class Unread(np.ndarray):
        def __getitem__(self, index):
            raise AssertionError("rows were read")

    x = rows(n=50)[0].view(Unread)
    with pytest.raises(ValueError, match=message) as raised:
        GaussianMixture(**settings).fit(x)
    of_daskgmm = (SettingError, DataError)
    assert isinstance(raised.value, of_daskgmm) or settings["covariance_type"] == "ppca-2"
    with pytest.raises(ValueError, match=message):
        daskgmm.plan(np.asarray(x), **settings)


def test_sweeps_refuse_bad_numbers_of_factors_as_fits_do():
    x = rows(n=50)[0]
    for types, factors in [("ppca", 0), ("full", 2), ("ppca", None), ("ppca", [])]:
        with pytest.raises(SettingError, match="n_factors"):
            sweep(x, 2, types, n_factors=factors)
    with pytest.raises(SettingError, match="covariance_type is"):
        sweep(x, 2, "round")
    with pytest.raises(DataError, match="n_factors is 8, and the model has 8 features"):
        sweep(x, 2, "ppca", n_factors=[1, 8])


def test_other_mixtures_have_no_factors():
    mixture = GaussianMixture().fit(rows()[0])
    for name in ("factor_loadings_", "noise_variance_", "explained_variance_"):
        assert not hasattr(mixture, name)
    assert not hasattr(GaussianMixture(covariance_type="ppca", n_factors=2), "factor_loadings_")


def test_scikit_learn_gets_the_matrices():
    x = rows()[0]
    mixture = GaussianMixture(3, covariance_type="factor", n_factors=2, random_state=0).fit(x)
    with pytest.warns(match="no covariance_type='factor-2'"):
        reference = mixture.to_sklearn()
    assert_allclose(reference.score_samples(x), mixture.score_samples(x), rtol=1e-9)


def test_covariances_without_correlations_are_fitted_exactly():
    """As of principal axes: at the start all eigenvalues are equal, and q of them are kept."""
    covariance = np.diag([4.0, 1.0, 0.25])
    loadings, noise = factor_analysis(covariance, 1, first_noise(covariance, 1))
    assert_allclose(loadings.T @ loadings + np.diag(noise), covariance, rtol=1e-12, atol=1e-12)


def test_a_flat_saddle_point_is_left():
    """From this noise steps of positive curvature alone stay near it for hundreds of steps."""
    random = np.random.default_rng(2921)
    root = random.normal(size=(4, 8))
    covariance = root @ root.T / 8
    noise = np.diag(covariance) * random.uniform(0.1, 0.9, 4)

    def end(begin):
        loadings, found = factor_analysis(covariance, 2, begin)
        matrix = loadings.T @ loadings + np.diag(found)
        return np.linalg.slogdet(matrix)[1] + np.trace(np.linalg.solve(matrix, covariance))

    assert end(noise) == pytest.approx(end(first_noise(covariance, 2)), abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("covariance_type", ALL)
def test_principal_axes_have_factors(covariance_type):
    """Of two axes a component with one factor has as many covariances as a full one."""
    x = load_iris().data
    settings = {"standardise": True, "random_state": 0}
    for pca in (2, 3):
        full = GaussianMixture(2, pca=pca, **settings).fit(x)
        mixture = GaussianMixture(
            2, covariance_type=covariance_type, n_factors=1, pca=pca, **settings
        ).fit(x)
        if covariance_type != "mcfa" and pca == 2:
            assert_allclose(mixture.score(x), full.score(x), rtol=1e-9)
        assert mixture.score(x) < full.score(x) + 1e-9


@pytest.mark.parametrize("covariance_type", ALL)
def test_predictions_of_many_features_are_those_of_the_matrices(covariance_type):
    x = rows(d=70, n=300)[0]
    settings = {"covariance_type": covariance_type, "n_factors": 2, "random_state": 0}
    mixture = GaussianMixture(3, tol=1.0, **settings).fit(x)
    matrices = mixture.covariances_in_data_units()
    joint = np.stack(
        [
            np.log(weight) + multivariate_normal(mean, matrix).logpdf(x)
            for weight, mean, matrix in zip(mixture.weights_, mixture.means_, matrices, strict=True)
        ],
        axis=1,
    )
    assert_allclose(mixture.score_samples(x), np.logaddexp.reduce(joint, 1), rtol=1e-10)
    assert (mixture.predict(x) == joint.argmax(1)).all()


@pytest.mark.parametrize("covariance_type", ["factor", "mcfa"])
@pytest.mark.parametrize("d", [3, 4, 6])
def test_columns_without_correlations_have_noise_alone(covariance_type, d):
    """All axes are as long as each other, so that the likelihood has no second derivatives."""
    x = np.concatenate([np.eye(d), -np.eye(d)]) * np.sqrt(d) * np.arange(1.0, d + 1)
    settings = {"covariance_type": covariance_type, "n_factors": d - 1, "reg_covar": 0.0}
    found = GaussianMixture(1, **settings).fit(x)
    variances = np.arange(1.0, d + 1) ** 2
    best = -0.5 * (d * np.log(2 * np.pi) + np.log(variances).sum() + d)
    assert found.score(x) == pytest.approx(best, rel=1e-9)
    assert_allclose(found.covariances_in_data_units().reshape(d, d), np.diag(variances), atol=1e-6)


def test_the_plan_of_a_sweep_has_the_buffers_of_each_mixture():
    """Those of 1 to 30 components of 100 features stand alone, and begin pages of 2 MiB."""
    sizes, d, structure, pages = range(1, 31), 100, STRUCTURES["factor-2"], 0
    for k in sizes:
        b = tile_rows(structure.n_statistics(d), k, structure.least_tile_rows(d))
        with workspace(structure.n_buffer_rows(k, d), k, d, b) as work:
            held = sum(part.nbytes for part in (work.rows, work.features, work.joint, work.turned))
            pages += -(-held // HUGE_PAGE)
    estimator = GaussianMixture(1, covariance_type="factor", n_factors=2)
    candidates = combinations(sizes, ["factor-2"], estimator._settings())
    together = all_at_once(candidates, d)
    with closing(cut(ArrayRows(np.zeros((1000, d))), ALONE, together)) as data:
        planned = plan_of(data, together, starts_of(candidates, d, 1000), candidates)
    assert planned.thread_nbytes > pages * HUGE_PAGE
