"""`missing="marginalise"`: fits and predictions with the values that rows have."""

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from scipy.stats import multivariate_normal

from daskgmm import BayesianGaussianMixture, GaussianMixture, open_data, plan, sweep
from daskgmm.errors import DataError, SettingError
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.models.model_file import load_model
from tests.gaussian.missing.test_marginal_moments import moments_row_by_row
from tests.promises.slow import bits
from tests.promises.stopping import Stop, stop_after

pytestmark = [pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")]

K, D = 2, 3


def complete(n=1500, seed=0):
    """Return rows (n, D) of two correlated clusters."""
    random = np.random.default_rng(seed)
    factor = np.array([[1.0, 0, 0], [0.8, 0.6, 0], [-0.5, 0.3, 0.7]])
    x = random.normal(size=(n, D)) @ factor.T
    x[n // 3 :] += 2.5, -1.0, 3.0
    return x[random.permutation(n)]


def with_gaps(x, part=0.2, seed=1):
    return np.where(np.random.default_rng(seed).random(x.shape) < part, np.nan, x)


X = complete()
GAPS = with_gaps(X)
SOME = ~np.isnan(GAPS).all(axis=1)


def mixture(**settings):
    return GaussianMixture(
        **{"n_components": K, "missing": "marginalise", "random_state": 0} | settings
    )


@pytest.mark.slow
def test_five_iterations_are_those_of_a_reference_row_by_row():
    weights, means = np.array([0.4, 0.6]), np.array([[0.0, 0, 0], [2, -1, 2]])
    covariances = np.stack([np.eye(D), 2 * np.eye(D)])
    given = {"weights_init": weights, "means_init": means}
    given["precisions_init"] = np.linalg.inv(covariances)
    settings = {"acceleration": None, "tol": 0.0, "max_iter": 5, "reg_covar": 0.0}
    found = mixture(**given, **settings).fit(GAPS[:300])
    rows = GAPS[:300][SOME[:300]]
    for _ in range(5):
        moments = moments_row_by_row(rows, weights, means, covariances)
        counts, first, second, total = moments
        weights, means = counts / len(rows), first / counts[:, None]
        covariances = second / counts[:, None, None] - means[:, :, None] * means[:, None]
    np.testing.assert_allclose(found.weights_, weights, rtol=1e-10)
    np.testing.assert_allclose(found.means_, means, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(found.covariances_, covariances, rtol=1e-10, atol=1e-10)
    assert found.lower_bounds_[-1] == pytest.approx(total / len(rows), rel=1e-12)


@pytest.mark.parametrize("acceleration", ["auto", None])
def test_a_monotone_pattern_has_the_closed_form_of_factored_likelihoods(acceleration):
    """Anderson 1957: of (x, y) with y missing in some rows, y is regressed on x."""
    random = np.random.default_rng(3)
    x = random.normal(5, 2, size=400)
    y = 1 + 0.7 * x + random.normal(size=400)
    rows = np.column_stack([x, np.where(x > 6, np.nan, y)])
    seen = x <= 6
    slope = np.cov(x[seen], y[seen], bias=True)
    slope, left = slope[0, 1] / slope[0, 0], slope[1, 1] - slope[0, 1] ** 2 / slope[0, 0]
    mean = y[seen].mean() + slope * (x.mean() - x[seen].mean())
    cross = slope * x.var()
    covariance = [[x.var(), cross], [cross, left + slope * cross]]
    settings = {"tol": 1e-14, "max_iter": 2000, "reg_covar": 0.0, "acceleration": acceleration}
    found = mixture(n_components=1, **settings).fit(rows)
    np.testing.assert_allclose(found.means_[0], [x.mean(), mean], rtol=1e-6)
    np.testing.assert_allclose(found.covariances_[0], covariance, rtol=1e-6)


@pytest.mark.slow
def test_means_are_right_where_those_of_filled_rows_are_far_off():
    """Values are missing at random given the first column, 20 % of them."""
    random = np.random.default_rng(5)
    n = 20_000
    x = complete(n, 5)
    gaps = x.copy()
    chance = 0.6 / (1 + np.exp(-2 * (x[:, 0] - 1.2)))
    gaps[random.random(n) < chance, 1:] = np.nan  # blocks of columns missing together
    truth = mixture(tol=1e-7).fit(x)
    found = mixture(tol=1e-7).fit(gaps)
    filled = np.where(np.isnan(gaps), np.nanmean(gaps, axis=0), gaps)
    imputed = mixture(tol=1e-7).fit(filled)
    errors = np.sqrt(truth.covariances_[:, range(D), range(D)] / (n * truth.weights_[:, None]))
    truth_means = np.array([[0.0, 0, 0], [2.5, -1, 3]])

    def off(each):
        order = np.argsort(each.means_[:, 0])
        return np.abs(each.means_[order] - truth_means) / errors[np.argsort(truth.means_[:, 0])]

    assert 0.12 < np.isnan(gaps).mean() < 0.4
    assert off(found).max() < 3
    assert off(imputed).max() > 10


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::daskgmm.errors.ScaleWarning")
@pytest.mark.filterwarnings("ignore::daskgmm.errors.DegenerateComponentWarning")
@pytest.mark.parametrize(
    ("structure", "acceleration"),
    [
        *((each, None) for each in STRUCTURES),
        *((each, "auto") for each in ("full", "tied", "diag", "spherical", "EVE")),
    ],
)
def test_the_objective_never_falls(structure, acceleration):
    settings = {"covariance_type": structure, "acceleration": acceleration}
    # Without reg_covar plain EM is exact; accelerated, it is so with it.
    reg_covar = 0.05 if acceleration else 0.0
    if acceleration:
        settings |= {"init_params": "k-means++", "n_init": 1}
    settings |= {"reg_covar": reg_covar, "max_iter": 30}
    found = mixture(n_components=3, tol=1e-7, **settings).fit(GAPS[:500])
    bounds = np.array(found.lower_bounds_)
    assert len(bounds) > 3
    assert (np.diff(bounds) > -1e-10).all()


@pytest.mark.parametrize("structure", ["full", "tied", "diag", "spherical"])
def test_acceleration_ends_where_plain_em_does(structure):
    settings = {"covariance_type": structure, "max_iter": 3000, "tol": 1e-11, "reg_covar": 1e-12}
    plain = mixture(acceleration=None, **settings).fit(GAPS)
    fast = mixture(**settings).fit(GAPS)
    assert fast.lower_bound_ == pytest.approx(plain.lower_bound_, abs=1e-7)
    np.testing.assert_allclose(fast.means_, plain.means_, atol=1e-3)


@pytest.mark.parametrize("structure", ["full", "tied", "diag"])
@pytest.mark.filterwarnings("ignore::daskgmm.errors.DegenerateComponentWarning")
@pytest.mark.filterwarnings("ignore::daskgmm.errors.ScaleWarning")
def test_criteria_are_those_of_what_rows_have_without_the_noise_of_reg_covar(structure):
    settings = {"covariance_type": structure, "reg_covar": 0.05, "max_iter": 1000}
    found = mixture(tol=1e-12, **settings).fit(GAPS)
    assert found.criteria_["log_likelihood"] == pytest.approx(found.score(GAPS), abs=1e-6)
    assert found.lower_bound_ < found.score(GAPS) - 0.02


@pytest.mark.parametrize("prior", ["conjugate", "dirichlet"])
def test_a_prior_is_added_to_what_is_expected(prior):
    found = mixture(prior=prior, tol=1e-7).fit(GAPS)
    assert (np.diff(found.lower_bounds_) > -1e-10).all()


@pytest.mark.parametrize("structure", ["full", "tied", "diag", "VVE"])
def test_rows_without_gaps_give_the_bits_of_error(structure):
    settings = {"covariance_type": structure, "standardise": structure == "diag"}
    plain = mixture(missing="error", **settings).fit(X)
    found = mixture(**settings).fit(X)
    assert bits(found) == bits(plain)
    np.testing.assert_array_equal(found.predict_proba(X), plain.predict_proba(X))


def test_chunks_change_rounding_alone():
    cut = da.from_array(GAPS, chunks=(113, D))
    one, other = mixture(tol=1e-9).fit(GAPS), mixture(tol=1e-9).fit(cut)
    np.testing.assert_allclose(one.means_, other.means_, rtol=1e-6)


@pytest.mark.parametrize("structure", ["full", "tied", "diag"])
def test_regression_is_given_what_rows_have(structure):
    """Mean and variance are those of the conditional mixture of each row alone."""
    found = mixture(covariance_type=structure, standardise=True).fit(GAPS)
    x = GAPS[:40, :2].copy()
    x[3] = np.nan
    result = found.regress(x, targets=[2])
    for i, row in enumerate(x):
        values = {j: value for j, value in enumerate(row) if not np.isnan(value)}
        if not values:
            assert all(np.isnan(each[i]).all() for each in result)
            continue
        rest = found.condition(values).marginal([2 - len(values)])
        means, variances = rest.means_[:, 0], np.ravel(rest.covariances_)
        mean = rest.weights_ @ means
        variance = rest.weights_ @ (variances + (means - mean) ** 2)
        assert result.mean[i, 0] == pytest.approx(mean, rel=1e-9)
        assert result.variance[i, 0] == pytest.approx(variance, rel=1e-9)
        density = found.marginal([*values]).score_samples(row[None, [*values]])
        assert result.log_density[i] == pytest.approx(density[0], rel=1e-9)


def test_whole_weights_are_repeated_rows():
    counts = np.random.default_rng(0).integers(0, 4, len(GAPS))
    settings = {"means_init": [[0, 0, 0], [2, -1, 2]], "acceleration": None, "max_iter": 4}
    settings |= {"weights_init": [0.5, 0.5], "precisions_init": np.stack([np.eye(D)] * 2)}
    weighted = mixture(**settings).fit(GAPS, sample_weight=counts, weights_are="counts")
    repeated = mixture(**settings).fit(np.repeat(GAPS, counts, axis=0))
    np.testing.assert_allclose(weighted.covariances_, repeated.covariances_, rtol=1e-10)
    assert weighted.score(GAPS, sample_weight=counts) == pytest.approx(
        repeated.score(np.repeat(GAPS, counts, axis=0))
    )


@pytest.mark.slow
def test_what_was_interrupted_goes_on_to_the_same_bits(tmp_path):
    settings = {"max_iter": 6, "tol": 0.0}
    alone = mixture(**settings).fit(GAPS)
    with pytest.raises(Stop):
        mixture(**settings).fit(GAPS, checkpoint=tmp_path / "c", listen=stop_after(2))
    again = mixture(**settings).fit(GAPS, checkpoint=tmp_path / "c")
    assert bits(again) == bits(alone)


def test_starts_on_a_sample_that_is_drawn():
    x = with_gaps(complete(30_000, 7), seed=8)
    found = mixture(sample_rows=500, tol=1e-6).fit(x)
    order = np.argsort(found.means_[:, 0])
    np.testing.assert_allclose(found.means_[order], [[0, 0, 0], [2.5, -1, 3]], atol=0.1)


def log_densities(found, x):
    """Return log p of what each row has, and the responsibilities, by SciPy."""
    joint = np.empty((len(x), K))
    for i, row in enumerate(x):
        o = np.flatnonzero(~np.isnan(row))
        for k in range(K):
            seen = found.covariances_[k][np.ix_(o, o)]
            joint[i, k] = multivariate_normal.logpdf(row[o], found.means_[k, o], seen)
    joint += np.log(found.weights_)
    log_p = np.logaddexp.reduce(joint, axis=1)
    return log_p, np.exp(joint - log_p[:, None])


def test_predictions_are_of_what_rows_have():
    found, x = mixture().fit(GAPS), GAPS[SOME][:200]
    log_p, gamma = log_densities(found, x)
    np.testing.assert_allclose(found.score_samples(x), log_p, rtol=1e-10)
    np.testing.assert_allclose(found.predict_proba(x), gamma, atol=1e-10)
    np.testing.assert_array_equal(found.predict(x), gamma.argmax(axis=1))
    assert found.score(x) == pytest.approx(log_p.mean())


def expected(found, x):
    filled, (_, gamma) = x.copy(), log_densities(found, x)
    for i, row in enumerate(x):
        o, m = np.flatnonzero(~np.isnan(row)), np.flatnonzero(np.isnan(row))
        parts = [
            found.means_[k, m]
            + found.covariances_[k][np.ix_(m, o)]
            @ np.linalg.solve(found.covariances_[k][np.ix_(o, o)], row[o] - found.means_[k, o])
            for k in range(K)
        ]
        filled[i, m] = gamma[i] @ np.array(parts)
    return filled


def test_impute_is_the_conditional_mean_and_keeps_what_is_observed():
    found, x = mixture().fit(GAPS), GAPS[SOME][:200]
    filled = found.impute(x)
    np.testing.assert_allclose(filled, expected(found, x), rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(filled[~np.isnan(x)], x[~np.isnan(x)])
    np.testing.assert_array_equal(found.impute(X), X)


@pytest.mark.parametrize(
    "settings",
    [{}, {"covariance_type": "diag"}, {"covariance_type": "tied", "standardise": True}],
    ids=str,
)
@pytest.mark.parametrize("seed", [None, 5])
@pytest.mark.parametrize("far", [False, True])
def test_imputed_rows_have_the_same_bits_whatever_is_beside_them(settings, seed, far):
    """Of row i in chunks of any length, also where some rows need another kernel than others."""
    found, x = mixture(**settings).fit(GAPS), GAPS[SOME][:701].copy()
    if far:
        x[300:310] *= 1e9
    how = {} if seed is None else {"random_state": seed}
    wanted = found.impute(x, **how)
    assert np.isfinite(wanted).all()
    for length in (1, 7, 100, len(x)):
        first = min(100 * length, len(x))
        lazy = da.from_array(x[:first], chunks=(length, D))
        np.testing.assert_array_equal(found.impute(lazy, **how).compute(), wanted[:first])
    if seed is None:  # draws depend on the numbers of rows
        order = np.random.default_rng(0).permutation(len(x))
        np.testing.assert_array_equal(found.impute(x[order]), wanted[order])
        ones = np.concatenate([found.impute(row[None]) for row in x[:50]])
        np.testing.assert_array_equal(ones, wanted[:50])


def test_imputed_values_are_nearer_than_means():
    found, missing = mixture().fit(GAPS), np.isnan(GAPS) & SOME[:, None]
    errors = (found.impute(GAPS) - X)[missing]
    of_means = (np.nanmean(GAPS, axis=0) - X)[missing]
    assert np.sqrt(np.mean(errors**2)) < 0.7 * np.sqrt(np.mean(of_means**2))


def test_standardised_rows_are_imputed_in_their_own_units():
    scales, origin = np.array([1.0, 1e3, 1e-2]), np.array([0.0, 1e5, 0])
    plain = mixture(tol=1e-9, reg_covar=0.0).fit(GAPS)
    found = mixture(tol=1e-9, reg_covar=0.0, standardise=True).fit(GAPS * scales + origin)
    filled = (found.impute(GAPS * scales + origin) - origin) / scales
    np.testing.assert_allclose(filled, plain.impute(GAPS), atol=1e-3)


def test_rows_without_any_value_tell_nothing():
    x = np.concatenate([GAPS[SOME], np.full((50, D), np.nan)])
    found = mixture().fit(x)
    assert bits(found) == bits(mixture().fit(GAPS[SOME]))
    assert found.fitted_on_["missing"] == 50
    assert found.fitted_on_["rows"] == SOME.sum()
    assert (found.predict(x)[-50:] == -1).all()
    assert np.isnan(found.impute(x)[-50:]).all()
    assert np.isnan(found.score_samples(x)[-50:]).all()
    assert found.score(x) == pytest.approx(found.score(GAPS[SOME]))


def test_lazy_rows_are_imputed_lazily():
    found, lazy = mixture().fit(GAPS), da.from_array(GAPS, chunks=(400, D))
    filled = found.impute(lazy)
    assert isinstance(filled, da.Array)
    assert filled.chunks[0] == lazy.chunks[0]
    np.testing.assert_allclose(filled.compute(), found.impute(GAPS), rtol=1e-12)


@pytest.mark.parametrize("lazy", [False, True], ids=["", "lazy"])
def test_imputed_grids_are_named_as_they_were(lazy):
    names = ["red", "green", "blue"]
    image = xr.DataArray(
        GAPS[:600].reshape(20, 30, D).transpose(2, 0, 1), dims=("band", "y", "x"),
        coords={"band": names, "y": np.arange(20) * 0.5},
    )  # fmt: skip
    image = image.chunk(y=7) if lazy else image
    found = mixture().fit(image, feature_dims=("band",))
    filled = found.impute(image)
    assert filled.dims == image.dims
    assert list(filled["band"].values) == names
    assert (filled.chunks is not None) == lazy
    xr.testing.assert_allclose(filled.where(image.notnull()), image)
    rows = found.impute(pd.DataFrame(GAPS[:600], columns=found.feature_names_in_))
    np.testing.assert_allclose(filled.transpose("y", "x", "band").values.reshape(-1, D), rows)
    data = xr.Dataset({name: image.sel(band=name, drop=True) for name in names})
    filled = mixture().fit(data).impute(data)
    assert filled.dims == ("y", "x", "column")
    assert list(filled["column"].values) == names


def test_imputed_rows_in_zarr_and_parquet(tmp_path):
    found = mixture().fit(GAPS)
    wanted = found.impute(GAPS)
    outputs = {"outputs": ("label", "imputed"), "dtype": "float64"}
    found.predict_to_zarr(GAPS, tmp_path / "p.zarr", **outputs)
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "p.zarr/imputed")[:], wanted)
    table = pd.DataFrame(GAPS, columns=["a", "b", "c"])
    table.to_parquet(tmp_path / "x.parquet")
    named = mixture().fit(table)
    named.predict_to_parquet(tmp_path / "x.parquet", tmp_path / "p.parquet", **outputs)
    written = pd.read_parquet(tmp_path / "p.parquet")
    np.testing.assert_allclose(written[["a", "b", "c"]], wanted, rtol=1e-9)
    named.predict_to_parquet(tmp_path / "x.parquet", tmp_path / "d.parquet", ("imputed",))
    pd.testing.assert_frame_equal(
        pd.read_parquet(tmp_path / "d.parquet"), written[["a", "b", "c"]], check_exact=True
    )
    with pytest.raises(ValueError, match="key 'a'"):
        named.predict_to_parquet(tmp_path / "x.parquet", tmp_path / "q", ("imputed",), key="a")


@pytest.mark.parametrize(
    ("dtype", "written"), [(None, "f8"), ("uint8", "f8"), ("float64", "f8"), ("float32", "f4")]
)
def test_values_that_are_there_are_imputed_as_they_are(tmp_path, dtype, written):
    """Days since 4713 BC have minutes, which float32 lacks: only who asks for it gets it."""
    days = GAPS + 2451545.1234
    found = mixture().fit(days)
    outputs = ("posterior", "imputed")
    found.predict_to_zarr(days, tmp_path / "p.zarr", outputs, dtype=dtype)
    filled = zarr.open_array(tmp_path / "p.zarr/imputed")[:]
    assert filled.dtype == written
    np.testing.assert_array_equal(filled, found.impute(days).astype(written))
    posterior = zarr.open_array(tmp_path / "p.zarr/posterior")
    assert posterior.dtype == (dtype or "float32")


def test_declared_missing_values_are_gaps(tmp_path):
    fill = -999.0
    raw = np.where(np.isnan(GAPS), fill, GAPS)
    grid = xr.Dataset({f"b{j}": ("row", raw[:, j], {"_FillValue": fill}) for j in range(D)})
    grid.to_zarr(tmp_path / "x.zarr", consolidated=False)
    opened = open_data(tmp_path / "x.zarr", variables=["b0", "b1", "b2"])
    found = mixture().fit(opened)
    np.testing.assert_allclose(found.means_, mixture().fit(GAPS).means_, rtol=1e-6)


def test_a_saved_mixture_imputes_the_same_bits(tmp_path):
    found = mixture().fit(GAPS)
    found.save(tmp_path / "m.json")
    loaded = load_model(tmp_path / "m.json")
    assert loaded.missing == "marginalise"
    np.testing.assert_array_equal(loaded.impute(GAPS), found.impute(GAPS))


@pytest.mark.slow
def test_a_sweep_measures_what_rows_have():
    found = sweep(GAPS, [1, 2, 3], missing="marginalise", n_init=1, random_state=0)
    best = found.best("bic")
    assert best.n_components == 2
    fitted = [i for i, status in enumerate(found.table["status"]) if status == "fitted"]
    assert {found.table["n_components"][i] for i in fitted} == {1, 2, 3}
    at = min(fitted, key=lambda i: found.table["bic"][i])
    assert found.table["log_likelihood"][at] == pytest.approx(best.score(GAPS), rel=1e-10)
    assert found.table["bic"][at] == pytest.approx(best.bic(GAPS), rel=1e-10)


@pytest.mark.parametrize(
    ("settings", "because"),
    [
        ({"pca": 2}, "pca"),
        ({"covariance_type": "ppca", "n_factors": 1}, "factors"),
        ({"noise": True}, "noise"),
        ({"tails": "t"}, "tails"),
        ({"tails": "contaminated"}, "tails"),
    ],
)
def test_settings_that_need_whole_rows_are_refused(settings, because):
    with pytest.raises(SettingError, match=because):
        mixture(**settings).fit(GAPS)


def test_a_bayesian_mixture_is_refused():
    with pytest.raises(SettingError, match="Bayesian"):
        BayesianGaussianMixture(2, missing="marginalise").fit(GAPS)


def one_gaussian(x, iterations=200):
    """Return mean and covariance of a Gaussian by textbook EM, row by row."""
    mean, covariance = np.nanmean(x, axis=0), np.diag(np.nanvar(x, axis=0))
    for _ in range(iterations):
        first, second = np.zeros_like(mean), np.zeros_like(covariance)
        for row in x:
            m, o = np.flatnonzero(np.isnan(row)), np.flatnonzero(~np.isnan(row))
            slopes = covariance[np.ix_(m, o)] @ np.linalg.inv(covariance[np.ix_(o, o)])
            filled, left = row.copy(), np.zeros_like(covariance)
            filled[m] = mean[m] + slopes @ (row[o] - mean[o])
            left[np.ix_(m, m)] = covariance[np.ix_(m, m)] - slopes @ covariance[np.ix_(o, m)]
            first, second = first + filled, second + np.outer(filled, filled) + left
        mean = first / len(x)
        covariance = second / len(x) - np.outer(mean, mean)
    return mean, covariance


def test_held_out_likelihood_is_that_of_the_values_that_are_there():
    """Five folds of groups, of one Gaussian: by fits without each fold, row by row."""
    random = np.random.default_rng(0)
    x = random.normal(size=(90, 2)) @ [[1.0, 0.8], [0.0, 0.6]]
    x[random.random(90) < 0.4, 0] = np.nan
    groups = np.arange(90) % 10
    found = sweep(x, [1], missing="marginalise", groups=groups, tol=1e-9, reg_covar=0.0, n_init=1)
    densities = np.empty(90)
    for fold in range(5):
        out = groups % 5 == fold
        mean, covariance = one_gaussian(x[~out], 40)
        for row in np.flatnonzero(out):
            o = ~np.isnan(x[row])
            law = multivariate_normal(mean[o], covariance[np.ix_(o, o)])
            densities[row] = law.logpdf(x[row, o])
    assert found.table["heldout"][0] == pytest.approx(densities.mean(), abs=1e-4)


def test_the_held_out_criterion_finds_clusters_of_rows_with_gaps():
    random = np.random.default_rng(1)

    def rows(n):
        x = random.normal(size=(n, 3)) + 4.0 * random.integers(0, 2, (n, 1))
        x[random.random(x.shape) < 0.2] = np.nan
        return x

    found = sweep(
        rows(600), [1, 2, 3], missing="marginalise", criterion="heldout", random_state=0, n_init=1
    )
    best, held = found.best(), found.table["heldout"]
    assert best.n_components == 2
    error = np.hypot(found.table["heldout_se"][1], 0.01)
    assert abs(held[1] - best.score(rows(20_000))) < 3 * error


def test_sweeps_that_need_whole_rows_are_refused():
    with pytest.raises(SettingError, match="factors"):
        sweep(GAPS, [1, 2], missing="marginalise", covariance_type=["full", "ppca"], n_factors=1)


def test_methods_that_need_whole_rows_are_refused():
    found = mixture().fit(GAPS)
    for call in (found.moments, found.map_adapt):
        with pytest.raises(SettingError, match="marginalise"):
            call(GAPS)
    with pytest.raises(SettingError, match="set_params"):
        mixture(missing="drop").fit(GAPS).impute(GAPS)


def test_a_column_without_values_is_named():
    x = GAPS.copy()
    x[:, 1] = np.nan
    with pytest.raises(DataError, match="Column 1 of X has no value"):
        mixture().fit(x)


@pytest.mark.parametrize("names", [None, ["a", "b", "c"]])
def test_predictions_name_the_column_of_an_infinite_value_beside_gaps(names):
    x = GAPS.copy()
    x[7] = np.nan, 1.0, -np.inf
    table = x if names is None else pd.DataFrame(x, columns=names)
    found = mixture().fit(GAPS if names is None else pd.DataFrame(GAPS, columns=names))
    for call in (found.predict, found.score):
        with pytest.raises(DataError, match=r"infinity in row 7 .*column 2"):
            call(table)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.longdouble])
def test_rows_with_gaps_may_be_of_any_precision(dtype):
    """1e150, beyond which no value may be, is infinite in float32."""
    found, x = mixture(max_iter=2).fit(GAPS), GAPS[SOME][:50].astype(dtype)
    wanted = found.score(x.astype(np.float64))
    assert found.score(x) == pytest.approx(wanted, rel=1e-6)
    x[7] = [np.nan, 0.0, np.inf]
    for predict in (found.predict, found.score):
        with pytest.raises(DataError, match=r"infinity in row 7 .*column 2"):
            predict(x)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::daskgmm.errors.DegenerateComponentWarning")
def test_columns_that_repeat_each_other_are_refused_or_regularised():
    x = np.column_stack([GAPS, 2 * GAPS[:, 0]])
    x[::5, 3] = np.nan
    with pytest.raises(ValueError, match="ill-defined empirical covariance"):
        mixture(reg_covar=0.0, max_iter=60).fit(x)
    found = mixture(max_iter=30).fit(x)
    filled, seen = found.impute(x), ~np.isnan(GAPS[:, 0])
    np.testing.assert_allclose(filled[seen, 3], 2 * filled[seen, 0], atol=1e-4)


def test_infinite_values_are_no_gaps():
    x = GAPS.copy()
    x[7, 2] = np.inf
    with pytest.raises(DataError, match=r"infinity in .*column 2"):
        mixture().fit(x)


def test_the_plan_says_what_gaps_cost():
    found = plan(GAPS, K, missing="marginalise")
    assert "with each pattern of missing values" in str(found)
    assert found.thread_nbytes > plan(GAPS, K, missing="drop").thread_nbytes
    with pytest.raises(SettingError, match="pca"):
        plan(GAPS, K, missing="marginalise", pca=2)


def test_regression_of_the_last_column_is_what_fills_it():
    found = mixture().fit(GAPS)
    x, d = GAPS.copy(), GAPS.shape[1]
    x[:, d - 1] = np.nan
    given = x[:, : d - 1]
    some = ~np.isnan(given).all(axis=1)
    assert np.isnan(given[some]).any()
    regression = found.regress(given, targets=d - 1)
    np.testing.assert_allclose(regression.mean[some], found.impute(x)[some, d - 1], rtol=1e-9)
    assert np.isnan(regression.mean[~some]).all()


@pytest.mark.parametrize("settings", [{"tails": "t"}, {"noise": True}, {"pca": 2}])
def test_advice_on_gaps_leads_to_no_dead_end(settings):
    found = mixture(missing="drop", **settings).fit(GAPS)
    with pytest.raises(SettingError, match=r"impute fills .* this mixture cannot: ") as raised:
        found.impute(GAPS)
    assert "set_params" not in str(raised.value)


CEMENT = np.array([
    [7, 26, 6, 60, 78.5], [1, 29, 15, 52, 74.3], [11, 56, 8, 20, 104.3], [11, 31, 8, 47, 87.6],
    [7, 52, 6, 33, 95.9], [11, 55, 9, 22, 109.2], [3, 71, 17, np.nan, 102.7],
    [1, 31, 22, np.nan, 72.5], [2, 54, 18, np.nan, 93.1], [np.nan, np.nan, 4, np.nan, 115.9],
    [np.nan, np.nan, 23, np.nan, 83.8], [np.nan, np.nan, 9, np.nan, 113.3],
    [np.nan, np.nan, 8, np.nan, 109.4],
])  # fmt: skip
"""Draper & Smith 1966, with the gaps of Rubin 1976, https://doi.org/10.2307/1267523."""


def regressed(known, mean, covariance, given, asked):
    """Extend a mean and covariance of the columns `given` by those of `asked`, regressed on them.

    Of the rows that have all of them: the gaps are monotone, so this is the maximum of the
    likelihood (Anderson, JASA 52 (1957) 200-203).
    """
    x, y = known[:, given], known[:, asked]
    centre = x.mean(axis=0)
    slopes = np.linalg.lstsq(x - centre, y - y.mean(axis=0), rcond=None)[0].T
    left = y - y.mean(axis=0) - (x - centre) @ slopes.T
    across = slopes @ covariance
    own = left.T @ left / len(y) + across @ slopes.T
    means = np.concatenate([mean, y.mean(axis=0) + slopes @ (mean - centre)])
    return means, np.block([[covariance, across.T], [across, own]])


@pytest.mark.filterwarnings("ignore::daskgmm.errors.DegenerateComponentWarning")
def test_one_component_on_published_rows():
    """Means as published in Little & Rubin 1987, covariances in closed form."""
    settings = {"tol": 1e-12, "reg_covar": 0.0, "max_iter": 5000, "acceleration": None}
    found = GaussianMixture(1, missing="marginalise", **settings).fit(CEMENT)
    np.testing.assert_allclose(found.means_[0], [6.655, 49.965, 11.769, 27.047, 95.423], atol=5e-4)
    whole = CEMENT[:, [2, 4]]
    mean, covariance = whole.mean(axis=0), np.cov(whole.T, bias=True)
    mean, covariance = regressed(CEMENT[:9], mean, covariance, [2, 4], [0, 1])
    mean, covariance = regressed(CEMENT[:6], mean, covariance, [2, 4, 0, 1], [3])
    order = np.argsort([2, 4, 0, 1, 3])
    np.testing.assert_allclose(found.means_[0], mean[order], rtol=1e-5)
    np.testing.assert_allclose(found.covariances_[0], covariance[np.ix_(order, order)], rtol=1e-4)


def test_rows_beyond_all_squares_are_imputed_by_the_nearest_component():
    """Their squared distances overflow from all components; posteriors are those of predictions."""
    mixture = GaussianMixture.from_parameters(
        [0.5, 0.5],
        [[0.0, 1.0], [1e145, 2.0]],
        [np.diag([1e-20, 1.0]), np.diag([1e-20, 1.0])],
        missing="marginalise",
    )
    x = np.array([[0.9e145, np.nan], [-1e150, np.nan], [0.0, np.nan]])
    np.testing.assert_array_equal(mixture.predict(x), [1, 0, 0])
    np.testing.assert_allclose(mixture.impute(x)[:, 1], [2.0, 1.0, 1.0])
