"""Errors about data behind a path name the path, whether they are opened or read."""

import numpy as np
import pandas as pd
import pytest
import zarr

from daskgmm import GaussianMixture, plan, sweep
from daskgmm.errors import DataError

X = np.random.default_rng(0).normal(size=(60, 3))


def spoiled(value):
    x = X.copy()
    x[7, 1] = value
    return x


BAD = {
    "1d": (X[:, 0], "Expected 2D array, got 1D array"),
    "3d": (X.reshape(20, 3, 3), "Expected 2D array, got 3D array"),
    "complex": (X + 1j, "Complex data not supported"),
    "texts": (np.array([["a", "b"]] * 60), "not numeric"),
    "dates": (X.astype("M8[s]"), "dates and durations"),
    "no column": (X[:, :0], r"0 feature\(s\)"),
    "one row": (X[:1], "1 sample"),
    "NaN": (spoiled(np.nan), "Input X contains NaN in row 7"),
    "infinity": (spoiled(np.inf), "Input X contains infinity in row 7"),
    "too large": (spoiled(1e200), r"Input X contains 1e\+200 in row 7"),
}


def stored(folder, form, x):
    path = folder / f"bad.{form}"
    if form == "npy":
        np.save(path, x)
    elif form == "zarr":
        zarr.create_array(path, data=x)
    else:
        table = pd.DataFrame(x, columns=[f"c{i}" for i in range(x.shape[1])])
        table.to_parquet(path) if form == "parquet" else table.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def mixture():
    return GaussianMixture(2, random_state=0).fit(X)


@pytest.mark.filterwarnings("ignore:The data type .* does not have a Zarr V3 specification")
@pytest.mark.parametrize("form", ["npy", "zarr"])
@pytest.mark.parametrize("what", BAD)
def test_rows_that_cannot_be_fitted(what, form, tmp_path):
    x, words = BAD[what]
    path = stored(tmp_path, form, x)
    for use in (GaussianMixture(2).fit, lambda x: sweep(x, [1, 2], n_init=1)):
        with pytest.raises(DataError, match=words) as caught:
            use(path)
        assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_rows_of_tables(form, mixture, tmp_path):
    path = stored(tmp_path, form, spoiled(np.inf))
    for use in (GaussianMixture(2).fit, mixture.score, mixture.moments, mixture.drift):
        with pytest.raises(DataError, match=rf"bad\.{form}: Input X contains infinity in row 7"):
            use(path)


def test_rows_of_another_mixture(mixture, tmp_path):
    path = stored(tmp_path, "zarr", X[:, :2])
    for use in (mixture.score, mixture.predict, mixture.drift, mixture.density_rank):
        with pytest.raises(DataError, match=r"bad\.zarr: X has 2 features, but .* expecting 3"):
            use(path)


@pytest.mark.parametrize("name", ["sample_weight", "labels", "noise_variance"])
def test_what_goes_beside_rows(name, tmp_path):
    x = np.zeros((60, 3)) if name == "noise_variance" else np.ones(60)
    x[7] = 0.5 if name == "labels" else -1.0
    path = stored(tmp_path, "npy", x)
    with pytest.raises(DataError, match=rf"bad\.npy: .*{name}.* in row 7"):
        GaussianMixture(2).fit(X, **{name: path})
    with pytest.raises(DataError, match=r"bad\.npy: "):
        GaussianMixture(2).fit(X, **{name: stored(tmp_path, "npy", X[:5])})


def test_too_few_rows_for_a_plan(tmp_path):
    with pytest.raises(DataError, match=r"bad\.npy: Expected n_samples >= n_components"):
        plan(stored(tmp_path, "npy", X[:1]), 2)


def test_an_error_of_an_array_is_as_it_was():
    with pytest.raises(DataError, match=r"^Input X contains infinity in row 7"):
        GaussianMixture(2).fit(spoiled(np.inf))


def test_no_rows_are_written_as_none(mixture, tmp_path):
    for form in ("npy", "zarr", "parquet", "csv"):
        out = tmp_path / f"{form}-out.zarr"
        assert mixture.predict_to_zarr(stored(tmp_path, form, X[:0]), out).rows == 0
        assert zarr.open_group(out, mode="r")["label"].shape == (0,)
