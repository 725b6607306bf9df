"""`daskgmm compare`, `transform` and `impute` do what the library does."""

import json

import numpy as np
import pandas as pd
import pytest
import zarr
from numpy.testing import assert_array_equal

from daskgmm import GaussianMixture, compare, load_model
from tests.cli.data import clusters


@pytest.fixture
def frame(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = pd.DataFrame(clusters(400), columns=["temp", "salt", "depth"])
    found.assign(name="text", w=1.5).to_parquet("t.parquet", row_group_size=150)
    return found


@pytest.fixture
def models(frame):
    for name, k in (("a", 2), ("b", 3)):
        GaussianMixture(k, random_state=0, tol=1.0).fit(frame).save(f"{name}.json")
    return "a.json", "b.json"


def test_a_comparison_is_that_of_the_library(call, frame, models):
    done = call("compare", *models, "t.parquet", "--weight-column", "w")
    assert done.exit_code == 0, done.output
    found = compare(*map(load_model, models), "t.parquet", "w")
    assert done.stdout == f"A  a.json\nB  b.json\n\n{found!r}\n"
    written = call("compare", *models, "t.parquet", "--weight-column", "w", "--json")
    assert json.loads(written.stdout) == found.as_dict()
    alone = call("compare", *models)
    assert alone.stdout.endswith(f"\n\n{compare(*map(load_model, models))!r}\n")


def test_comparisons_that_are_refused(call, frame, models):
    GaussianMixture(2, max_iter=2, tol=1.0).fit(frame[["salt", "temp"]]).save("c.json")
    refused = call("compare", "a.json", "c.json")
    assert refused.exit_code == 1
    assert "different features: 3 (temp, salt, depth) and 2 (salt, temp)" in refused.stderr
    assert call("compare", "a.json").exit_code == 2
    absent = call("compare", "a.json", "none.json")
    assert (absent.exit_code, "none.json" in absent.stderr) == (1, True)


def test_transform_writes_latent_coordinates(call, frame):
    mixture = GaussianMixture(2, covariance_type="ppca", n_factors=1, random_state=0, tol=1.0)
    mixture.fit(frame).save("m.json")
    latent, labels = mixture.transform(frame, return_labels=True)
    done = call("transform", "m.json", "t.parquet", "-o", "l.zarr", "--dtype", "float64")
    assert done.exit_code == 0, done.output
    assert_array_equal(zarr.open_array("l.zarr/latent", mode="r")[:], latent)
    assert_array_equal(zarr.open_array("l.zarr/label", mode="r")[:], labels)
    done = call("transform", "m.json", "t.parquet", "-o", "l.parquet", "--key", "name")
    assert done.exit_code == 0, done.output
    assert list(pd.read_parquet("l.parquet")) == ["name", "label", "latent_0"]


def test_transform_of_other_mixtures_is_refused_before_data_are_opened(call, models):
    refused = call("transform", "a.json", "absent.zarr/rows", "-o", "l.zarr")
    assert refused.exit_code == 1
    assert "ppca" in refused.stderr
    assert "absent" not in refused.stderr


@pytest.mark.parametrize("way", ["marginalise", "drop"])
def test_impute_fills_gaps_and_keeps_names(call, frame, way):
    gaps = frame.copy()
    gaps.iloc[::7, 1] = np.nan
    gaps.assign(name="text").to_parquet("gaps.parquet")
    mixture = GaussianMixture(2, missing=way, random_state=0, tol=1.0).fit(gaps)
    mixture.save("m.json")
    wanted = mixture.set_params(missing="marginalise").impute(gaps)
    done = call("impute", "m.json", "gaps.parquet", "-o", "full.parquet", "--key", "name")
    assert done.exit_code == 0, done.output
    found = pd.read_parquet("full.parquet")
    assert list(found) == ["name", "temp", "salt", "depth"]
    assert_array_equal(found[["temp", "salt", "depth"]], wanted)
    assert_array_equal(found.drop(columns="name")[gaps.notna()], gaps)
    done = call("impute", "m.json", "gaps.parquet", "-o", "full.zarr")
    assert done.exit_code == 0, done.output
    written = zarr.open_array("full.zarr/imputed", mode="r")
    assert_array_equal(written[:], wanted)
    assert written.attrs["columns"] == ["temp", "salt", "depth"]


def test_mixtures_that_cannot_impute_say_so(call, frame):
    GaussianMixture(2, pca=2, max_iter=2, tol=1.0).fit(frame).save("m.json")
    refused = call("impute", "m.json", "t.parquet", "-o", "full.zarr")
    assert refused.exit_code in (1, 2)
    assert "this mixture cannot" in refused.stderr
