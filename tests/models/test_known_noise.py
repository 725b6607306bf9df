"""Rows with noise of known variance: fits, scores and predictions of what is behind them."""

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from scipy.stats import multivariate_normal
from sklearn.exceptions import ConvergenceWarning

import daskgmm
from daskgmm import BayesianGaussianMixture, GaussianMixture
from daskgmm.companions import Companions
from daskgmm.errors import CheckpointError, DataError, SettingError
from daskgmm.gaussian import STRUCTURES, Parameters
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.covariance.algebra import packed
from daskgmm.gaussian.deconvolution.kernel import RowNoiseKernel, row_noise_moments
from daskgmm.gaussian.deconvolution.known import shrunk
from daskgmm.gaussian.kernels.numpy_backend import NumpyBackend
from daskgmm.models.model_file import load_model, save_model
from tests.gaussian.deconvolution import row_by_row

TYPES = ("full", "diag", "spherical", "tied")

K, D = 2, 3


def behind(n, seed=0):
    """Return rows without noise, of two components."""
    random = np.random.default_rng(seed)
    component = random.random(n) < 0.4
    first = random.multivariate_normal([0, 0, 0], [[1, 0.8, 0], [0.8, 1, 0.2], [0, 0.2, 0.5]], n)
    second = random.multivariate_normal([4, 1, -1], np.diag([0.3, 0.2, 1.0]), n)
    return np.where(component[:, None], first, second)


def noisy(n=300, full=False, seed=0):
    """Return rows, their noise as it is given, and its covariances (n, d, d)."""
    random = np.random.default_rng(seed + 1)
    noise = random.uniform(0.1, 2.0, (n, D))
    matrices = noise[:, :, None] * np.eye(D)
    if full:
        factors = random.normal(size=(n, D, D)) * 0.6
        noise = matrices = factors @ factors.transpose(0, 2, 1)
    errors = np.einsum("nij,nj->ni", np.linalg.cholesky(matrices), random.normal(size=(n, D)))
    return behind(n, seed) + errors, noise, matrices


def given(structure):
    """Return weights, means, covariances (k, d, d) to start from, and the arguments that say so."""
    weights, means = np.array([0.5, 0.5]), np.array([[0.5, 0, 0], [3.0, 1, -1]])
    if structure == "full":
        covariances = np.array([[[1, 0.3, 0], [0.3, 1, 0], [0, 0, 1.0]], np.eye(D)])
    else:
        covariances = np.array([np.eye(D), np.eye(D)])
    precisions = np.linalg.inv(covariances)
    shaped = {
        "full": precisions,
        "tied": precisions[0],
        "diag": np.ones((K, D)),
        "spherical": np.ones(K),
    }
    init = {"weights_init": weights, "means_init": means, "precisions_init": shaped[structure]}
    return (weights, means, covariances), init


def matrices_of(mixture):
    structure = STRUCTURES[mixture.covariance_type]
    inside = structure.internal(mixture.covariances_, K, D)
    return np.broadcast_to(structure.precision.matrices(inside, D), (K, D, D))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("full", [False, True], ids=["variances", "covariances"])
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("structure", TYPES)
def test_five_iterations_row_by_row(structure, weighted, full):
    x, noise, matrices = noisy(120, full)
    of_rows = np.random.default_rng(5).uniform(0, 2, len(x)) if weighted else None
    found, init = given(structure)
    for _ in range(5):
        sums = row_by_row.moments(x, matrices, *found, of_rows)
        found = row_by_row.step(sums, structure, 1e-6)
    mixture = GaussianMixture(
        K, covariance_type=structure, acceleration=None, max_iter=5, tol=0.0, **init
    ).fit(x, sample_weight=of_rows, noise_variance=noise)
    np.testing.assert_allclose(mixture.weights_, found[0], rtol=1e-10)
    np.testing.assert_allclose(mixture.means_, found[1], rtol=1e-10)
    np.testing.assert_allclose(matrices_of(mixture), found[2], rtol=1e-10, atol=1e-12)
    total = len(x) if of_rows is None else of_rows.sum()
    assert mixture.lower_bound_ == pytest.approx(sums.log_likelihood / total, rel=1e-12)


def test_one_component_in_closed_form():
    x, variance = behind(400)[:, :1], 0.1
    mixture = GaussianMixture(tol=1e-10, reg_covar=0.0).fit(x, noise_variance=variance)
    assert mixture.means_[0, 0] == pytest.approx(x.mean(), rel=1e-8)
    assert mixture.covariances_.item() == pytest.approx(x.var() - variance, rel=1e-6)


@pytest.mark.parametrize("full", [False, True], ids=["variances", "covariances"])
def test_scores_and_predictions_are_those_of_wider_components(full):
    x, noise, matrices = noisy(80, full)
    mixture = GaussianMixture(K, random_state=0).fit(x, noise_variance=noise)
    own = mixture.weights_, mixture.means_, mixture.covariances_
    expected = row_by_row.log_densities(x, matrices, *own)
    found = mixture.score_samples(x, noise_variance=noise)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert mixture.score(x, noise_variance=noise) == pytest.approx(expected.mean(), rel=1e-12)
    n, p = len(x), mixture._n_parameters()
    bic = p * np.log(n) - 2 * expected.sum()
    assert mixture.bic(x, noise_variance=noise) == pytest.approx(bic, rel=1e-12)
    joint = [
        np.log(w)
        + np.array(
            [multivariate_normal.logpdf(a, m, v + c) for a, c in zip(x, matrices, strict=True)]
        )
        for w, m, v in zip(*own, strict=True)
    ]
    posterior = np.exp(np.array(joint) - expected).T
    found = mixture.predict_proba(x, noise_variance=noise)
    np.testing.assert_allclose(found, posterior, atol=1e-12)
    labels = mixture.predict(x, noise_variance=noise)
    np.testing.assert_array_equal(labels, posterior.argmax(axis=1))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::daskgmm.errors.DegenerateComponentWarning")
@pytest.mark.parametrize("full", [False, True], ids=["variances", "covariances"])
@pytest.mark.parametrize("structure", ["full", "diag", "tied"])
def test_noise_that_rows_share_is_that_of_each(structure, full):
    x, noise, _ = noisy(200, full)
    shared = noise[0]
    settings = {"covariance_type": structure, "max_iter": 20, **given(structure)[1]}
    for_all = GaussianMixture(K, **settings).fit(x, noise_variance=shared)
    # The last digit of one row: every row has a pattern of its own then.
    each = np.broadcast_to(shared, noise.shape).copy()
    each[0].flat[0] = np.nextafter(each[0].flat[0], 9)
    one_by_one = GaussianMixture(K, **settings).fit(x, noise_variance=each)
    np.testing.assert_allclose(for_all.means_, one_by_one.means_, rtol=1e-9)
    np.testing.assert_allclose(for_all.covariances_, one_by_one.covariances_, rtol=1e-7, atol=1e-9)
    scores = (
        for_all.score_samples(x, noise_variance=shared),
        for_all.score_samples(x, noise_variance=each),
    )
    np.testing.assert_allclose(*scores, rtol=1e-12)


def test_moments_are_the_gradient_of_the_likelihood():
    """By Fisher's identity, against central differences; acceleration relies on it."""
    x, noise, matrices = noisy(60)
    weights, means, covariances = given("full")[0]
    factors = STRUCTURES["full"].precision.factorise(covariances)
    kernel = RowNoiseKernel.about(Parameters("full", weights, means, covariances, factors), D)
    block = Block(x, Companions(noise=noise))
    (found,) = row_noise_moments(NumpyBackend(), [kernel], iter([block]))
    precisions, second = np.linalg.inv(covariances), packed.unpack(found.second, D)
    of_means = np.einsum("kij,kj->ki", precisions, found.first)
    excess = second - found.counts[:, None, None] * covariances
    of_covariances = 0.5 * precisions @ excess @ precisions

    def likelihood(at, spread):
        return row_by_row.moments(x, matrices, weights, at, spread).log_likelihood

    h, random = 1e-5, np.random.default_rng(0)
    along, across = random.normal(size=(K, D)), random.normal(size=(K, D, D))
    across = across + across.transpose(0, 2, 1)
    slope = likelihood(means + h * along, covariances) - likelihood(means - h * along, covariances)
    assert (of_means * along).sum() == pytest.approx(slope / (2 * h), rel=1e-6)
    ahead, back = covariances + h * across, covariances - h * across
    slope = likelihood(means, ahead) - likelihood(means, back)
    assert (of_covariances * across).sum() == pytest.approx(slope / (2 * h), rel=1e-6)


@pytest.mark.slow
def test_finds_the_density_without_noise():
    x, noise, _ = noisy(4000)
    true = np.array([[1, 0.8, 0], [0.8, 1, 0.2], [0, 0.2, 0.5]])
    plain = GaussianMixture(K, random_state=0).fit(x)
    mixture = GaussianMixture(K, random_state=0).fit(x, noise_variance=noise)
    own = mixture.means_[:, 0].argmin(), plain.means_[:, 0].argmin()
    found = mixture.covariances_[own[0]], plain.covariances_[own[1]]
    off = [np.abs(each - true).max() for each in found]
    assert off[0] < 0.2
    assert off[1] > 0.8
    whole = behind(4000, seed=9)
    assert mixture.score(whole) > plain.score(whole) + 0.2


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::daskgmm.errors.DegenerateComponentWarning")
@pytest.mark.filterwarnings("ignore::daskgmm.errors.ScaleWarning")
@pytest.mark.parametrize("acceleration", [None, "auto"])
@pytest.mark.parametrize("structure", TYPES)
def test_the_likelihood_never_falls(structure, acceleration):
    random = np.random.default_rng(0)
    x, noise, _ = noisy(150)
    bad = {
        "more noise than spread": (0.1 * x, 50 * noise),
        "some without": (x, noise * (random.random((len(x), 1)) < 0.5)),
        "scales apart": (x * [1e-4, 1.0, 1e4], noise * [1e-8, 1.0, 1e8]),
        "noise of any size": (x, noise * np.exp(8 * random.normal(size=noise.shape))),
        "equal rows": (np.repeat(x[:5], 30, axis=0), noise),
    }
    for name, (rows, of_rows) in bad.items():
        mixture = GaussianMixture(
            3, covariance_type=structure, acceleration=acceleration, max_iter=25, tol=1e-9,
            reg_covar=1e-10, init_params="k-means++", random_state=0,
        ).fit(rows, noise_variance=of_rows)  # fmt: skip
        bounds = np.array(mixture.lower_bounds_)
        assert np.isfinite(bounds).all(), name
        assert (np.diff(bounds) >= -1e-9 * np.abs(bounds[1:])).all(), name


def test_a_component_without_spread_of_its_own_is_told():
    random = np.random.default_rng(0)
    noise = random.uniform(0.5, 1.0, (500, 1))
    x = np.sqrt(noise) * random.normal(size=(500, 1)) * 0.7
    with pytest.warns(daskgmm.errors.DegenerateComponentWarning, match="standard error"):
        GaussianMixture(tol=1e-6).fit(x, noise_variance=noise)


@pytest.mark.slow
@pytest.mark.parametrize("structure", TYPES)
def test_no_noise_gives_the_bits_of_a_plain_fit(structure):
    x = behind(300)
    plain = GaussianMixture(K, covariance_type=structure, random_state=0).fit(x)
    for zero in (0.0, np.zeros(D), np.zeros((D, D)), np.zeros(x.shape), np.zeros((*x.shape, D))):
        mixture = GaussianMixture(K, covariance_type=structure, random_state=0)
        mixture.fit(x, noise_variance=zero)
        for name in ("weights_", "means_", "covariances_", "lower_bound_"):
            np.testing.assert_array_equal(getattr(mixture, name), getattr(plain, name))
    assert plain.score(x, noise_variance=0.0) == plain.score(x)
    close = plain.score_samples(x, noise_variance=np.zeros(x.shape))
    np.testing.assert_allclose(close, plain.score_samples(x), rtol=1e-12)


def fitted(x, noise, **arguments):
    mixture = GaussianMixture(K, max_iter=5, tol=0.0, **given("full")[1])
    with pytest.warns(ConvergenceWarning):
        return mixture.fit(x, noise_variance=noise, **arguments)


def assert_same_fit(one, other):
    np.testing.assert_array_equal(one.means_, other.means_)
    np.testing.assert_array_equal(one.covariances_, other.covariances_)


def test_sources(tmp_path):
    x, noise, _ = noisy(400)
    expected = fitted(x, noise)
    frame = pd.DataFrame(np.hstack([noise, x]), columns=["ea", "eb", "ec", "a", "b", "c"])
    names = ["ea", "eb", "ec"]
    of_frame = fitted(frame, names)
    assert_same_fit(of_frame, expected)
    assert list(of_frame.feature_names_in_) == ["a", "b", "c"]
    score = expected.score(x, noise_variance=noise)
    assert of_frame.score(frame, noise_variance=names) == score
    labels = expected.predict(x, noise_variance=noise)
    np.testing.assert_array_equal(of_frame.predict(frame, noise_variance=names), labels)
    frame["w"] = 1.0
    assert of_frame.score(frame, sample_weight="w", noise_variance=names) == pytest.approx(score)

    frame.to_parquet(tmp_path / "t.parquet", row_group_size=100)
    stored = daskgmm.open_parquet(tmp_path / "t.parquet", columns=["a", "b", "c"])
    assert_same_fit(fitted(stored, names), expected)
    assert of_frame.score(str(tmp_path / "t.parquet"), noise_variance=names) == pytest.approx(score)
    lazy = of_frame.predict(str(tmp_path / "t.parquet"), noise_variance=names)
    np.testing.assert_array_equal(lazy.compute(), labels)

    chunked, other = da.from_array(x, chunks=(100, D)), da.from_array(noise, chunks=(170, 2))
    assert_same_fit(fitted(chunked, other), expected)
    assert expected.score(chunked, noise_variance=other) == pytest.approx(score)
    lazy = expected.predict(chunked, noise_variance=other)
    assert lazy.chunks == ((100,) * 4,)
    np.testing.assert_array_equal(lazy.compute(), labels)
    full = noise[:, :, None] * np.eye(D)
    of_full = fitted(chunked, da.from_array(full, chunks=(100, 2, 2)))
    np.testing.assert_allclose(of_full.means_, expected.means_, rtol=1e-9)

    group = zarr.open_group(tmp_path / "z.zarr", mode="w")
    stored = [
        group.create_array(name, data=v, chunks=(80, D)) for name, v in (("x", x), ("e", noise))
    ]
    assert_same_fit(fitted(*stored), expected)


def test_grids():
    x, noise, _ = noisy(400)
    columns = pd.DataFrame(np.hstack([x, noise]), columns=["a", "b", "c", "ea", "eb", "ec"])
    on_grid = {name: (("y", "x"), columns[name].to_numpy().reshape(20, 20)) for name in columns}
    names, expected = ["ea", "eb", "ec"], fitted(x, noise)
    data = xr.Dataset(on_grid)
    for given_data in (data, data.chunk(y=5, x=20)):
        mixture = fitted(given_data, names)
        np.testing.assert_allclose(mixture.means_, expected.means_, rtol=1e-12)
        assert list(mixture.feature_names_in_) == ["a", "b", "c"]
        rest, beside = given_data[["a", "b", "c"]], given_data[names].transpose("x", "y")
        assert_same_fit(fitted(rest, beside), mixture)
        score = expected.score(x, noise_variance=noise)
        assert mixture.score(given_data, noise_variance=names) == pytest.approx(score)
        shared = mixture.predict(rest, noise_variance=[0.1, 0.2, 0.3])
        assert shared.dims == ("y", "x")
        own = mixture.predict(given_data, noise_variance=names)
        labels = expected.predict(x, noise_variance=noise).reshape(20, 20)
        np.testing.assert_array_equal(own.transpose("y", "x"), labels)
    rest = data[["a", "b", "c"]].assign_coords(x=np.arange(20))
    elsewhere = data[names].assign_coords(x=np.arange(1, 21))
    with pytest.raises(DataError, match="Align them"):
        GaussianMixture(K).fit(rest, noise_variance=elsewhere)


def test_rows_that_miss_a_variance_are_dropped():
    x, noise, _ = noisy(100)
    noise[3, 1], x[5, 0] = np.nan, np.nan
    keep = np.setdiff1d(np.arange(100), [3, 5])
    settings = {"init_params": "k-means++", "random_state": 0}
    mixture = GaussianMixture(K, missing="drop", **settings).fit(x, noise_variance=noise)
    expected = GaussianMixture(K, **settings).fit(x[keep], noise_variance=noise[keep])
    assert_same_fit(mixture, expected)
    assert mixture.fitted_on_["missing"] == 2
    labels = mixture.predict(x, noise_variance=noise)
    assert list(np.flatnonzero(labels == -1)) == [3, 5]
    assert mixture.score(x, noise_variance=noise) == pytest.approx(
        expected.score(x[keep], noise_variance=noise[keep]), rel=1e-12
    )


def test_a_killed_fit_goes_on(tmp_path):
    x, noise, _ = noisy(200)
    path = tmp_path / "c.json"
    settings = {"init_params": "k-means++", "random_state": 0, "tol": 1e-6}
    whole = GaussianMixture(K, **settings).fit(x, noise_variance=noise)
    begun = GaussianMixture(K, **settings, max_iter=3)
    with pytest.warns(ConvergenceWarning):
        begun.fit(x, noise_variance=noise, checkpoint=path)
    again = GaussianMixture(K, **settings).fit(x, noise_variance=noise, checkpoint=path)
    assert_same_fit(again, whole)
    for other in (noise + 1e-9, noise[0]):
        with pytest.raises(CheckpointError):
            GaussianMixture(K, **settings).fit(x, noise_variance=other, checkpoint=path)
    save_model(whole, tmp_path / "m.json")
    assert load_model(tmp_path / "m.json").score(x, noise_variance=noise) == whole.score(
        x, noise_variance=noise
    )


def test_bad_noise_is_named():
    x, _, matrices = noisy(50, full=True)
    variances = np.ones((50, D))

    def refused(value, words, **settings):
        with pytest.raises(DataError, match=words):
            GaussianMixture(K, **settings).fit(x, noise_variance=value)

    for value, words in ((-1.0, "contains -1 in row 7.*column 2"), (np.nan, "NaN in row 7"),
                         (np.inf, "infinity in row 7.*marginalise")):  # fmt: skip
        bad = variances.copy()
        bad[7, 2] = value
        refused(bad, words)
    skew = matrices.copy()
    skew[4, 0, 1] += 1.0
    refused(skew, "not symmetric in row 4")
    indefinite = matrices.copy()
    indefinite[9] = np.diag([1.0, 1.0, 1.0]) + 5 * (1 - np.eye(D))
    refused(indefinite, "negative eigenvalue, -4.*row 9")
    refused(variances[:, :2], r"shape \(50, 2\)")
    refused(np.ones((49, D)), r"shape \(49, 3\)")
    refused(["a"], "no column 'a'")
    variances[7, 2] = -1
    mixture = GaussianMixture(K, random_state=0).fit(x)
    with pytest.raises(DataError, match="row 7"):
        mixture.score(x, noise_variance=variances)


@pytest.mark.parametrize(
    "settings",
    [
        {"missing": "marginalise"}, {"pca": 2}, {"standardise": True}, {"noise": True},
        {"tails": "t"}, {"covariance_type": "ppca", "n_factors": 1},
    ],
    ids=str,
)  # fmt: skip
def test_settings_that_do_not_go_with_it_are_refused(settings):
    x, noise, _ = noisy(50)
    mixture = GaussianMixture(K, **settings)
    with pytest.raises(SettingError, match="noise_variance does not go"):
        mixture.fit(x, noise_variance=noise)
    with pytest.raises(SettingError, match="Bayesian"):
        BayesianGaussianMixture(K).fit(x, noise_variance=noise)


@pytest.mark.parametrize("settings", [
    {"equal_weights": True}, {"prior": "conjugate"}, {"covariance_type": "VVE"},
    {"covariance_type": "EII"}, {"init_params": "random_from_data"}, {"init_params": "k-means++"},
], ids=str)  # fmt: skip
def test_settings_that_go_with_it(settings):
    x, noise, _ = noisy(200)
    mixture = GaussianMixture(K, random_state=0, max_iter=300, **settings)
    mixture.fit(x, noise_variance=noise)
    assert (np.diff(mixture.lower_bounds_) >= -1e-10).all()
    assert np.sort(mixture.means_[:, 0])[1] == pytest.approx(4, abs=0.5)


def test_a_plan_knows_of_it():
    x, noise, _ = noisy(50)
    plain, found = daskgmm.plan(x, K), daskgmm.plan(x, K, noise_variance=noise)
    assert found.thread_nbytes > plain.thread_nbytes
    assert found.pass_nbytes == 2 * plain.pass_nbytes


def test_a_warm_start_takes_no_likelihood_of_other_noise():
    x, noise, _ = noisy(200)
    mixture = GaussianMixture(K, init_params="k-means++", random_state=0, warm_start=True)
    mixture.fit(x, noise_variance=0.5 * noise)
    assert len(mixture.fitted_on_["noise_variance"]) == D
    before = mixture.lower_bound_
    mixture.fit(x, noise_variance=noise)
    first = mixture.history_["change"][0]
    assert not np.isfinite(first)
    assert mixture.lower_bound_ != before
    for other in (noise[::-1], 0.0):  # of the same mean, and none
        before = mixture.lower_bound_
        mixture.fit(x, noise_variance=other)
        assert not np.isfinite(mixture.history_["change"][0])
        score = mixture.score(x, noise_variance=other)
        assert mixture.lower_bound_ == pytest.approx(score, abs=1e-3)
    again = mixture.fit(x)
    assert np.isfinite(again.history_["change"][0])


def test_a_single_name_is_that_of_the_only_column(tmp_path):
    x, noise, _ = noisy(200)
    frame = pd.DataFrame({"a": x[:, 0], "e": noise[:, 0]})
    frame.to_parquet(tmp_path / "t.parquet")
    data = xr.Dataset({name: ("row", frame[name].to_numpy()) for name in frame})
    settings = {"init_params": "k-means++", "random_state": 0}
    expected = GaussianMixture(K, **settings).fit(x[:, :1], noise_variance=noise[:, 0])
    score = expected.score(x[:, :1], noise_variance=noise[:, :1])
    for given_data in (frame, str(tmp_path / "t.parquet"), data):
        mixture = GaussianMixture(K, **settings).fit(given_data, noise_variance="e")
        np.testing.assert_allclose(mixture.means_, expected.means_, rtol=1e-12)
        assert mixture.score(given_data, noise_variance="e") == pytest.approx(score, rel=1e-12)


@pytest.mark.slow
def test_columns_of_any_units_begin_with_a_spread():
    x, noise, _ = noisy(400)
    covariances, known = np.cov(x.T)[None], np.diag(noise.mean(axis=0))
    plain = shrunk(covariances, known)
    np.testing.assert_allclose(
        plain[0], covariances[0] @ np.linalg.inv(covariances[0] + known) @ covariances[0]
    )
    for scale in (np.array([1e-8, 1.0, 1e8]), np.array([1e60, 1.0, 1e-60])):
        units = np.outer(scale, scale)
        np.testing.assert_allclose(shrunk(covariances * units, known * units), plain * units)
        found = GaussianMixture(K, reg_covar=0.0, random_state=0, tol=1e-3)
        found.fit(x * scale, noise_variance=noise * scale**2)
        assert np.isfinite(found.lower_bound_)


def test_noise_in_single_precision_is_checked_as_any_other():
    x, noise, _ = noisy(100)
    single = noise.astype(np.float32)
    assert_same_fit(fitted(x, single), fitted(x, single.astype(np.float64)))  # no warning of a cast
    single[7, 1] = np.inf
    with pytest.raises(DataError, match=r"infinity in row 7 .* column 1"):
        GaussianMixture(K).fit(x, noise_variance=single)


def test_what_is_behind_a_mask_is_no_noise():
    x, noise, _ = noisy(100)
    masked = np.ma.masked_greater(noise, 0.3)
    mixture = fitted(x, noise)
    for given_noise in (masked, da.from_array(masked, chunks=50), np.ma.masked_array(noise[0])):
        with pytest.raises(DataError, match="is masked"):
            GaussianMixture(K).fit(x, noise_variance=given_noise)
        with pytest.raises(DataError, match="is masked"):
            mixture.predict(da.from_array(x, chunks=50), noise_variance=given_noise)


def test_names_of_features_in_another_order_are_refused():
    x, noise, _ = noisy(100)
    columns = ["a", "b", "c"]
    frame, other = pd.DataFrame(x, columns=columns), pd.DataFrame(noise, columns=columns)
    assert_same_fit(fitted(frame, other), fitted(x, noise))
    with pytest.raises(DataError, match="another order: c, b, a"):
        GaussianMixture(K).fit(frame, noise_variance=other[["c", "b", "a"]])
    grid = xr.DataArray(x, dims=("time", "band"), coords={"band": columns})
    of_grid = xr.DataArray(noise, dims=("time", "band"), coords={"band": columns})
    with pytest.raises(DataError, match="another order"):
        GaussianMixture(K).fit(
            grid, noise_variance=of_grid.isel(band=[2, 1, 0]), feature_dims=["band"]
        )


def test_a_matrix_of_as_many_rows_as_features_is_said_to_be_either():
    mixture = fitted(*noisy(100)[:2])
    x, matrix = noisy(100)[0][:D], np.diag([0.1, 0.2, 0.3])
    with pytest.raises(DataError, match="may be the covariance of all rows, or the variances"):
        mixture.score_samples(x, noise_variance=matrix)
    of_all = mixture.score_samples(x, noise_variance=np.broadcast_to(matrix, (D, D, D)))
    shared = mixture.score_samples(np.repeat(x, 2, axis=0), noise_variance=matrix)
    np.testing.assert_allclose(of_all, shared[::2], rtol=1e-12)
    each = np.abs(np.random.default_rng(0).normal(size=(D, D)))
    rows = [mixture.score_samples(x[i : i + 1], noise_variance=each[i])[0] for i in range(D)]
    np.testing.assert_allclose(mixture.score_samples(x, noise_variance=each), rows, rtol=1e-12)
    one = GaussianMixture(1).fit(x[:, :1], noise_variance=[[0.01]])
    assert one.means_.item() == pytest.approx(x[:, 0].mean())


def test_rows_of_weight_0_have_any_noise_in_scores_too():
    x, noise, _ = noisy(100)
    mixture, weights, bad = fitted(x, noise), np.ones(100), noise.copy()
    weights[:9], bad[:3], bad[3:6], bad[6:9] = 0, np.nan, np.inf, -1
    found = mixture.score(x, sample_weight=weights, noise_variance=bad)
    assert found == pytest.approx(mixture.score(x[9:], noise_variance=noise[9:]), rel=1e-12)


def test_lazy_predictions_check_the_noise_and_read_paths(tmp_path):
    x, noise, _ = noisy(100)
    mixture, lazy = fitted(x, noise), da.from_array(x, chunks=(40, D))
    expected = mixture.predict_proba(x, noise_variance=noise)
    zarr.create_array(tmp_path / "e.zarr", data=noise, chunks=(30, D))
    np.save(tmp_path / "e.npy", noise)
    full = noise[:, :, None] * np.eye(D)
    for found in (noise, str(tmp_path / "e.zarr"), str(tmp_path / "e.npy"), full):
        np.testing.assert_allclose(mixture.predict_proba(lazy, noise_variance=found), expected)
    for wrong in (noise[:-1], noise[:, :1], np.hstack([noise] * D), da.from_array(noise[:, :2])):
        with pytest.raises(DataError, match="has the shape"):
            mixture.predict(lazy, noise_variance=wrong)


@pytest.mark.slow
def test_fit_predict_takes_noise():
    x, noise, _ = noisy(100)
    settings = {"n_components": K, "random_state": 0, "tol": 1e-2}
    mixture = GaussianMixture(**settings).fit(x, noise_variance=noise)
    labels = GaussianMixture(**settings).fit_predict(x, noise_variance=noise)
    np.testing.assert_array_equal(labels, mixture.predict(x, noise_variance=noise))


def test_what_takes_rows_for_exact_ones_is_refused(tmp_path):
    x, noise, _ = noisy(100)
    mixture = fitted(x, noise)
    save_model(mixture, tmp_path / "m.json")
    for each in (mixture, load_model(tmp_path / "m.json")):
        for method in (each.drift, each.moments, each.update, each.standard_errors):
            with pytest.raises(SettingError, match="noise_variance"):
                method(x)
    fitted(x, np.zeros(D)).moments(x)


def test_a_list_of_paths_is_no_list_of_columns():
    with pytest.raises(DataError, match="Give noise_variance as one array"):
        GaussianMixture(K).fit(noisy(100)[0], noise_variance=["a.zarr", "b.zarr"])
