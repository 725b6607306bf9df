"""Imputation by draws: the conditional distribution, whatever the chunks, with a seed."""

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from numpy.testing import assert_allclose, assert_array_equal

from daskgmm import GaussianMixture
from daskgmm.errors import SettingError
from daskgmm.models.predictions.posteriors import gaps
from daskgmm.models.predictions.posteriors.gaps import Draws

N = 20_000
COVARIANCE = np.array([[2.0, 0.9, 0.3], [0.9, 1.0, -0.2], [0.3, -0.2, 0.5]])
MEAN = np.array([1.0, -2.0, 5.0])


def mixture_of(weights, means, covariances):
    return GaussianMixture.from_parameters(weights, means, covariances).set_params(
        missing="marginalise"
    )


@pytest.fixture
def one():
    return mixture_of([1.0], [MEAN], [COVARIANCE])


@pytest.fixture
def two():
    """Two components that the first column does not tell from each other."""
    means = [[0.0, -5.0, 0.0], [0.0, 5.0, 1.0]]
    return mixture_of([0.3, 0.7], means, [np.eye(3), 0.5 * np.eye(3) + 0.5])


@pytest.fixture
def x():
    random = np.random.default_rng(0)
    x = random.multivariate_normal(MEAN, COVARIANCE, size=N)
    x[random.random(N) < 0.4, 1] = np.nan
    x[random.random(N) < 0.3, 2] = np.nan
    x[:2] = np.nan
    return x


def test_values_have_the_conditional_distribution(one, x):
    drawn, gaps = one.impute(x, random_state=1), np.isnan(x)
    assert_array_equal(drawn[~gaps], x[~gaps])
    assert_array_equal(np.isnan(drawn), gaps.all(axis=1)[:, None] & gaps)
    left = drawn - one.impute(x)
    of_one = gaps[:, 1] & ~gaps[:, 2] & ~gaps[:, 0]
    o, m = [0, 2], [1]
    inverse = np.linalg.inv(COVARIANCE[np.ix_(o, o)])
    slopes = COVARIANCE[np.ix_(m, o)] @ inverse
    variance = float((COVARIANCE[np.ix_(m, m)] - slopes @ COVARIANCE[np.ix_(o, m)])[0, 0])
    count = of_one.sum()
    assert abs(left[of_one, 1].mean()) < 3 * np.sqrt(variance / count)
    assert abs(left[of_one, 1].var() / variance - 1) < 3 * np.sqrt(2 / count)
    both = gaps[:, 1] & gaps[:, 2] & ~gaps[:, 0]
    slopes = COVARIANCE[1:, :1] / COVARIANCE[0, 0]
    expected = COVARIANCE[1:, 1:] - slopes @ COVARIANCE[:1, 1:]
    assert_allclose(np.cov(left[both, 1:].T), expected, atol=3 * 1.5 / np.sqrt(both.sum()))


def test_all_values_have_the_covariance_that_expected_ones_are_below(one, x):
    drawn = one.impute(x, random_state=2)[2:]
    assert_allclose(np.cov(drawn.T), COVARIANCE, atol=3 * np.sqrt(2) * 2 / np.sqrt(N))
    assert np.cov(one.impute(x)[2:].T)[1, 1] < 0.9 * COVARIANCE[1, 1]


def test_components_are_drawn_with_their_posterior_probabilities(two):
    x = np.tile([0.0, np.nan, np.nan], (N, 1))
    drawn = two.impute(x, random_state=0)
    share = two.predict_proba(x[:1])[0, 0]
    assert abs((drawn[:, 1] < 0).mean() - share) < 3 * np.sqrt(share * (1 - share) / N)
    assert abs(drawn[drawn[:, 1] < 0, 1].mean() + 5) < 3 / np.sqrt(share * N)
    assert abs(np.corrcoef(drawn[drawn[:, 1] < 0, 1:].T)[0, 1]) < 3 / np.sqrt(share * N)
    assert abs(np.corrcoef(drawn[drawn[:, 1] > 0, 1:].T)[0, 1] - 1 / 3) < 0.03  # given the first


def test_equal_rows_are_drawn_independently(two):
    drawn = two.impute(np.tile([0.0, np.nan, 1.0], (N, 1)), random_state=0)[:, 1]
    assert len(np.unique(drawn)) == N
    assert abs(np.corrcoef(drawn[1:], drawn[:-1])[0, 1]) < 3 / np.sqrt(N)


def test_a_seed_gives_the_same_values_and_another_others(two, x):
    one, again, other = (two.impute(x, random_state=seed) for seed in (3, 3, 4))
    assert_array_equal(one, again)
    gaps = np.isnan(x) & ~np.isnan(x).all(axis=1)[:, None]
    assert not (one == other)[gaps].any()
    assert abs(np.corrcoef(one[gaps], other[gaps])[0, 1]) < 0.9


@pytest.mark.parametrize("chunks", [(1234, 3), (N, 1), (777, 2)])
def test_chunks_change_nothing(two, x, chunks, tmp_path):
    expected = two.impute(x, random_state=5)
    lazy = two.impute(da.from_array(x, chunks=chunks), random_state=5)
    assert_allclose(lazy.compute(), expected, rtol=1e-12)
    zarr.create_array(tmp_path / "x.zarr", data=x, chunks=chunks)
    stored = two.impute(tmp_path / "x.zarr", random_state=5)
    assert_allclose(stored.compute(), expected, rtol=1e-12)


def test_on_a_grid_they_are_those_of_its_points(two, x):
    grid = xr.DataArray(x.reshape(100, 200, 3), dims=("lat", "lon", "band"), name="x")
    expected = two.impute(x, random_state=6).reshape(grid.shape)
    two.feature_dims_ = ("band",)
    for chunks in ({"lat": 30, "lon": 70}, {"lat": 100, "lon": 11}):
        lazy = two.impute(grid.chunk(chunks), random_state=6)
        assert lazy.dims == grid.dims
        assert_allclose(lazy.to_numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("chunks", [(1234, 3), (N, 1), (777, 2)])
def test_draws_in_zarr_are_those_of_rows_in_memory(two, x, chunks, tmp_path):
    expected = two.impute(x, random_state=5)
    lazy, out = da.from_array(x, chunks=chunks), tmp_path / "out.zarr"
    two.predict_to_zarr(lazy, out, ["label", "imputed"], random_state=5, chunks=500)
    found = zarr.open_group(out)["imputed"]
    assert_allclose(found[:], expected, rtol=1e-12)
    assert found.attrs["random_state"] == 5
    assert "draw" in found.attrs["long_name"]


@pytest.mark.parametrize("chunks", [{"lat": 30, "lon": 70}, {"lat": 100, "lon": 11}])
def test_draws_on_a_grid_in_zarr_are_those_of_its_points(two, x, chunks, tmp_path):
    grid = xr.DataArray(x.reshape(100, 200, 3), dims=("lat", "lon", "band"), name="x")
    expected = two.impute(x, random_state=6).reshape(grid.shape)
    two.feature_dims_ = ("band",)
    two.predict_to_zarr(grid.chunk(chunks), tmp_path / "out.zarr", ["imputed"], random_state=6)
    assert_allclose(zarr.open_group(tmp_path / "out.zarr")["imputed"][:], expected, rtol=1e-12)


def test_draws_in_parquet_are_those_of_rows_in_memory(two, x, tmp_path):
    frame, columns = pd.DataFrame(x, columns=["a", "b", "c"]), ["a", "b", "c"]
    two.feature_names_in_ = np.array(columns, object)
    expected = two.impute(frame, random_state=7)
    frame.to_parquet(tmp_path / "x.parquet", row_group_size=1234)
    two.predict_to_parquet(tmp_path / "x.parquet", tmp_path / "a", ["imputed"], random_state=7)
    assert_allclose(pd.read_parquet(tmp_path / "a")[columns], expected, rtol=1e-12)
    lazy = dd.from_pandas(frame, npartitions=3)
    of_partitions = two.impute(lazy, random_state=7).compute()
    two.predict_to_parquet(lazy, tmp_path / "b", ["imputed"], random_state=7)
    assert_allclose(pd.read_parquet(tmp_path / "b")[columns], of_partitions, rtol=1e-12)


def test_means_are_written_without_a_seed_and_other_draws_with_another(two, x, tmp_path):
    found = []
    for number, seed in enumerate((None, 8, 8, 9)):
        out = tmp_path / f"{number}.zarr"
        two.predict_to_zarr(x[:500], out, ["imputed"], random_state=seed)
        found.append(zarr.open_group(out)["imputed"][:])
    means, one, again, other = found
    assert_array_equal(means, two.impute(x[:500]))
    assert_array_equal(one, again)
    gaps = np.isnan(x[:500]) & ~np.isnan(one)
    assert not ((one == other) | (one == means))[gaps].any()


def test_a_seed_without_anything_to_draw_is_refused(two, x, tmp_path):
    with pytest.raises(SettingError, match="seed of the output 'imputed', which is not asked for"):
        two.predict_to_zarr(x, tmp_path / "out.zarr", random_state=1)


@pytest.mark.parametrize("seed", [0, 1, 2**32, 2**32 + 1, 2**64 - 2])
def test_numbers_of_other_seeds_streams_and_rows_are_others(seed):
    """No stream of a seed is a stream of the next one, nor the same one a row later."""
    rows = np.arange(2000)
    made = [Draws(seed + j, rows)._uniform(s) for j in range(2) for s in range(4)]
    made += [Draws(seed, rows + 1)._uniform(s) for s in range(4)]
    correlations = np.corrcoef(made) - np.eye(12)
    # A row later it is the same sequence, shifted.
    assert np.abs(correlations).max() < 5 / np.sqrt(2000)


def test_uniform_numbers_are_never_0_or_1(monkeypatch):
    for bits in (0, 2**64 - 1):
        monkeypatch.setattr(gaps, "scrambled", lambda state, bits=bits: np.uint64(bits) + 0 * state)
        drawn = Draws(0, np.arange(3)).normal(2)
        assert np.isfinite(drawn).all()
        assert (np.sign(drawn) == (1 if bits else -1)).all()


def test_a_partition_alone_has_the_values_that_it_has_among_others(two):
    frame = pd.DataFrame(np.tile([0.0, np.nan, 1.0], (40, 1)), columns=["a", "b", "c"])
    lazy = two.impute(dd.from_pandas(frame, npartitions=4), random_state=0)
    whole = lazy.compute()
    for number in range(4):
        assert_array_equal(lazy.partitions[number].compute(), whole[10 * number : 10 * number + 10])
    assert_array_equal(lazy.tail(3), whole[-3:])
    assert_array_equal(lazy.loc[15:22].compute(), whole[15:23])


def test_partitions_of_a_frame_have_values_of_their_own(two):
    frame = pd.DataFrame(np.tile([0.0, np.nan, 1.0], (40, 1)), columns=["a", "b", "c"])
    lazy = two.impute(dd.from_pandas(frame, npartitions=4), random_state=0)
    found = lazy.compute().to_numpy()
    assert len(np.unique(found[:, 1])) == 40
    assert_array_equal(found, lazy.compute().to_numpy())


def test_columns_of_a_frame_keep_their_names():
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(40, 2)), columns=["salt", "heat"])
    lazy = dd.from_pandas(frame.mask(random.random((40, 2)) < 0.2), npartitions=2)
    mixture = GaussianMixture(1, missing="marginalise").fit(lazy)
    for seed in (None, 0):
        filled = mixture.impute(lazy, random_state=seed)
        assert list(filled.columns) == list(filled.compute().columns) == ["salt", "heat"]


@pytest.mark.parametrize("missing", [0, 1])
def test_diagonal_covariances_and_other_units(missing):
    random = np.random.default_rng(0)
    whole = random.normal(size=(N, 2)) * [1.0, 1e3] + [0.0, 1e5]
    x = whole.copy()
    x[::2, missing] = np.nan
    settings = {"covariance_type": "diag", "missing": "marginalise", "standardise": True}
    mixture = GaussianMixture(1, random_state=0, **settings).fit(x)
    drawn = mixture.impute(x, random_state=0)[::2, missing]
    deviation = whole[:, missing].std()
    assert abs(drawn.mean() - whole[:, missing].mean()) < 5 * deviation / np.sqrt(N / 2)
    assert abs(drawn.std() / deviation - 1) < 5 / np.sqrt(N)


@pytest.mark.parametrize("seed", [-1, 1.5, True, "0", 2**64, np.random.default_rng(0)])
def test_other_seeds_are_refused(one, x, seed):
    with pytest.raises(SettingError, match=r"random_state is .* give a whole number from 0"):
        one.impute(x, random_state=seed)
