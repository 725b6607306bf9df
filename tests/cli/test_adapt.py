"""`daskgmm adapt` writes a model that was adapted to rows."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from numpy.testing import assert_allclose, assert_array_equal

from daskgmm import GaussianMixture, load_model

ADAPT = ("adapt", "background.json", "few.npy", "-o", "speaker.json")


@pytest.fixture(scope="module")
def crowd():
    """Few rows, and a mixture of many others."""
    random = np.random.default_rng(0)
    few = random.normal(size=(50, 2)) + 1.0
    return few, GaussianMixture(2, random_state=0).fit(random.normal(size=(500, 2)) * [3, 1])


@pytest.fixture
def background(tmp_path, monkeypatch, crowd):
    monkeypatch.chdir(tmp_path)
    few, mixture = crowd
    np.save("few.npy", few)
    np.save("weights.npy", np.linspace(0.5, 3, 50))
    mixture.save("background.json")
    return mixture


def check_alike(found, wanted):
    for name in ("weights_", "means_", "covariances_"):
        assert_array_equal(getattr(found, name), getattr(wanted, name))
    assert found.adapted_["relevance"] == wanted.adapted_["relevance"]


@pytest.mark.parametrize(
    ("options", "relevance", "names", "others"),
    [
        (("--parameters", "means,weights", "--relevance", 4), 4, ("means", "weights"), {}),
        (("--parameters", "means", "--parameters", "weights"), 16, ("means", "weights"), {}),
        (("--relevance", "means=16,weights=4"), {"means": 16, "weights": 4}, None, {}),
        (
            ("--relevance", "covariances=2", "--relevance", "means=8", "--n-iter", 3),
            {"covariances": 2, "means": 8}, None, {"n_iter": 3},
        ),
        (("--weights", "weights.npy"), 16, ("means",), {"weighed": True}),
        (
            ("--weights", "weights.npy", "--weights-are", "counts"), 16, ("means",),
            {"weighed": True, "weights_are": "counts"},
        ),
    ],
)  # fmt: skip
def test_the_model_is_that_of_map_adapt(call, background, options, relevance, names, others):
    result = call(*ADAPT, *options)
    if "counts" in options:
        assert "the relevance is weighed against n = 87.5" in result.stderr
    assert result.exit_code == 0, result.output
    assert "adapted to 50 rows" in result.stdout
    if others.pop("weighed", False):
        others["sample_weight"] = np.load("weights.npy")
    x, names = np.load("few.npy"), tuple(relevance) if names is None else names
    if "counts" in options:
        with pytest.warns(UserWarning, match="relevance"):
            wanted = background.map_adapt(x, relevance, names, **others)
    else:
        wanted = background.map_adapt(x, relevance, names, **others)
    check_alike(load_model("speaker.json"), wanted)


def test_a_column_of_weights_is_no_feature(call, background):
    random = np.random.default_rng(1)
    frame = pd.DataFrame(random.normal(size=(400, 3)), columns=["a", "w", "b"])
    frame["w"] = frame.w.abs()
    frame.to_parquet("t.parquet")
    mixture = GaussianMixture(2, random_state=0).fit(frame[["a", "b"]])
    mixture.save("named.json")
    few = frame[:40]
    few.to_parquet("few.parquet")
    done = call("adapt", "named.json", "few.parquet", "-o", "new.json", "--weight-column", "w")
    assert done.exit_code == 0, done.output
    check_alike(
        load_model("new.json"), mixture.map_adapt(few[["a", "b"]], sample_weight=few.w.to_numpy())
    )


def test_variables_and_a_variable_of_weights(call, background):
    random = np.random.default_rng(2)
    cube = {name: (("y", "x"), random.normal(size=(20, 30))) for name in ("temp", "salt")}
    xr.Dataset({**cube, "area": ("y", np.linspace(1, 2, 20))}).to_zarr(
        "sea.zarr", zarr_format=3, consolidated=False
    )
    fit = ("fit", "sea.zarr", "--variables", "temp", "--variables", "salt", "-k", 2)
    assert call(*fit, "-o", "sea.json", "-q").exit_code == 0
    options = ("--weight-column", "area", "--relevance", 2)
    done = call("adapt", "sea.json", "sea.zarr", "-o", "new.json", *options)
    assert done.exit_code == 0, done.output
    sea = xr.open_zarr("sea.zarr", consolidated=False)
    wanted = load_model("sea.json").map_adapt(sea[["temp", "salt"]], 2, sample_weight=sea.area)
    assert_allclose(load_model("new.json").means_, wanted.means_, rtol=1e-12)


def test_info_says_how_it_was_adapted(call, background):
    assert call(*ADAPT, "--relevance", "means=16,weights=4").exit_code == 0
    told = call("info", "speaker.json").stdout
    assert "adapted       means, relevance 16; weights, relevance 4, 50 rows" in told
    assert "few.npy" in told
    assert "adapted from  background.json, fitted to 500 rows" in told
    assert "NOT converged" not in told
    assert "nan" not in told
    assert load_model("speaker.json").adapted_["background"]["model"] == "background.json"


def test_rows_that_miss_a_value(call, background):
    x = np.load("few.npy")
    x[3, 1] = np.nan
    np.save("few.npy", x)
    refused = call(*ADAPT)
    assert refused.exit_code == 1
    assert "--missing drop" in refused.stderr
    done = call(*ADAPT, "--missing", "drop")
    assert done.exit_code == 0, done.output
    assert "adapted to 49 rows" in done.stdout
    wanted = background.map_adapt(np.delete(x, 3, axis=0))
    assert_allclose(load_model("speaker.json").means_, wanted.means_, rtol=1e-12)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--parameters", "mean"), ["--parameters", "means"]),
        (("--parameters", "means,means"), ["--parameters"]),
        (("--parameters", ""), ["--parameters"]),
        (("--relevance", "-1"), ["--relevance"]),
        (("--relevance", "many"), ["--relevance"]),
        (("--relevance", "nan"), ["--relevance"]),
        (("--relevance", "mean=3"), ["--relevance", "means"]),
        (("--relevance", "means=3", "--relevance", "means=4"), ["--relevance", "once"]),
        (("--relevance", "means=3", "--parameters", "weights"), ["one for each"]),
        (("--weights-are", "counts"), ["there are none"]),
        (("--weights", "weights.npy", "--weight-column", "w"), ["both name the weights"]),
        (("--n-iter", 0), ["--n-iter"]),
    ],
)
def test_wrong_usage(call, background, tmp_path, options, words):
    before = sorted(tmp_path.iterdir())
    refused = call(*ADAPT, *options)
    assert refused.exit_code == 2, refused.output
    for word in words:
        assert word in refused.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_what_exists_is_kept(call, background):
    background.save("speaker.json")
    refused = call(*ADAPT)
    assert refused.exit_code == 1
    assert "exists" in refused.stderr
