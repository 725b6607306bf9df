"""Predictions of rows with known noise, written and in every form: those of `predict_proba`."""

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xarray as xr
import zarr
from scipy.stats import multivariate_normal

from daskgmm import GaussianMixture, GaussianMixtureClassifier
from daskgmm.errors import DataError, SettingError
from tests.models.test_known_noise import D, noisy

K, N = 2, 120

NAMES = ["ea", "eb", "ec"]

OUTPUTS = ("label", "posterior", "log_density")


@pytest.fixture(scope="module")
def data():
    """Rows, their variances, covariances and a frame of all columns, with a key."""
    x, noise, matrices = noisy(N)
    frame = pd.DataFrame(np.hstack([noise, x]), columns=[*NAMES, "a", "b", "c"])
    frame["key"] = np.arange(N) + 1000
    return x, noise, matrices, frame


@pytest.fixture(scope="module")
def mixture(data):
    """A mixture of arrays."""
    return GaussianMixture(K, random_state=0, max_iter=300).fit(data[0], noise_variance=data[1])


@pytest.fixture(scope="module")
def named(data):
    """A mixture of columns with names."""
    mixture = GaussianMixture(K, random_state=0, max_iter=300)
    return mixture.fit(data[3][["a", "b", "c"]], noise_variance=data[1])


def expected(mixture, x, noise):
    given = {"noise_variance": noise}
    return (
        mixture.predict(x, **given),
        mixture.predict_proba(x, **given),
        mixture.score_samples(x, **given),
    )


def assert_written(group, wanted, rows=slice(None)):
    for name, values in zip(OUTPUTS, wanted, strict=True):
        np.testing.assert_array_equal(np.asarray(group[name])[rows], values)


def to_zarr(mixture, x, noise, out, **settings):
    mixture.predict_to_zarr(x, out, OUTPUTS, dtype="float64", noise_variance=noise, **settings)
    return zarr.open_group(out, mode="r")


@pytest.mark.parametrize("noise", ["variances", "covariances", "shared", "none"])
def test_arrays_to_zarr(data, mixture, noise, tmp_path):
    x, variances, matrices, _ = data
    noise = {
        "variances": variances, "covariances": matrices, "shared": variances[0], "none": None
    }[noise]  # fmt: skip
    wanted = expected(mixture, x, noise)
    lazy = da.from_array(x, chunks=(50, 2))
    other = noise if noise is None or noise.ndim == 1 else da.from_array(noise, chunks=31)
    assert_written(to_zarr(mixture, x, noise, tmp_path / "a.zarr", chunks=32), wanted)
    assert_written(to_zarr(mixture, lazy, other, tmp_path / "b.zarr"), wanted)
    assert_written(to_zarr(mixture, lazy, noise, tmp_path / "c.zarr", chunks=25, shards=50), wanted)


def test_stored_noise_and_lists(data, mixture, tmp_path):
    x, noise, *_ = data
    wanted = expected(mixture, x, noise)
    np.save(tmp_path / "e.npy", noise)
    of_path = to_zarr(mixture, x, str(tmp_path / "e.npy"), tmp_path / "a.zarr")
    assert_written(of_path, wanted)
    group = zarr.open_group(tmp_path / "in.zarr", mode="w")
    stored = [
        group.create_array(name, data=v, chunks=(40, D)) for name, v in (("x", x), ("e", noise))
    ]
    assert_written(to_zarr(mixture, *stored, tmp_path / "b.zarr"), wanted)
    parts = [[whole[:30], whole[30:]] for whole in (x, noise)]
    assert_written(to_zarr(mixture, *parts, tmp_path / "c.zarr"), wanted)
    lazy = [[da.from_array(part, chunks=(25, D)) for part in whole] for whole in parts]
    assert_written(to_zarr(mixture, *lazy, tmp_path / "d.zarr"), wanted)
    found = mixture.predict_proba(lazy[0], noise_variance=parts[1])
    np.testing.assert_array_equal(found.compute(), wanted[1])


def test_a_list_of_noise_beside_a_list_of_arrays(data):
    x, noise, matrices, _ = data
    settings = {"n_components": K, "init_params": "k-means++", "random_state": 0, "max_iter": 300}
    for given in (noise, matrices):
        whole = GaussianMixture(**settings).fit(x, noise_variance=given)
        parts = [[each[:50], each[50:]] for each in (x, given)]
        found = GaussianMixture(**settings).fit(parts[0], noise_variance=parts[1])
        np.testing.assert_allclose(found.means_, whole.means_, rtol=1e-8)
        score = whole.score(x, noise_variance=given)
        assert whole.score(parts[0], noise_variance=parts[1]) == pytest.approx(score, rel=1e-12)
    with pytest.raises(DataError, match="list of 2 arrays, but X is a list of 3"):
        GaussianMixture(K).fit([x[:20], x[20:50], x[50:]], noise_variance=[noise[:50], noise[50:]])


@pytest.mark.parametrize("of", ["pandas", "polars", "arrow", "dask", "parquet", "array"])
def test_tables_to_parquet(data, named, of, tmp_path):
    _, noise, _, frame = data
    frame.to_parquet(tmp_path / "t.parquet", row_group_size=50)
    table = {
        "pandas": lambda: frame,
        "polars": lambda: pl.from_pandas(frame),
        "arrow": lambda: pa.Table.from_pandas(frame),
        "dask": lambda: dd.from_pandas(frame, npartitions=3),
        "parquet": lambda: str(tmp_path / "t.parquet"),
        "array": lambda: str(tmp_path / "t.parquet"),
    }[of]()
    given = noise if of == "array" else NAMES
    wanted = expected(named, frame[["a", "b", "c"]], noise)
    out = tmp_path / "p.parquet"
    written = named.predict_to_parquet(
        table, out, OUTPUTS, key="key", dtype="float64", noise_variance=given
    )
    assert written.rows == N
    found = pd.read_parquet(out)
    np.testing.assert_array_equal(found["key"], frame["key"])
    np.testing.assert_array_equal(found["label"], wanted[0])
    np.testing.assert_array_equal(found[["posterior_0", "posterior_1"]], wanted[1])
    np.testing.assert_array_equal(found["log_density"], wanted[2])
    if of != "array":
        own = named.predict_proba(table, noise_variance=NAMES)
        np.testing.assert_array_equal(np.asarray(own), wanted[1])
    if of in ("parquet", "dask"):
        assert_written(to_zarr(named, str(tmp_path / "t.parquet"), NAMES, tmp_path / "z"), wanted)


def test_a_mixture_without_names(data, mixture, tmp_path):
    """Features are all columns but the keys and the noise."""
    _, noise, _, frame = data
    wanted = expected(mixture, data[0], noise)
    frame = frame.assign(key=frame["key"].astype(str))
    frame.to_parquet(tmp_path / "t.parquet")
    for table in (frame, dd.from_pandas(frame, npartitions=2), str(tmp_path / "t.parquet")):
        mixture.predict_to_parquet(
            table, tmp_path / "p.parquet", key="key", overwrite=True, noise_variance=NAMES
        )
        found = pd.read_parquet(tmp_path / "p.parquet")
        np.testing.assert_array_equal(found["label"], wanted[0])
    labels = mixture.predict(dd.from_pandas(frame.drop(columns="key"), 2), noise_variance=NAMES)
    np.testing.assert_array_equal(labels.compute(), wanted[0])


def test_columns_of_other_types(data, named):
    """Features of single precision are cut at other rows than their noise would be."""
    _, noise, _, frame = data
    many = pd.concat([frame] * 300, ignore_index=True)
    mixed = many.astype(dict.fromkeys(["a", "b", "c"], "float32"))
    given = np.tile(noise, (300, 1))
    exact = mixed[["a", "b", "c"]].to_numpy()
    score = named.score(mixed[["a", "b", "c"]], noise_variance=given)
    for table in (mixed, pl.from_pandas(mixed)):
        assert named.score(table, noise_variance=NAMES) == pytest.approx(score, rel=1e-12)
        found = named.predict_proba(table, noise_variance=NAMES)
        wide = named.predict_proba(
            pd.DataFrame(exact.astype(float), columns=["a", "b", "c"]), noise_variance=given
        )
        np.testing.assert_allclose(found, wide, atol=1e-12)


def test_noise_by_path_beside_columns_of_texts(data, named, tmp_path, monkeypatch):
    """Of all columns of X the names are looked at alone: others may be no numbers."""
    _, noise, _, frame = data
    monkeypatch.chdir(tmp_path)
    wanted = named.score_samples(frame[["a", "b", "c"]], noise_variance=noise)
    frame.assign(name="?").to_parquet("x.parquet", row_group_size=50)
    frame.assign(name="?").to_csv("x.csv", index=False)
    np.save("e.npy", noise)
    for rows in ("x.parquet", "x.csv"):
        found = named.score_samples(rows, noise_variance="e.npy")
        np.testing.assert_allclose(found, wanted, rtol=1e-12)
        assert named.score(rows, noise_variance="e.npy") == pytest.approx(wanted.mean(), rel=1e-12)


@pytest.mark.parametrize("of", ["all", "each"])
def test_classes_of_noisy_rows_are_those_by_the_rule_of_bayes(data, tmp_path, of):
    """Without the outputs of its own the predictor would write components as classes."""
    x, noise, _, _ = data
    given = noise if of == "each" else noise[0]
    classes = np.where(x[:, 0] > np.median(x[:, 0]), 20, 10)
    classifier = GaussianMixtureClassifier(2, random_state=0).fit(x, classes)
    mixture = classifier.mixture_
    joint = np.zeros((N, 2))
    for place, own in enumerate(mixture.clusters_):
        for row in range(N):
            covariance = mixture.covariances_[place] + np.diag(np.broadcast_to(given, x.shape)[row])
            density = multivariate_normal.pdf(x[row], mixture.means_[place], covariance)
            joint[row, own] += mixture.weights_[place] * density
    wanted = joint / joint.sum(axis=1, keepdims=True)
    how = {"outputs": ("label", "posterior"), "dtype": "float64", "noise_variance": given}
    written = classifier.predict_to_zarr(x, tmp_path / "z", **how)
    group = zarr.open_group(tmp_path / "z", mode="r")
    np.testing.assert_allclose(group["posterior"][:], wanted, rtol=1e-9)
    labels = np.array([10, 20])[wanted.argmax(axis=1)]
    np.testing.assert_array_equal(group["label"][:], labels)
    np.testing.assert_array_equal(written.counts, [(labels == 10).sum(), (labels == 20).sum()])


def test_noise_in_another_order_is_refused_in_every_form(data, named, tmp_path):
    _, noise, _, frame = data
    paths = [str(tmp_path / "x.parquet"), str(tmp_path / "e.parquet")]
    frame.to_parquet(paths[0])
    wrong = pd.DataFrame(noise, columns=["b", "a", "c"])
    wrong.to_parquet(paths[1])
    for rows in (paths[0], frame[["a", "b", "c"]]):
        for given in (wrong, paths[1]):
            with pytest.raises(DataError, match="in another order: b, a, c"):
                named.score_samples(rows, noise_variance=given)
            with pytest.raises(DataError, match="in another order: b, a, c"):
                named.score(rows, noise_variance=given)


@pytest.mark.parametrize("lazy", [False, True], ids=["", "lazy"])
def test_grids(data, mixture, named, lazy, tmp_path):
    x, noise, _, frame = data
    shape = (10, 12)
    on_grid = {name: (("y", "x"), frame[name].to_numpy().reshape(shape)) for name in frame}
    grid = xr.Dataset(on_grid, coords={"y": np.arange(10) * 2.0})[["a", "b", "c", *NAMES]]
    grid = grid.chunk(y=4, x=7) if lazy else grid
    wanted = [values.reshape(*shape, *values.shape[1:]) for values in expected(mixture, x, noise)]
    beside = grid[NAMES].transpose("x", "y")
    for given, own in ((grid, NAMES), (grid[["a", "b", "c"]], beside)):
        found = named.predict_proba(given, noise_variance=own)
        assert found.dims == ("y", "x", "component")
        assert (found.chunks is not None) == lazy
        np.testing.assert_allclose(found, wanted[1], rtol=1e-12)
        out = tmp_path / f"{len(given)}.zarr"
        written = to_zarr(named, given, own, out, chunks={"y": 5, "x": 5})
        np.testing.assert_allclose(written["posterior"][:], wanted[1], rtol=1e-12)
        np.testing.assert_array_equal(xr.open_zarr(out, consolidated=False)["y"], grid["y"])
    line = grid.isel(x=0)
    written = to_zarr(named, line, NAMES, tmp_path / "line.zarr")
    np.testing.assert_allclose(written["posterior"][:], wanted[1][:, 0], rtol=1e-12)
    with pytest.raises(DataError, match="no named dimensions"):
        named.predict(grid[["a", "b", "c"]], noise_variance=noise)


def test_rows_that_miss_a_variance(data, tmp_path):
    x, noise = data[0].copy(), data[1].copy()
    noise[3, 1], x[5, 0] = np.nan, np.nan
    mixture = GaussianMixture(K, missing="drop", random_state=0).fit(x, noise_variance=noise)
    written = mixture.predict_to_zarr(x, tmp_path / "z", noise_variance=noise)
    assert written.missing == 2
    labels = zarr.open_group(tmp_path / "z", mode="r")["label"][:]
    assert list(np.flatnonzero(labels == -1)) == [3, 5]
    mixture.set_params(missing="error")
    with pytest.raises(DataError, match=r"noise_variance contains NaN in row 3 .*column 1"):
        mixture.predict_to_zarr(data[0], tmp_path / "y", noise_variance=noise)


def test_a_run_goes_on_beside_the_same_noise_alone(data, mixture, tmp_path, monkeypatch):
    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-9)
    x, noise, *_ = data
    lazy = da.from_array(x, chunks=(20, D))
    out = tmp_path / "z"

    class Stop(Exception):
        pass

    def stop(done, total):
        if done == 2:
            raise Stop

    def begin(out):
        with pytest.raises(Stop):
            mixture.predict_to_zarr(lazy, out, noise_variance=noise, chunks=20, progress=stop)

    begin(out)
    seen = []
    again = {"progress": lambda done, total: seen.append(total), "chunks": 20}
    mixture.predict_to_zarr(lazy, out, noise_variance=noise, **again)
    assert max(seen) < 6
    assert_written_labels(out, mixture, x, noise)
    out, seen[:] = tmp_path / "y", []
    begin(out)
    with pytest.raises(FileExistsError, match="other values of the rows"):
        mixture.predict_to_zarr(lazy, out, noise_variance=2 * noise, **again)
    mixture.predict_to_zarr(lazy, out, noise_variance=2 * noise, overwrite=True, **again)
    assert set(seen) == {6}
    assert_written_labels(out, mixture, x, 2 * noise)


def assert_written_labels(out, mixture, x, noise):
    labels = zarr.open_group(out, mode="r")["label"][:]
    np.testing.assert_array_equal(labels, mixture.predict(x, noise_variance=noise))


def test_noise_that_is_read_is_not_replaced(data, mixture, tmp_path):
    out = tmp_path / "e.zarr"
    mixture.predict_to_zarr(data[1], out, ["imputed"], dtype="float64")
    noise = zarr.open_group(out, mode="r")["imputed"]
    with pytest.raises(ValueError, match="where the data are"):
        mixture.predict_to_zarr(data[0], out, overwrite=True, noise_variance=noise)
    np.testing.assert_array_equal(noise[:], data[1])


def test_refusals(data, mixture, named, tmp_path):
    x, noise, _, frame = data
    with pytest.raises(DataError, match="no column 'ea', as its columns have no names"):
        mixture.predict_to_zarr(x, tmp_path / "z", noise_variance=NAMES)
    with pytest.raises(DataError, match="names 'a', which is a feature"):
        named.predict_to_parquet(frame, tmp_path / "p", noise_variance=["a", "ea", "eb"])
    with pytest.raises(DataError, match="names 2 columns"):
        named.predict_to_parquet(frame, tmp_path / "p", noise_variance=["ea", "eb"])
    frames = dd.from_pandas(frame[["a", "b", "c"]], npartitions=2)
    with pytest.raises(DataError, match="Make it columns beside the features"):
        named.predict(frames, noise_variance=noise)
    tailed = GaussianMixture(K, tails="t", random_state=0).fit(x)
    with pytest.raises(SettingError, match="tails"):
        tailed.predict_to_zarr(x, tmp_path / "z", noise_variance=noise)
