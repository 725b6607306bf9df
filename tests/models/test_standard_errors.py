"""Standard errors of the parameters: closed forms of one Gaussian, weights, groups, refusals."""

import warnings
from dataclasses import replace

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xarray as xr
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import norm, t

from daskgmm import (
    BayesianGaussianMixture,
    GaussianMixture,
    GaussianMixtureClassifier,
    load_model,
    open_parquet,
)
from daskgmm.errors import DataError, DependenceWarning, SettingError, WeightsWarning
from daskgmm.models.inputs.named_groups import numbers_of
from daskgmm.models.uncertainty.refusals import check_at_maximum
from daskgmm.models.uncertainty.table import written

R = np.random.default_rng(0)
TYPES = ("full", "tied", "diag", "spherical", "EEI", "EII")
CLOSE = {"tol": 1e-7, "max_iter": 1000, "reg_covar": 0.0, "random_state": 0}
NAMES = ("weights", "means", "covariances", "standard_deviations")


def clusters(n, apart=4.0, seed=0):
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 2)) @ [[1.0, 0.5], [0.0, 0.8]]
    return x + apart * (random.random(n) < 0.4)[:, None]


X = clusters(600)
ONE = R.gamma(2.0, size=(500, 2)) @ [[1.0, 0.3], [0.0, 1.0]]


def fitted(x=X, k=2, weights=None, labels=None, noise_variance=None, **settings):
    beside = {"labels": labels, "noise_variance": noise_variance}
    return GaussianMixture(k, **{**CLOSE, **settings}).fit(
        x, None, weights, weights_are=None if weights is None else "relative", **beside
    )


@pytest.fixture(scope="module")
def mixture():
    return fitted()


def flat(errors):
    return np.concatenate([np.ravel(getattr(errors, name)) for name in NAMES])


@pytest.mark.parametrize("covariance_type", TYPES)
def test_one_gaussian_has_closed_forms(covariance_type):
    """Blocks of one row: means vary by second moments, variances by fourth ones."""
    mixture = fitted(ONE, 1, covariance_type=covariance_type)
    found, n = mixture.standard_errors(ONE), len(ONE)
    assert (found.units, found.unit, found.rows) == (n, "row", n)
    z, unbiased = ONE - ONE.mean(0), np.sqrt(n * (n - 1))
    assert_allclose(found.means[0], np.sqrt((z**2).sum(0) / n) * np.sqrt(n) / unbiased, rtol=1e-8)
    products = np.einsum("ni,nj->nij", z, z)
    if covariance_type in ("spherical", "EII"):
        wanted = (z**2).mean(1).std(0)
    elif covariance_type in ("diag", "EEI"):
        wanted = (z**2).std(0)
    else:
        wanted = products.std(0)
    covariances = np.reshape(found.covariances, np.shape(wanted))
    assert_allclose(covariances, wanted * np.sqrt(n) / unbiased, rtol=1e-7)
    assert found.covariances.shape == np.shape(mixture.covariances_)
    assert found.weights.tolist() == [0.0]


def test_clusters_far_apart_are_gaussians_by_themselves():
    x = clusters(1000, apart=100.0)
    mixture = fitted(x)
    found, labels = mixture.standard_errors(x), mixture.predict(x)
    share = np.mean(labels == 0)
    assert_allclose(found.weights, np.sqrt(share * (1 - share) / 999), rtol=1e-6)
    for k in (0, 1):
        rows = x[labels == k]
        m = len(rows) * np.sqrt(999 / 1000)
        wanted = rows.std(0) * np.sqrt(len(rows)) / m
        assert_allclose(found.means[k], wanted, rtol=1e-6)


def test_intervals_are_normal_on_their_scales(mixture):
    found = mixture.standard_errors(X)
    ends, half = found.intervals(0.9), t.ppf(0.95, found.units - 1)
    assert half == pytest.approx(norm.ppf(0.95), rel=0.01)
    assert_allclose(ends.means, found.estimates.means + half * np.array([-1, 1])[:, None, None]
                    * found.means)  # fmt: skip
    odds = np.log(ends.weights / (1 - ends.weights))
    middle = np.log(mixture.weights_ / (1 - mixture.weights_))
    assert_allclose(odds.mean(0), middle, atol=1e-12)
    width = found.weights / (mixture.weights_ * (1 - mixture.weights_))
    assert_allclose(odds[1] - odds[0], 2 * half * width)
    variances, errors = (np.diagonal(a, axis1=1, axis2=2) for a in (mixture.covariances_,
                                                                    found.covariances))  # fmt: skip
    logs = np.log(np.diagonal(ends.covariances, axis1=2, axis2=3))
    assert_allclose(logs[1] - np.log(variances), half * errors / variances)
    assert_allclose(ends.standard_deviations**2, np.exp(logs))
    beside = ends.covariances[:, 0, 0, 1]
    assert_allclose(np.diff(beside), 2 * half * found.covariances[0, 0, 1])
    assert_allclose(found.standard_deviations, errors / (2 * np.sqrt(variances)))
    with pytest.raises(SettingError, match="between 0 and 1"):
        found.intervals(95)


@pytest.mark.parametrize("missing", [False, True])
def test_intervals_of_columns_of_unlike_units_are_those_of_others(missing):
    """Errors of covariances, which have squared units, are no exponents; nor are wide odds."""
    scales = np.array([1e4, 1e-3])
    x = np.where(R.random(X.shape) < 0.1, np.nan, X) if missing else X
    settings = {"missing": "marginalise" if missing else "error", "reg_covar": 0.0}
    found, wanted = (fitted(rows, **settings).standard_errors(rows) for rows in (x * scales, x))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ends = found.intervals()
        alone = wanted.intervals()
        rare = replace(found.estimates, weights=np.array([1e-6, 1.0 - 1e-6]))
        wide = replace(found, estimates=rare, weights=np.full(2, 0.01)).intervals().weights
    order = np.argsort(found.estimates.means[:, 0]), np.argsort(wanted.estimates.means[:, 0])
    low_high = ends.covariances[:, order[0]] / np.outer(scales, scales)
    assert_allclose(low_high, alone.covariances[:, order[1]], rtol=1e-4)
    assert_allclose(ends.weights[:, order[0]], alone.weights[:, order[1]], rtol=1e-4)
    assert_array_equal(wide, [[0.0, 0.0], [1.0, 1.0]])


@pytest.mark.parametrize(
    ("values", "error", "texts"),
    [
        ((-0.0076, 0.05581, 0.06303), 0.0312, ("-0.0076", "0.0558", "0.0630")),
        ((105234.56, 105200.1, 105300.0), 2.5, ("105234.56", "105200.10", "105300.00")),
        ((105234.56, 95200.0, 115300.4), 2500.0, ("105235", "95200", "115300")),
        ((-1.23456e-5, -1.3e-5, 0.0), 2.5e-7, ("-1.2346e-05", "-1.3000e-05", "0e+00")),
        ((1.23456e9, 1e9, 1.5e9), 1.2e7, ("1.2346e+09", "1.0000e+09", "1.5000e+09")),
        ((0.5, 0.5, 0.5), 0.0, ("0.5", "0.5", "0.5")),
    ],
)
def test_numbers_end_with_the_last_digit_of_their_error(values, error, texts):
    assert written(values, error) == texts


@pytest.mark.parametrize("scale", [1e-9, 1e-4, 1.0, 1e5, 1e12])
def test_lines_of_the_table_fit_a_terminal(scale):
    frame = pd.DataFrame(-scale * X, columns=["temperature", "salinity"])
    found = fitted(frame, reg_covar=0.0).standard_errors(frame)
    lines = found.table().splitlines()
    assert max(map(len, lines)) <= 80
    assert ("e+" in lines[3].split()[4]) == (scale == 1e12)
    for line, mean, error in zip(
        lines[3:7], found.estimates.means.ravel(), found.means.ravel(), strict=True
    ):
        _, _, _, value, told, low, _, high = line.split()
        assert_allclose([float(value), float(told)], [mean, error], atol=0.01 * error)
        half = t.ppf(0.975, found.units - 1) * error
        assert_allclose([float(low), float(high)], [mean - half, mean + half], atol=0.01 * error)


def test_rows_and_their_units_are_told_apart(mixture):
    counts = R.integers(1, 4, len(X)).astype(float)
    counted = fitted(weights=counts)
    for found, words in (
        (mixture.standard_errors(X), "from 600 rows>"),
        (mixture.standard_errors(X, groups=np.arange(len(X)) % 40), "from 600 rows in 40 groups>"),
        (
            counted.standard_errors(X, counts, weights_are="counts"),
            f"from 600 rows that stand for {counts.sum():,.0f}>",
        ),
    ):
        assert words in repr(found)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_shapes_are_those_of_the_attributes(covariance_type):
    mixture = fitted(covariance_type=covariance_type)
    found = mixture.standard_errors(X, blocks=100)
    assert repr(found) == (
        "<StandardErrors of 2 components in 2 features, from 600 rows in 100 blocks>"
    )
    assert str(found).startswith(repr(found)[1:-1])
    lines = found.table(0.9).splitlines()
    assert "90 % interval" in lines[0]
    assert len(lines) == 1 + sum(
        np.size(getattr(found, name)) for name in ("weights", "means", "standard_deviations")
    )
    (mean,) = (line.split() for line in lines if line.startswith("mean 1 column 0 "))
    low, high = found.intervals(0.9).means[:, 1, 0]
    expected = [mixture.means_[1, 0], found.means[1, 0], low, high]
    assert_allclose([float(mean[i]) for i in (4, 5, 6, 8)], expected, rtol=1e-2)
    ends = found.intervals()
    for name in NAMES:
        errors = getattr(found, name)
        assert np.all(errors > 0)
        assert getattr(ends, name).shape == (2, *np.shape(errors))
    assert found.means.shape == mixture.means_.shape
    assert np.shape(found.covariances) == np.shape(mixture.covariances_)
    assert found.distance < 0.01


def test_rows_of_weight_0_are_no_rows(mixture):
    weights = np.ones(700)
    weights[600:] = 0.0
    more = np.concatenate([X, np.full((100, 2), 1e6)])
    found = mixture.standard_errors(more, weights, blocks=700)
    assert_allclose(flat(found), flat(mixture.standard_errors(X)), rtol=1e-9)


@pytest.mark.parametrize("short", [8_000, 0])
def test_what_is_beside_rows_of_weight_0_may_be_anything(mixture, monkeypatch, short):
    """As in a fit: rows one by one, and units at once."""
    monkeypatch.setattr("daskgmm.em.scores.SHORT", short)
    rows, noise = np.concatenate([X, X[:9] + 1e6]), np.full((609, 2), 1e-12)
    noise[600:] = np.array([np.nan, -1.0, np.inf] * 3)[:, None]
    weights, groups = np.where(np.arange(609) < 600, 1.0, 0.0), np.arange(609) % 60
    found = mixture.standard_errors(rows, weights, noise_variance=noise, groups=groups)
    wanted = mixture.standard_errors(X, groups=groups[:600])
    assert_allclose(flat(found), flat(wanted), rtol=1e-6)


@pytest.mark.parametrize("beside", [{}, {"weights_are": "counts"}])
@pytest.mark.parametrize("missing", ["error", "marginalise"])
def test_rows_whose_scores_have_no_squares_are_not_those_of_the_fit(mixture, missing, beside):
    far = X.copy()
    far[5, 1] = 1e120
    weights = np.ones(len(X)) if beside else None
    fitted_here = mixture if missing == "error" else fitted(missing=missing)
    with pytest.raises(ValueError, match=r"not at a maximum .*more than 1,000 times"):
        fitted_here.standard_errors(far, weights, **beside)


def test_rows_that_count_are_as_many_rows():
    counts = R.integers(1, 4, len(X))
    repeated = np.repeat(X, counts, axis=0)
    mixture = fitted(repeated)
    found = mixture.standard_errors(X, counts, weights_are="counts")
    assert found.unit == "row"
    wanted = mixture.standard_errors(repeated, np.ones(len(repeated)), weights_are="counts")
    assert_allclose(flat(found), flat(wanted), rtol=1e-9)
    assert found.units == wanted.units == len(repeated)
    assert_allclose(found.intervals().means, wanted.intervals().means, rtol=1e-9)
    with pytest.raises(DataError, match="There are 29 rows"):
        mixture.standard_errors(X[:1], [29.0], weights_are="counts")
    of_rows = mixture.standard_errors(repeated, blocks=len(repeated))
    assert_allclose(flat(found), flat(of_rows), rtol=1e-3)  # which divide by one row less
    groups = np.arange(len(X)) // 4
    by_group = mixture.standard_errors(X, counts, groups=groups)
    assert_allclose(
        flat(by_group), flat(mixture.standard_errors(repeated, groups=np.repeat(groups, counts))),
        rtol=1e-9,
    )  # fmt: skip


def test_relative_weights_have_no_scale_and_doubts_are_told():
    weights = R.integers(1, 4, len(X)).astype(float)
    mixture = fitted(weights=weights)
    wanted = flat(mixture.standard_errors(X, weights))
    assert_allclose(flat(mixture.standard_errors(X, 1e-9 * weights)), wanted, rtol=1e-7)
    mixture.fitted_on_["weights_are"] = None
    with pytest.warns(WeightsWarning, match="standard errors are those of n ="):
        mixture.standard_errors(X, weights)


@pytest.mark.parametrize("kind", ["numpy", "dask", "column", "unknown lengths"])
def test_groups_are_units_however_they_come(mixture, kind):
    numbers = R.permutation(len(X)) % 60
    order = np.argsort(numbers, kind="stable")
    wanted = mixture.standard_errors(X[order], blocks=60)
    x, groups = X, numbers
    if kind == "dask":
        x, groups = da.from_array(X, chunks=(70, 2)), da.from_array(numbers, chunks=100)
    elif kind == "column":
        x = pd.DataFrame(np.c_[X, numbers], columns=["a", "b", "station"])
        mixture, groups = fitted(x[["a", "b"]]), "station"
    elif kind == "unknown lengths":
        x, groups = da.from_array(X, chunks=(70, 2)), da.from_array(numbers, chunks=70)
        x = x[da.from_array(np.ones(len(X), bool), chunks=70)]
        groups = groups[da.from_array(np.ones(len(X), bool), chunks=70)]
    found = mixture.standard_errors(x, groups=groups)
    assert (found.units, found.unit) == (60, "group")
    assert_allclose(flat(found), flat(wanted), rtol=1e-6)


def named_groups(folder):
    """Yield X and the names of groups, however they come: by their column, or beside X."""
    names = np.array([f"cruise {number}" for number in NUMBERS])
    rows = pd.DataFrame(X, columns=["a", "b"])
    frame = rows.assign(cruise=names, w=1.0)
    coded = frame.assign(cruise=frame.cruise.astype("category"))
    coded.to_parquet(folder / "x.parquet", row_group_size=70)
    frame.to_csv(folder / "x.csv", index=False)
    arrow, polars = pa.Table.from_pandas(frame), pl.DataFrame(frame)
    lazy = dd.from_pandas(coded, npartitions=3)
    tables = frame, coded, arrow, polars, polars.with_columns(pl.col("cruise").cast(pl.Categorical))
    for x in (*tables, lazy, folder / "x.parquet", str(folder / "x.csv")):
        yield x, "cruise"
    for beside in (names, list(names), coded.cruise, polars["cruise"], arrow["cruise"]):
        yield rows, beside
    yield da.from_array(X, chunks=(70, 2)), da.from_array(names.astype(object), chunks=100)
    yield lazy[["a", "b"]], lazy.cruise
    yield [X[:200], X[200:]], [names[:200], list(names[200:])]


NUMBERS = np.random.default_rng(1).permutation(len(X)) % 60


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_groups_have_names_in_every_source(tmp_path):
    mixture = fitted(pd.DataFrame(X, columns=["a", "b"]))
    wanted = flat(mixture.standard_errors(X, groups=NUMBERS))
    for x, groups in named_groups(tmp_path):
        weights = "w" if isinstance(groups, str) else None
        found = mixture.standard_errors(x, weights, groups=groups, weights_are="relative")
        assert (found.units, found.unit) == (60, "group")
        assert_allclose(flat(found), wanted, rtol=1e-6)


def test_names_of_groups_on_a_grid():
    names = np.array([f"cruise {number}" for number in NUMBERS])
    grid = xr.Dataset({"a": ("s", X[:, 0]), "b": ("s", X[:, 1]), "cruise": ("s", names)})
    mixture = fitted(grid[["a", "b"]])
    wanted = flat(mixture.standard_errors(grid[["a", "b"]], groups=xr.DataArray(NUMBERS, dims="s")))
    assert_allclose(flat(mixture.standard_errors(grid, groups="cruise")), wanted, rtol=1e-12)
    lazy = mixture.standard_errors(grid[["a", "b"]].chunk(s=70), groups=grid.cruise.chunk(s=70))
    assert_allclose(flat(lazy), wanted, rtol=1e-6)


def test_the_number_of_a_name_is_that_of_every_type():
    names = np.array(["a", "b", "", "a"])
    found = numbers_of(names)
    assert found[0] == found[3]
    assert len(set(found.tolist())) == 3
    assert (found < 2.0**53).all()
    assert_array_equal(numbers_of(np.array(["a", "b", "", None], object))[:3], found[:3])
    assert np.isnan(numbers_of(np.array(["a", None, np.nan], object)))[1:].all()
    assert_array_equal(numbers_of(np.array([3, 2**40, pd.NA], object)), [3.0, 2.0**40, np.nan])
    mixed = np.array([1, True, 2.0, "a", "1", None, np.int8(1)], object)
    found = numbers_of(mixed)
    for cut in range(1, len(mixed)):  # chunks do not know of each other
        assert_array_equal(np.r_[numbers_of(mixed[:cut]), numbers_of(mixed[cut:])], found)


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        (np.arange(len(X)) / 2, "0.5 in row 1 .*each row needs a group"),
        (["a", None] * (len(X) // 2), "nan in row 1 .*a whole number or a text"),
        (np.arange(len(X)) % 29, "There are 29 groups, and standard errors need 30"),
        (2**53 + np.arange(len(X)), "groups contains 9007199254740992 in row 0.* 2.53 on float64"),
        (-(2.0**60) - np.arange(len(X)), "taken as one. Give texts, such as groups=ids.astype"),
        ([2**70 + row for row in range(len(X))], "groups contains 1180591620717411303424"),
        (["a", "b\udc80"] * (len(X) // 2), "a text with half of a pair of surrogates"),
        (np.arange(len(X) - 1), "groups.*Give one group number"),
        (np.array(["2026-11-30"] * len(X), "M8[D]"), "groups has dtype datetime64"),
    ],
)
def test_groups_that_are_none(mixture, groups, words):
    with pytest.raises(DataError, match=words):
        mixture.standard_errors(X, groups=groups)


def test_too_many_groups_for_memory(mixture, monkeypatch):
    monkeypatch.setattr("daskgmm.em.scores.UNIT_BYTES", 8 * 11 * 100)
    with pytest.raises(SettingError, match=r"more than 100 groups.* % 10"):
        mixture.standard_errors(X, groups=np.arange(len(X)))


def test_chunks_change_rounding_alone_and_threads_nothing(mixture, monkeypatch):
    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-9)
    wanted, x = flat(mixture.standard_errors(X, blocks=50)), da.from_array(X, chunks=(37, 2))
    found = []
    for threads in (1, 3):
        with dask.config.set(num_workers=threads):
            found.append(flat(mixture.standard_errors(x, blocks=50)))
    assert_array_equal(*found)
    assert_allclose(found[0], wanted, rtol=1e-9)


def test_moments_and_rows_give_the_same_scores(mixture, monkeypatch):
    wanted = flat(mixture.standard_errors(X, blocks=50))
    monkeypatch.setattr("daskgmm.em.scores.SHORT", 0)
    assert_allclose(flat(mixture.standard_errors(X, blocks=50)), wanted, rtol=1e-9)


def test_rows_that_miss_values_are_left_out_or_named(mixture):
    gaps = X.copy()
    gaps[5, 1] = np.nan
    with pytest.raises(DataError, match="NaN"):
        mixture.standard_errors(gaps)
    kept = np.delete(X, 5, axis=0)
    dropping = fitted(gaps, missing="drop")
    found = dropping.standard_errors(gaps, blocks=600)
    assert_allclose(flat(found), flat(fitted(kept).standard_errors(kept)), rtol=1e-5)


def test_standardised_columns_scale_means(mixture):
    wanted, found = mixture.standard_errors(X), fitted(standardise=True).standard_errors(X)
    order = np.argsort(mixture.means_[:, 0])
    other = np.argsort(found.estimates.means[:, 0])
    assert_allclose(found.means[other] * X.std(0), wanted.means[order], rtol=1e-4)
    assert_allclose(found.weights, wanted.weights, rtol=1e-4)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_units_of_the_data_are_those_of_columns_times_scales(covariance_type):
    """Of a structure that scales leave as it is, the errors are those of a fit without them."""
    mixture = fitted(covariance_type=covariance_type, standardise=True)
    scaled = mixture.standard_errors(X)
    found, ends, scales = scaled.in_data_units(), scaled.intervals().means, X.std(0)
    own = found.estimates
    assert own.coordinates is None
    assert_allclose(own.means, mixture.means_in_data_units())
    variances = np.diagonal(mixture.covariances_in_data_units(), axis1=1, axis2=2)
    assert_allclose(np.broadcast_to(own.standard_deviations**2, (2, 2)), variances)
    assert_allclose(found.intervals().means, ends * scales + X.mean(0))
    parts = scaled.standard_deviations / scaled.estimates.standard_deviations
    mine = found.standard_deviations / own.standard_deviations
    each = parts[..., None] if covariance_type in ("spherical", "EII") else parts
    assert_allclose(mine, np.broadcast_to(each, mine.shape))
    if covariance_type in ("full", "tied"):
        assert_allclose(
            own.covariances.reshape(-1, 2, 2)[0], mixture.covariances_in_data_units()[0]
        )
    if covariance_type not in ("spherical", "EII"):
        plain = fitted(covariance_type=covariance_type).standard_errors(X)
        order = [np.argsort(each.estimates.means[:, 0]) for each in (found, plain)]
        assert_allclose(found.means[order[0]], plain.means[order[1]], rtol=1e-3)
        assert_allclose(
            np.sort(found.covariances.ravel()), np.sort(plain.covariances.ravel()), rtol=1e-3
        )
    low, high = found.intervals().means[:, 1, 0]
    (line,) = (each for each in scaled.table().splitlines() if each.startswith("mean 1 column 0 "))
    assert_allclose([float(line.split()[i]) for i in (-3, -1)], [low, high], rtol=1e-2)
    assert found.in_data_units() is found


def test_errors_along_principal_axes_say_so():
    found = fitted(pca=1, standardise=True).standard_errors(X)
    assert "principal axes (pca)" in found.table().splitlines()[0]
    assert "mean 0 principal axis 0" in found.table()
    assert found.estimates.means.shape == (2, 1)
    with pytest.raises(SettingError, match="columns mix"):
        found.in_data_units()


def test_reg_covar_is_no_distance_from_the_maximum():
    """Accelerated and plain EM both end there."""
    x = clusters(2000)
    for acceleration, reg_covar, tol in (("auto", 0.02, 1e-7), (None, 0.003, 1e-12)):
        mixture = fitted(x, reg_covar=reg_covar, acceleration=acceleration, tol=tol)
        assert mixture.standard_errors(x).distance < 0.02


def test_equal_weights_are_certain():
    mixture = fitted(equal_weights=True)
    found = mixture.standard_errors(X)
    assert_array_equal(found.weights, 0.0)
    assert_array_equal(found.intervals().weights, 0.5)
    assert np.all(found.means > 0)


def test_neighbours_that_resemble_each_other_are_told():
    order = np.argsort(X[:, 0])
    mixture = fitted(X[order])
    with pytest.warns(DependenceWarning, match="up to .* times as large.*blocks=37"):
        found = mixture.standard_errors(X[order], blocks=300)
    assert found.growth > 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert mixture.standard_errors(X, blocks=300).growth < 1.5


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"covariance_type": "ppca", "n_factors": 1}, "known up to rotations alone"),
        ({"covariance_type": "EVE", "prior": "conjugate"}, "curvature of a prior is not computed"),
        ({"tails": "t"}, "tails have parameters of their own"),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_mixtures_without_standard_errors(settings, words):
    mixture = fitted(**settings, max_iter=3)
    with pytest.raises(SettingError, match=rf"{words}.*Fit|{words}.*fit one of these") as told:
        mixture.standard_errors(X)
    assert "(a bootstrap)" in str(told.value)


@pytest.mark.parametrize("beside", [{"labels": X[:, 0] > 2}, {"noise_variance": 0.01}])
def test_other_likelihoods_have_others(beside, tmp_path):
    """Also where parameters are at the maximum of the likelihood of rows alone, as far apart."""
    beside = {name: np.asarray(value, float) for name, value in beside.items()}
    mixture = GaussianMixture(2, random_state=0, max_iter=500).fit(X, **beside)
    mixture.save(tmp_path / "m.json")
    for each in (mixture, load_model(tmp_path / "m.json"), mixture.sort_components()):
        with pytest.raises(SettingError, match=f"with {next(iter(beside))}"):
            each.standard_errors(X)


LABELS = (X[:, 0] + X[:, 1] > 4).astype(int)


@pytest.mark.parametrize("covariance_type", ["full", "diag"])
def test_rows_that_all_have_labels_are_gaussians_by_themselves(covariance_type):
    mixture = fitted(covariance_type=covariance_type, labels=LABELS)
    found, n = mixture.standard_errors(X, labels=LABELS), len(X)
    share = LABELS.mean()
    assert_allclose(found.weights, np.sqrt(share * (1 - share) / (n - 1)), rtol=1e-6)
    for k in (0, 1):
        rows = X[k == LABELS]
        alone = fitted(rows, 1, covariance_type=covariance_type).standard_errors(rows)
        scale = np.sqrt(n / (n - 1) * (len(rows) - 1) / len(rows))
        assert_allclose(found.means[k], alone.means[0] * scale, rtol=1e-6)
        assert_allclose(found.covariances[k], alone.covariances[0] * scale, rtol=1e-5)


def test_labels_come_as_in_the_fit_and_tell_more(mixture, monkeypatch):
    some = np.where(R.random(len(X)) < 0.5, LABELS, -1)
    labelled = fitted(labels=some, tol=1e-9)
    wanted = labelled.standard_errors(X, labels=some)
    assert wanted.distance < 0.01
    assert np.all(wanted.means < 1.02 * mixture.standard_errors(X).means)
    frame = pd.DataFrame(np.c_[X, some], columns=["a", "b", "kind"])
    named = fitted(frame[["a", "b"]], labels=some, tol=1e-9)
    found = named.standard_errors(frame, labels="kind")
    assert_allclose(flat(found), flat(wanted), rtol=1e-5)
    lazy = da.from_array(X, chunks=(70, 2)), da.from_array(np.where(some < 0, np.nan, some), 100)
    for short in (8_000, 0):
        monkeypatch.setattr("daskgmm.em.scores.SHORT", short)
        found = labelled.standard_errors(lazy[0], labels=lazy[1], blocks=50)
        alone = labelled.standard_errors(X, labels=some, blocks=50)
        assert_allclose(flat(found), flat(alone), rtol=1e-9)
    with pytest.raises(DataError, match="a label is a component, 0 to 1"):
        labelled.standard_errors(X, labels=some + 1)
    none = labelled.set_params(max_iter=500).fit(X).standard_errors(X, labels=np.full(len(X), -1))
    assert_allclose(flat(none), flat(mixture.standard_errors(X)), rtol=1e-3)


NAMED = np.array(["wet", "dry"], object)[LABELS]
"""Sorted names of classes are in the other order than the numbers."""


@pytest.mark.parametrize("structures", ["shared", "own"])
def test_classes_have_the_errors_of_their_components(tmp_path, structures):
    classifier = GaussianMixtureClassifier(
        structures=structures, tol=1e-9, reg_covar=0.0, random_state=0
    )
    wanted = fitted(labels=LABELS, tol=1e-9).standard_errors(X, labels=LABELS)
    frame = pd.DataFrame(X, columns=["a", "b"]).assign(soil=NAMED, group=np.arange(len(X)))
    frame["station"] = frame.group.astype(str)
    frame.to_parquet(tmp_path / "x.parquet", row_group_size=70)
    rows = frame[["a", "b"]]
    for y in (NAMED, LABELS, 7 - 3 * LABELS, 2 * LABELS - 1):
        classifier.fit(rows, y)
        order = [list(classifier.classes_).index(y[k == LABELS][0]) for k in (0, 1)]
        found = classifier.standard_errors(rows, y)
        for name in NAMES:
            assert_allclose(getattr(found, name)[order], getattr(wanted, name), rtol=1e-5)
        with pytest.raises(DataError, match=r"y contains .*not a class of the fit"):
            classifier.standard_errors(rows, np.where(y == y[0], "rock" if y is NAMED else 9, y))
    classifier.fit(rows, NAMED)
    alone = classifier.standard_errors(rows, NAMED, groups=np.arange(len(X)))
    opened = open_parquet(tmp_path / "x.parquet", ["a", "b"])
    for x in (frame, opened):
        found = classifier.standard_errors(x, "soil", groups="group")
        assert found.unit == "group"
        assert_allclose(flat(found), flat(alone), rtol=1e-9)
        by_name = classifier.standard_errors(x, "soil", groups="station")
        assert_allclose(flat(by_name), flat(alone), rtol=1e-9)
        with pytest.raises(DataError, match="There are 2 groups, and standard errors need 30"):
            classifier.standard_errors(x, "soil", groups="soil")
    with pytest.raises(DataError, match="y has numbers"):
        classifier.standard_errors(rows, LABELS)


def test_labels_on_a_grid_are_those_of_classes():
    classes = np.where(np.arange(len(X)) % 5, 2 + 2 * LABELS, -1)
    classifier = GaussianMixtureClassifier(tol=1e-9, reg_covar=0.0, random_state=0)
    wanted = classifier.fit(X, classes).standard_errors(X, classes, groups=np.arange(len(X)))
    grid = xr.DataArray(X.reshape(20, 30, 2), dims=("y", "x", "band"))
    kinds = xr.DataArray(classes.reshape(20, 30), dims=("y", "x"))
    groups = xr.DataArray(np.arange(len(X)).reshape(20, 30), dims=("y", "x"))
    on_grid = classifier.fit(grid, kinds, feature_dims=("band",))
    for labels in (kinds, kinds.chunk({"y": 7})):
        found = on_grid.standard_errors(grid, labels, groups=groups)
        assert_allclose(flat(found), flat(wanted), rtol=1e-9)


def test_labels_of_several_components_have_no_errors():
    classifier = GaussianMixtureClassifier(2, random_state=0).fit(X, LABELS)
    with pytest.raises(SettingError, match=r"4 components of 2 classes.*bootstrap"):
        classifier.standard_errors(X, LABELS)


ONES = np.ones((len(ONE), 2))


def test_a_column_without_gaps_has_the_errors_that_it_has_alone():
    """Of one Gaussian; also of the other column, where its gaps are those of the same rows."""
    gaps = ONE.copy()
    gaps[::3, 1] = np.nan
    found = fitted(gaps, 1, missing="marginalise").standard_errors(gaps)
    whole = fitted(ONE, 1).standard_errors(ONE)
    assert_allclose(found.means[0, 0], whole.means[0, 0], rtol=1e-5)
    assert_allclose(found.covariances[0, 0, 0], whole.covariances[0, 0, 0], rtol=1e-4)
    assert found.means[0, 1] > 1.1 * whole.means[0, 1]
    alone = fitted(gaps, 1, missing="marginalise", covariance_type="diag").standard_errors(gaps)
    there = ~np.isnan(gaps[:, 1])
    rows = ONE[there, 1:]
    wanted = fitted(rows, 1, covariance_type="diag").standard_errors(rows)
    # Units of rows without a value have a score of 0, and count.
    n, m = len(ONE), there.sum()
    scale = np.sqrt(n / (n - 1) * (m - 1) / m)
    assert_allclose(alone.means[0, 1], wanted.means[0, 0] * scale, rtol=1e-5)
    assert_allclose(alone.covariances[0, 1], wanted.covariances[0, 0] * scale, rtol=1e-4)


@pytest.mark.parametrize("covariance_type", ["full", "diag"])
def test_noise_that_all_rows_share_adds_to_the_variances_alone(covariance_type):
    noise = 0.3 * ONES
    found = fitted(ONE, 1, covariance_type=covariance_type, noise_variance=noise).standard_errors(
        ONE, noise_variance=noise
    )
    wanted = fitted(ONE, 1, covariance_type=covariance_type).standard_errors(ONE)
    assert_allclose(found.means, wanted.means, rtol=1e-4)
    assert_allclose(found.covariances, wanted.covariances, rtol=1e-3)


@pytest.mark.parametrize("kind", ["gaps", "noise"])
def test_rows_that_lack_nothing_have_the_errors_of_complete_and_exact_ones(mixture, kind):
    """With chunks, groups and weights, also those that count."""
    beside, settings = {}, {"missing": "marginalise"}
    if kind == "noise":
        beside, settings = {"noise_variance": np.full((len(X), 2), 1e-12)}, {}
    own = fitted(**settings, **beside)
    found, wanted = own.standard_errors(X, **beside), mixture.standard_errors(X)
    assert_allclose(flat(found), flat(wanted), rtol=1e-9)
    lazy = {name: da.from_array(value, chunks=(100, 2)) for name, value in beside.items()}
    chunked = own.standard_errors(da.from_array(X, chunks=(70, 2)), **lazy)
    assert_allclose(flat(chunked), flat(found), rtol=1e-9)
    groups, weights = np.arange(len(X)) % 60, R.integers(1, 4, len(X))
    found = own.standard_errors(X, groups=groups, **beside)
    assert_allclose(flat(found), flat(mixture.standard_errors(X, groups=groups)), rtol=1e-9)
    weighted = fitted(weights=weights, **settings, **beside)
    found = weighted.standard_errors(X, weights, **beside)
    wanted = fitted(weights=weights).standard_errors(X, weights)
    assert_allclose(flat(found), flat(wanted), rtol=1e-9)
    found = weighted.standard_errors(X, weights, weights_are="counts", **beside)
    wanted = fitted(weights=weights).standard_errors(X, weights, weights_are="counts")
    assert found.units == wanted.units == weights.sum()
    assert_allclose(flat(found), flat(wanted), rtol=1e-9)


def test_rows_of_nearly_as_many_patterns():
    """Of one Gaussian along axes each column has the errors of its own rows."""
    x = np.random.default_rng(3).normal(size=(300, 12))
    x[np.random.default_rng(4).random(x.shape) < 0.5] = np.nan
    assert len(np.unique(np.isnan(x), axis=0)) > 250
    mixture = fitted(x, 1, missing="marginalise", covariance_type="diag")
    found = mixture.standard_errors(x, np.ones(len(x)), weights_are="counts")
    there = (~np.isnan(x)).sum(axis=0)
    wanted = np.nanstd(x, axis=0) / np.sqrt(there)
    assert_allclose(found.means[0], wanted, rtol=1e-6)


def test_gaps_of_rows_that_are_dropped():
    gaps = np.where(np.arange(len(X))[:, None] % 4 == [1, 2], np.nan, X)
    mixture = fitted(gaps, missing="marginalise").set_params(missing="drop")
    with pytest.raises(ValueError, match="from the maximum"):  # of other rows
        mixture.standard_errors(gaps)


def test_posteriors_say_it_themselves():
    mixture = BayesianGaussianMixture(2, random_state=0, max_iter=500).fit(X)
    with pytest.raises(SettingError, match=r"variational.*GaussianMixture.*bootstrap"):
        mixture.standard_errors(X)


@pytest.mark.parametrize("blocks", [29, 2.5, True, None])
def test_blocks_are_counted(mixture, blocks):
    with pytest.raises(SettingError, match="30 or more"):
        mixture.standard_errors(X, blocks=blocks)


def test_few_rows(mixture):
    with pytest.raises(DataError, match="29 rows"):
        mixture.standard_errors(X[:29])
    with pytest.raises(DataError, match="There is 1 group, and standard errors need 30 or more"):
        mixture.standard_errors(X, groups=np.zeros(len(X)))
    with pytest.raises(DataError, match=r"There is 1 row, .* X has 1 row of positive weight"):
        mixture.standard_errors(X, (np.arange(len(X)) == 3).astype(float), blocks=len(X))


@pytest.mark.filterwarnings("ignore::daskgmm.errors.ScaleWarning")
@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_reg_covar_that_is_added_in_each_step_is_small(kind):
    settings = {"covariance_type": kind, "acceleration": None}
    assert np.isfinite(fitted(X, reg_covar=1e-6, **settings).standard_errors(X).means).all()
    assert np.isfinite(
        fitted(X, reg_covar=0.1, covariance_type=kind).standard_errors(X).means
    ).all()
    with pytest.raises(SettingError, match="Fit with acceleration='auto'"):
        fitted(X, reg_covar=0.1, **settings).standard_errors(X)


@pytest.mark.parametrize("n", [1, 8, 29])
def test_few_rows_with_gaps(n):
    x = np.where(np.arange(400)[:, None] % 9 == 0, [np.nan, 0.5], X[:400])
    mixture = fitted(x, 1, missing="marginalise")
    with pytest.raises(DataError, match="30 or more"):
        mixture.standard_errors(x[:n])


def test_rows_that_are_all_labelled_have_the_errors_of_two_gaussians(capfd):
    x, some = clusters(3000), np.arange(3000) % 2
    found = fitted(x, labels=some).standard_errors(x, labels=some, blocks=300)
    for j in range(2):
        own = x[some == j]
        alone = GaussianMixture(1, reg_covar=0.0).fit(own).standard_errors(own, blocks=300)
        assert_allclose(found.means[j], alone.means[0], rtol=1e-6)
    assert_allclose(found.weights, 0.0, atol=1e-9)  # as many of each in every block
    assert capfd.readouterr().out == ""


def test_a_rare_component_that_overlaps_has_the_errors_of_its_rows():
    """30 of 10,000 rows: as of four such data sets in a row, but for the root of four."""
    random = np.random.default_rng(1)
    x = np.concatenate([random.normal(size=(9_970, 1)), 0.5 * random.normal(size=(30, 1)) + 4])
    mixture = fitted(x, means_init=[[0.0], [4.0]])
    alone = mixture.standard_errors(x, np.ones(len(x)), weights_are="counts")
    counted = mixture.standard_errors(x, np.full(len(x), 4.0), weights_are="counts")
    repeated = mixture.standard_errors(
        np.tile(x, (4, 1)), np.ones(4 * len(x)), weights_are="counts"
    )
    assert_allclose(flat(counted), flat(repeated), rtol=1e-9)
    assert_allclose(flat(counted), flat(alone) / 2, rtol=1e-9)


def test_many_parameters(mixture, monkeypatch):
    monkeypatch.setattr("daskgmm.models.uncertainty.refusals.MOST_PARAMETERS", 10)
    with pytest.raises(SettingError, match="11 free parameters"):
        mixture.standard_errors(X)


def test_fits_that_stopped_early_say_how_far_they_are():
    x = clusters(2000)
    mixture = fitted(x, warm_start=True)
    mixture.means_ = mixture.means_ + 0.03
    with pytest.raises(ValueError, match=r"standard errors from the maximum.* nats below") as told:
        mixture.standard_errors(x)
    tol = float(str(told.value).split("tol=")[1].split(" ")[0])
    mixture.set_params(tol=tol).fit(x)
    assert mixture.standard_errors(x).distance < 0.25


def test_other_rows_are_not_those_of_the_fit(mixture):
    with pytest.raises(ValueError, match="else fit to these rows"):
        mixture.standard_errors(X + 1.0)


@pytest.mark.parametrize("distance", [1e9, 1e200, np.inf, np.nan])
def test_what_is_far_from_the_maximum_is_told_no_numbers_of_it(distance):
    with pytest.raises(ValueError, match=r"more than 1,000 standard errors .* a smaller tol \("):
        check_at_maximum(distance, distance, 600.0)
    with pytest.raises(ValueError, match=r"9 standard errors .* 1e-20 nats .* a smaller tol \("):
        check_at_maximum(9.0, 1e-20, 600.0)


@pytest.mark.parametrize(
    ("beside", "words"),
    [
        ({"noise_variance": np.full((len(X), 2), 0.5)}, "noise_variance (--noise-variance)"),
        ({"labels": 1 - (X[:, 0] + X[:, 1] > 4)}, "labels (--labels)"),
    ],
)
def test_what_the_fit_had_not_is_the_likely_cause(mixture, beside, words):
    for each in (beside, {**beside, "groups": np.arange(len(X))}):
        with pytest.raises(ValueError, match="fitted without") as told:
            mixture.standard_errors(X, **each)
        assert f"fitted without {words}: that is the likely cause" in str(told.value)
        assert "standard errors" in str(told.value)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_equal_components_are_named():
    """They are a fixed point of EM where the likelihood rises if they part."""
    x = R.normal(size=(400, 2))
    twice = GaussianMixture.from_parameters(
        [0.3, 0.7], [x.mean(0)] * 2, [np.cov(x.T, bias=True)] * 2
    ).set_params(reg_covar=0.0)
    with pytest.raises(ValueError, match=r"at no maximum .*components 0, 1 raise it both ways"):
        twice.standard_errors(x)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("covariance_type", ["full", "VEE", "EEV", "VEV", "EVV"])
def test_a_fit_that_has_hardly_begun_is_at_no_maximum(covariance_type):
    """Two components of three are one cluster's yet: the likelihood curves upwards between them."""
    early = GaussianMixture(
        3, covariance_type=covariance_type, max_iter=4, init_params="random", random_state=0
    ).fit(X)
    with pytest.raises(ValueError, match=r"at no maximum .* both ways \(curvature -.*smaller tol"):
        early.standard_errors(X)


def test_components_on_a_floor_are_named():
    x = np.concatenate([X, np.full((40, 2), 9.0)])
    with pytest.warns(UserWarning, match="rest on a floor"):
        mixture = fitted(x, 3, reg_covar=1e-6, means_init=[[0, 0], [4, 4], [9, 9]])
    with pytest.raises(ValueError, match="rest on a floor"):
        mixture.standard_errors(x)
