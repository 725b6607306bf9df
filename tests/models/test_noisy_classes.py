"""Classifiers of rows with known noise: fits, predictions and accuracy."""

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from daskgmm import GaussianMixture, GaussianMixtureClassifier
from daskgmm.errors import SettingError

N, D = 240, 2
RANDOM = np.random.default_rng(0)
Z = RANDOM.integers(0, 2, N)
NOISE = RANDOM.uniform(0.05, 2.0, (N, D))
BEHIND = np.array([[0.0, 0.0], [3.0, 1.0]])[Z] + RANDOM.normal(size=(N, D))
X = BEHIND + np.sqrt(NOISE) * RANDOM.normal(size=(N, D))
Y = np.where(RANDOM.random(N) < 0.5, Z, -1)
NAMES = np.array(["u", "v"])
FRAME = pd.DataFrame(np.hstack([X, NOISE]), columns=["a", "b", "ea", "eb"])
FRAME["y"] = np.where(Y < 0, None, NAMES[Y])
COLUMNS = {"noise_variance": ["ea", "eb"]}


@pytest.fixture(scope="module")
def fitted():
    return GaussianMixtureClassifier(random_state=0).fit(X, Y, noise_variance=NOISE)


def joint(mixture, noise=NOISE):
    """Log joint densities of the classes and rows, each with its noise, (n, 2)."""
    return np.array(
        [
            [
                np.log(weight) + multivariate_normal(mean, covariance + np.diag(own)).logpdf(row)
                for weight, mean, covariance in zip(
                    mixture.weights_, mixture.means_, mixture.covariances_, strict=True
                )
            ]
            for row, own in zip(X, np.broadcast_to(noise, X.shape), strict=True)
        ]
    )


def test_the_mixture_is_that_of_labelled_rows(fitted):
    expected = GaussianMixture(2, random_state=0).fit(X, labels=Y, noise_variance=NOISE)
    assert_array_equal(fitted.mixture_.means_, expected.means_)
    assert_array_equal(fitted.mixture_.lower_bounds_, expected.lower_bounds_)


def test_classes_have_densities_with_the_noise_of_each_row(fitted):
    log, given = joint(fitted.mixture_), {"noise_variance": NOISE}
    posterior = np.exp(log - logsumexp(log, axis=1)[:, None])
    assert_allclose(fitted.predict_proba(X, **given), posterior, rtol=1e-9)
    assert_allclose(np.exp(fitted.predict_log_proba(X, **given)), posterior, rtol=1e-9)
    assert_allclose(fitted.score_samples(X, **given), logsumexp(log, axis=1), rtol=1e-9)
    found = fitted.predict(X, **given)
    assert_array_equal(found, log.argmax(axis=1))
    known = Y >= 0
    assert fitted.score(X, Y, **given) == pytest.approx((found == Y)[known].mean())
    weights = np.linspace(0.0, 2.0, N)
    accuracy = weights[known] @ (found == Y)[known] / weights[known].sum()
    assert fitted.score(X, Y, weights, **given) == pytest.approx(accuracy)
    assert (found != fitted.predict(X)).any()


def test_noise_that_all_rows_share(fitted):
    log = joint(fitted.mixture_, NOISE[0])
    assert_array_equal(fitted.predict(X, noise_variance=NOISE[0]), log.argmax(axis=1))
    right = (log.argmax(axis=1) == Y)[Y >= 0].mean()
    assert fitted.score(X, Y, noise_variance=NOISE[0]) == pytest.approx(right)


def test_lazy_rows_and_noise(fitted):
    x, noise = da.from_array(X, chunks=(50, D)), da.from_array(NOISE, chunks=(50, D))
    found = fitted.predict(x, noise_variance=noise)
    assert_array_equal(found.compute(), fitted.predict(X, noise_variance=NOISE))
    y = da.from_array(Y, chunks=70)
    expected = fitted.score(X, Y, noise_variance=NOISE)
    assert fitted.score(x, y, noise_variance=noise) == pytest.approx(expected)


def test_columns_beside_a_column_of_texts(tmp_path, fitted):
    FRAME.to_parquet(tmp_path / "t.parquet", row_group_size=100)
    expected = fitted.predict(X, noise_variance=NOISE)
    for x in (FRAME, tmp_path / "t.parquet"):
        found = GaussianMixtureClassifier(random_state=0).fit(x, "y", **COLUMNS)
        assert found.feature_names_in_.tolist() == ["a", "b"]
        assert_allclose(found.mixture_.means_, fitted.mixture_.means_, rtol=1e-6)
        assert_array_equal(np.asarray(found.predict(x, **COLUMNS)), NAMES[expected])
        accuracy = fitted.score(X, Y, noise_variance=NOISE)
        assert found.score(x, "y", **COLUMNS) == pytest.approx(accuracy)


def test_variables_of_a_grid(fitted):
    grid = xr.Dataset({name: (("y", "x"), FRAME[name].to_numpy().reshape(12, 20)) for name in "ab"})
    noise = xr.Dataset({n: (("y", "x"), NOISE[:, j].reshape(12, 20)) for j, n in enumerate("ab")})
    labels = xr.DataArray(Y.reshape(12, 20), dims=("y", "x"))
    found = GaussianMixtureClassifier(random_state=0).fit(grid, labels, noise_variance=noise)
    assert_allclose(found.mixture_.means_, fitted.mixture_.means_, rtol=1e-6)
    accuracy = fitted.score(X, Y, noise_variance=NOISE)
    assert found.score(grid, labels, noise_variance=noise) == pytest.approx(accuracy)


@pytest.mark.filterwarnings("ignore::daskgmm.errors.ChoiceWarning")
@pytest.mark.parametrize("noise", [NOISE, NOISE[0]], ids=["each", "shared"])
def test_mixtures_of_their_own_are_deconvolved(noise):
    settings = {"structures": "own", "random_state": 0, "tol": 1e-6}
    found = GaussianMixtureClassifier(**settings).fit(X, Y, noise_variance=noise)
    for j in (0, 1):
        rows = j == Y
        own = noise[rows] if noise.ndim == 2 else noise
        alone = GaussianMixture(1, tol=1e-6).fit(X[rows], noise_variance=own)
        assert_allclose(found.mixture_.means_[j], alone.means_[0], atol=1e-3)
        assert_allclose(found.mixture_.covariances_[j], alone.covariances_[0], atol=1e-3)


def test_what_knows_no_noise_says_why_before_rows_are_read():
    def unread(block):
        raise AssertionError("a row was read")

    x = da.zeros((N, D), chunks=50).map_blocks(unread, meta=np.empty((0, 0)))
    classifier = GaussianMixtureClassifier(standardise=True)
    with pytest.raises(SettingError, match="standardise and pca map rows"):
        classifier.fit(x, Y, noise_variance=NOISE)
