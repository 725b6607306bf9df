"""Samples of any size: the same rows whatever the chunks, of the right distribution."""

import dask
import dask.array as da
import numpy as np
import pytest
import zarr
from dask.base import tokenize
from dask.distributed import Client, LocalCluster
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import kstest, norm

from daskgmm import GaussianMixture
from daskgmm.errors import SettingError
from daskgmm.models.density.sample_blocks import BLOCK_ROWS
from tests.models.test_density import MEANS, WAYS, WEIGHTS, fitted, matrices, rows, three


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("way", WAYS)
def test_chunks_have_no_influence(way):
    n = 2 * BLOCK_ROWS + 1000
    x, y = dask.compute(*fitted(way).sample_lazily(n, seed=1))
    for chunks in (BLOCK_ROWS // 3, BLOCK_ROWS, 3 * BLOCK_ROWS):
        other, labels = dask.compute(*fitted(way).sample_lazily(n, chunks=chunks, seed=1))
        assert_array_equal(other, x)
        assert_array_equal(labels, y)
    part, _ = fitted(way).sample_lazily(n, chunks=7000, seed=1)
    assert_array_equal(part[BLOCK_ROWS - 5 : BLOCK_ROWS + 5], x[BLOCK_ROWS - 5 : BLOCK_ROWS + 5])
    longer, _ = fitted(way).sample_lazily(2 * n, seed=1)
    assert_array_equal(longer[:n], x)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Port 8787 is already in use")
def test_workers_draw_and_regress_the_same_bits(tmp_path):
    mixture = fitted("t")

    def made(name):
        mixture.sample_to_zarr(50_000, tmp_path / name, chunks=9000, seed=1)
        rows = zarr.open_array(str(tmp_path / name), mode="r")
        found = mixture.regress(da.from_zarr(rows)[:, :2], targets=[2])
        return rows[:], *dask.compute(*found, mixture.density_rank(da.from_zarr(rows)))

    here = made("here.zarr")
    for workers in (1, 2):
        with (
            LocalCluster(
                n_workers=workers, threads_per_worker=2, dashboard_address="127.0.0.1:0"
            ) as cluster,
            Client(cluster),
        ):
            there = made(f"{workers}.zarr")
        for ours, theirs in zip(there, here, strict=True):
            assert_array_equal(ours, theirs)


def test_rows_are_of_the_mixture():
    mixture = GaussianMixture.from_parameters(WEIGHTS, MEANS, matrices(), random_state=4)
    x, y = dask.compute(*mixture.sample_lazily(200_000))
    for k, weight in enumerate(WEIGHTS):
        own = x[y == k]
        assert abs(len(own) / 200_000 - weight) < 5 * np.sqrt(weight / 200_000)
        assert_allclose(own.mean(axis=0), MEANS[k], atol=0.03)
        assert_allclose(np.cov(own.T), matrices()[k], atol=0.06)
        scaled = (own[:, 0] - MEANS[k, 0]) / np.sqrt(matrices()[k, 0, 0])
        assert kstest(scaled, norm.cdf).pvalue > 1e-3
    # Rows are in no order: neighbours, and the same rows of two blocks, are independent.
    assert abs(np.corrcoef(x[:-1, 0], x[1:, 0])[0, 1]) < 0.015
    first, second = x[:BLOCK_ROWS, 0], x[BLOCK_ROWS : 2 * BLOCK_ROWS, 0]
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.04


def test_these_rows_stay():
    x, y = dask.compute(*three(random_state=0).sample_lazily(3))
    assert_allclose(x, GOLDEN, rtol=1e-12)
    assert_array_equal(y, LABELS)


GOLDEN = [
    [-2.140463764042941, 1.7962803283151694, 2.9539896632128944],
    [-1.199229074409116, 0.7255143988402273, 2.297957155434483],
    [-0.2428930247365528, 1.9900667756028132, -1.4052106698874107],
]
LABELS = [2, 2, 0]


def test_seeds():
    first, second = (three().sample_lazily(10, seed=seed)[0].compute() for seed in (1, 2))
    assert (first != second).all()
    own = three(random_state=1).sample_lazily(10)[0].compute()
    assert_array_equal(own, first)
    drawn = three().sample_lazily(10)[0]
    assert_array_equal(drawn.compute(), drawn.compute())
    assert tokenize(drawn) != tokenize(three().sample_lazily(10)[0])


def test_noise_has_its_box_and_label():
    mixture = GaussianMixture(2, noise=True, random_state=0).fit(rows())
    mixture.weights_, mixture.noise_weight_ = mixture.weights_ / 2, 0.5
    x, y = dask.compute(*mixture.sample_lazily(1000))
    assert 400 < (y == -1).sum() < 600
    facts = mixture.fitted_on_
    assert (x[y == -1] >= facts["minimum"]).all()
    assert (x[y == -1] <= facts["maximum"]).all()


def test_to_zarr(tmp_path):
    mixture, out = three(), tmp_path / "x.zarr"
    mixture.sample_to_zarr(50_000, out, chunks=20_000, seed=3, dtype="float32")
    stored = zarr.open_array(str(out), mode="r")
    assert stored.shape == (50_000, 3)
    assert stored.chunks == (20_000, 3)
    assert_array_equal(stored[:], mixture.sample_lazily(50_000, seed=3, dtype="float32")[0])
    assert [path.name for path in tmp_path.iterdir()] == ["x.zarr"]
    with pytest.raises(FileExistsError, match="overwrite"):
        mixture.sample_to_zarr(10, out)
    mixture.sample_to_zarr(10, out, overwrite=True)
    assert zarr.open_array(str(out), mode="r").shape == (10, 3)
    assert [path.name for path in tmp_path.iterdir()] == ["x.zarr"]
    (tmp_path / "kept").mkdir()
    with pytest.raises(FileExistsError, match="not a Zarr array"):
        mixture.sample_to_zarr(10, tmp_path / "kept", overwrite=True)
    with pytest.raises(FileNotFoundError, match="no folder"):
        mixture.sample_to_zarr(10, tmp_path / "none" / "x.zarr")


def test_to_a_url():
    out = "memory://samples/x.zarr"
    three().sample_to_zarr(50_000, out, seed=3)
    stored = zarr.open_array(out, mode="r")[:]
    assert_array_equal(stored, three().sample_lazily(50_000, seed=3)[0])
    with pytest.raises(FileExistsError, match="overwrite"):
        three().sample_to_zarr(10, out)


@pytest.mark.parametrize(
    "settings", [{"n_samples": 0}, {"chunks": 0}, {"seed": -1}, {"dtype": "int8"}, {"chunks": 1.5}]
)
def test_settings_are_checked(settings):
    with pytest.raises(SettingError, match=next(iter(settings))):
        three().sample_lazily(**{"n_samples": 10, **settings})


@pytest.mark.parametrize("name", ["s.npy", "s.parquet"])
def test_a_sample_is_named_as_what_it_is(name, tmp_path):
    with pytest.raises(SettingError, match=f"ends in .{name[2:]}, and a sample is a Zarr array"):
        three().sample_to_zarr(10, tmp_path / name)
    assert not list(tmp_path.iterdir())
