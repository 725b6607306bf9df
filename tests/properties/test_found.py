"""What properties found, as plain cases."""

import numpy as np
import pytest

from daskgmm import GaussianMixture, sweep
from daskgmm.em.k_means import squarable
from daskgmm.em.starts.clustering import revealing
from daskgmm.em.starts.trimming import loneliness
from daskgmm.errors import DegenerateComponentWarning
from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.gaussian.covariance.low_rank.factor_analysis import first_noise
from daskgmm.gaussian.covariance.low_rank.families import FAMILIES
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.kernels.kernel import Sums
from daskgmm.gaussian.m_step import maximise
from daskgmm.gaussian.moments import Moments
from tests.gaussian.mixtures import parameters_of
from tests.properties.models import quiet

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2"])
def test_k_means_plus_plus_of_small_integers(dtype):
    """scikit-learn squares them in their own type: bytes were an error, others overflowed."""
    centers = np.repeat([[10, 100], [100, 10], [110, 110]], 20, axis=0)
    x = (centers + RANDOM.integers(-9, 10, (60, 2))).astype(dtype)
    settings = {"init_params": "k-means++", "acceleration": None, "random_state": 0}
    found = GaussianMixture(3, **settings).fit(x)
    expected = GaussianMixture(3, **settings).fit(x.astype(float))
    np.testing.assert_array_equal(found.means_, expected.means_)
    np.testing.assert_allclose(found.weights_, 1 / 3)


@pytest.mark.parametrize("size", [1e140, 1e-140])
def test_weights_beyond_float32_of_float32_rows(size):
    """k-means had them as float32: infinite or 0."""
    x = np.concatenate([RANDOM.normal(size=(30, 2)), RANDOM.normal(9.0, 1.0, size=(30, 2))])
    weights = RANDOM.uniform(1.0, 2.0, 60)
    assert squarable(x.astype("f4"), weights).dtype == np.float32
    found, expected = (
        GaussianMixture(2, random_state=0).fit(x.astype("f4"), sample_weight=weights * scale)
        for scale in (size, 1.0)
    )
    np.testing.assert_allclose(found.means_, expected.means_, rtol=1e-6)


def test_no_variance_along_an_axis_is_negative():
    """Of rows along one axis, rounding left -1e-17 along others, and a root of it was taken."""
    for _ in range(20):
        direction = RANDOM.normal(size=4)
        scatter = np.outer(direction, direction)
        coordinates = Coordinates(np.zeros(4), np.ones(4), np.linalg.eigh(scatter)[1])
        assert (np.diagonal(coordinates.apply_scatter(scatter)) >= 0).all()


def test_inverses_of_singular_matrices_may_have_a_diagonal_of_0():
    """Noise of factors begins at 1 over it, or where that tells nothing at the variances.

    What is on the diagonal is rounding, another one on other processors.
    """
    rows = np.array([[1, 0, 0, 1, 1], [0, 1, 0, 0, 1], [0, 1, 1, 1, 1]], float)
    found = first_noise(rows.T @ rows, 2)
    assert (found > 0).all()
    np.testing.assert_array_less(found, 0.8 * np.array([1.0, 2.0, 1.0, 2.0, 3.0]) + 1e-12)


def test_rows_are_drawn_in_any_units():
    """NumPy warned of a covariance that is no matrix of variances, where these are large."""
    covariance = [[2.83315416e18, -2.45228265e09], [-2.45228265e09, 2.83315416e18]]
    mixture = GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], [covariance], random_state=0)
    found = np.cov(mixture.sample(20_000)[0].T)
    np.testing.assert_allclose(found, covariance, atol=0.03 * covariance[0][0])


def test_swapped_bytes_do_not_change_the_type_of_predictions():
    mixture = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [4.0]], [1.0, 1.0])
    x = RANDOM.normal(size=(5, 1)).astype("f4")
    for found in map(mixture.predict_proba, (x, x.astype(x.dtype.newbyteorder()))):
        assert found.dtype == np.float32


def test_principal_axes_of_columns_in_memory_are_those_of_rows():
    """The product with the axes rounded otherwise for tables of Arrow, whose columns lie apart."""
    x = RANDOM.normal(size=(500, 5)) * [1e-5, 4e3, 6e2, 4e11, 8e15]
    coordinates = Coordinates(
        np.zeros(5), np.ones(5), np.linalg.qr(RANDOM.normal(size=(5, 5)))[0][:, :1]
    )
    found, expected = map(coordinates.apply, (np.asfortranarray(x), x))
    assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("room", [{"noise": True}, {"tails": "t"}, {"tails": "contaminated"}])
@pytest.mark.parametrize("dtype", ["?", "i1"])
def test_rows_of_any_type_have_lonely_ones(dtype, room):
    """Quantiles of truth values were an error of NumPy, and differences of bytes overflowed."""
    x = np.concatenate([np.full((15, 2), -100), np.full((45, 2), 100)])
    x = x + RANDOM.integers(-20, 21, x.shape)
    x = x > 90 if dtype == "?" else x.astype(dtype)
    np.testing.assert_array_equal(loneliness(x, np.ones(60)), loneliness(x * 1.0, np.ones(60)))
    settings = {"reg_covar": 0.01, "max_iter": 2, "acceleration": None, "random_state": 0} | room
    found, expected = (GaussianMixture(2, **settings) for _ in range(2))
    with quiet():
        np.testing.assert_allclose(found.fit(x).means_, expected.fit(x * 1.0).means_, rtol=1e-9)


@pytest.mark.parametrize("room", [{}, {"tails": "t"}])
def test_starts_beside_rows_of_hardly_any_weight(room):
    """Axes of 1e300 were multiplied by rows that whitening had put at 1e150."""
    x = np.concatenate([np.zeros((8, 2)), RANDOM.normal(size=(8, 2))])
    x[:, 1] += 5.0 * (np.arange(16) % 2)
    weights = np.where(np.arange(16) < 8, RANDOM.uniform(1.0, 2.0, 16), 1e-300)
    axes = revealing(x * [1e150, 1.0], weights)
    assert 0.5 <= np.abs(axes).max() <= 1.0
    with quiet():
        mixture = GaussianMixture(2, random_state=0, **room).fit(x, sample_weight=weights)
    mean = weights @ x / weights.sum()
    np.testing.assert_allclose(mixture.weights_ @ mixture.means_, mean, atol=1e-9)


@pytest.mark.parametrize("reg_covar", [0.0, 1e-311])
@pytest.mark.parametrize("name", [*STRUCTURES, *FAMILIES])
def test_rows_whose_variances_have_no_inverses_are_refused(name, reg_covar):
    """Of rows of 1e-156 `spherical` had the score -1e300 in silence, others errors of LAPACK."""
    x = 1e-156 * RANDOM.normal(size=(22, 3))
    with pytest.raises(ValueError, match="scale the input data"):
        GaussianMixture(1, reg_covar=reg_covar, **structure_and_factors(name)).fit(x)


def structure_and_factors(name):
    return {"covariance_type": name} | ({"n_factors": 1} if name in FAMILIES else {})


def test_such_rows_can_be_standardised():
    x = 1e-156 * RANDOM.normal(size=(22, 3))
    means = GaussianMixture(1, standardise=True).fit(x).means_in_data_units()[0]
    np.testing.assert_allclose(means / 1e-156, x.mean(0) / 1e-156, atol=1e-9)


@pytest.mark.parametrize("name", ["ppca", "factor"])
@pytest.mark.parametrize("size", [2.0**-280, 2.0**280, 2.0**400])
def test_factors_of_any_units(name, size):
    """Squares of variances beyond 1e154 overflowed, and the loadings were 0 in silence."""
    x = RANDOM.normal(size=(60, 1)) * [3.0, -2.0, 1.0] + RANDOM.normal(size=(60, 3))
    settings = {"covariance_type": name, "n_factors": 1, "reg_covar": 0.0, "max_iter": 5}
    with quiet():
        found, expected = (GaussianMixture(1, **settings).fit(x * scale) for scale in (size, 1.0))
    np.testing.assert_allclose(
        found.covariances_in_data_units() / size / size,
        expected.covariances_in_data_units(), rtol=1e-9, atol=1e-12,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["spherical", "EII", "ppca"])
@pytest.mark.parametrize("reg_covar", [1e-6, 1e-19, 1e-310, 0.0])
def test_noise_that_takes_all_rows_is_told(name, reg_covar):
    """The box of a constant column is as thin as `reg_covar`; components of one variance are not.

    All rows were outliers without a word, or the likelihood was nan by the square of no width.
    """
    x = RANDOM.normal(size=(100, 3))
    x[:, 1] = 2.5
    settings = structure_and_factors(name) | {"reg_covar": reg_covar, "noise": True}
    mixture = GaussianMixture(1, random_state=0, **settings)
    with pytest.warns(DegenerateComponentWarning, match="has nearly all rows"):
        mixture.fit(x)
    assert (mixture.predict(x) == -1).all()
    assert mixture.weights_[0] + mixture.noise_weight_ == pytest.approx(1.0)
    assert mixture.score(x) == pytest.approx(-mixture.noise_log_volume_)


def test_a_sweep_sets_aside_what_leaves_all_rows_to_the_noise():
    x = RANDOM.normal(size=(100, 3))
    x[:, 1] = 2.5
    found = sweep(x, [1], ["spherical", "full"], n_init=1, noise=True, random_state=0)
    assert found.table["degenerate"] == [1, 0]
    assert found.table["reason"][0].startswith("no rows: 0")
    assert found.best().covariance_type == "full"


def test_a_small_cluster_in_clutter_is_none_of_those():
    x = np.concatenate([RANDOM.uniform(-50.0, 50.0, (1000, 2)), 0.3 * RANDOM.normal(size=(30, 2))])
    mixture = GaussianMixture(
        1, noise=True, weights_init=[1.0], means_init=[[0.0, 0.0]], precisions_init=[np.eye(2)]
    ).fit(x)
    assert mixture.noise_weight_ == pytest.approx(1000 / 1030, abs=0.01)


@pytest.mark.parametrize("name", STRUCTURES)
def test_steps_of_a_mixture_whose_noise_has_every_row(name):
    """0 / 0 made the weights NaN."""
    structure = STRUCTURES[name]
    old = parameters_of(name, np.full(2, 0.5), np.zeros((2, 2)), [np.eye(2)] * 2)
    none = Sums.zeros(structure, 2, 2)
    nothing = Moments(none.sums, old.means, none.pooled, -1.0, 5.0, 5, noise=5.0)
    found = maximise(nothing, name, 1e-6, old).parameters
    np.testing.assert_array_equal(found.weights, old.weights)
    assert np.isfinite(found.covariances).all()


@pytest.mark.parametrize("size", [1e-170, 1e-250])
def test_weights_whose_squares_underflow(size):
    """Degrees of freedom stayed where they begin, and standard errors were 0, in silence."""
    random = np.random.default_rng(1)
    x = np.concatenate([random.standard_t(3.0, size=(80, 2)), random.normal(9.0, 1.0, (80, 2))])
    weights = random.uniform(1.0, 2.0, 160)
    settings = {"max_iter": 5, "acceleration": None, "random_state": 0}
    expected, found = (
        GaussianMixture(2, tails="t", **settings) for _ in range(2)
    )  # fmt: skip
    with quiet():
        expected.fit(x, sample_weight=weights)
        found.fit(x, sample_weight=weights * size)
    assert expected.tail_degrees_.min() < 30.0
    np.testing.assert_allclose(found.tail_degrees_, expected.tail_degrees_, rtol=1e-6)
    mixture = GaussianMixture(1).fit(x, sample_weight=weights)
    one, other = (
        mixture.standard_errors(x, sample_weight=each) for each in (weights, weights * size)
    )
    np.testing.assert_allclose(other.means, one.means, rtol=1e-9)
    np.testing.assert_allclose(other.covariances, one.covariances, rtol=1e-9)


@pytest.mark.parametrize("name", ["full", "diag"])
def test_standard_errors_beside_a_constant_column(name):
    """The step of its values is unknown, and infinity times 0 was given to LAPACK."""
    x = RANDOM.normal(size=(300, 3))
    x[:, 1] = 7.0
    found = GaussianMixture(1, covariance_type=name).fit(x).standard_errors(x)
    # The variance of a mean, of the rows and of `reg_covar`.
    np.testing.assert_allclose(found.means[0], np.sqrt(x.var(0) / 299), rtol=1e-5, atol=1e-12)
