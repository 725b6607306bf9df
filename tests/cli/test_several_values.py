"""Options of several values take them with commas and one by one, and never drop some silently."""

import sys

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr

from daskgmm.models.model_file import load_model
from tests.cli.data import clusters


def both_ways(option, *values):
    """An option with all values, and given again for each."""
    return (option, ",".join(values)), tuple(text for value in values for text in (option, value))


def each_in_turn(*options):
    """Several options, all given the one way and then all the other."""
    return list(zip(*(both_ways(*option) for option in options), strict=True))


@pytest.fixture
def frame(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = pd.DataFrame(clusters(500), columns=["a", "b", "c"])
    found["id"], found["name"] = np.arange(500), "x"
    found.to_parquet("t.parquet")
    return found


@pytest.mark.parametrize("columns", both_ways("--columns", "c", "a"))
def test_columns(frame, call, columns):
    assert call("fit", "t.parquet", "-k", 1, *columns, "-o", "m.json", "-q").exit_code == 0
    assert list(load_model("m.json").feature_names_in_) == ["c", "a"]


@pytest.mark.parametrize(
    ("outputs", "keys"),
    each_in_turn(("--outputs", "posterior", "label"), ("--key", "id", "name")),
)
def test_outputs_and_keys(frame, call, outputs, keys):
    fit = ("fit", "t.parquet", "-k", 1, "--columns", "a,b,c", "-o", "m.json", "-q")
    assert call(*fit).exit_code == 0
    done = call("predict", "m.json", "t.parquet", "-o", "p.parquet", *outputs, *keys)
    assert done.exit_code == 0, done.output
    found = pd.read_parquet("p.parquet")
    assert list(found) == ["id", "name", "posterior_0", "label"]
    np.testing.assert_array_equal(found.id, frame.id)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sizes", "structures"),
    each_in_turn(("-k", "1-2", "4"), ("--covariance", "EEI", "spherical")),
)
def test_sizes_and_structures_of_a_sweep(folder, call, sizes, structures):
    sweep = ("sweep", "rows.npy", *sizes, *structures, "--max-iter", 3, "-o", "b.json")
    done = call(*sweep, "--table", "t.csv", "-q")
    assert done.exit_code in (0, 3), done.output
    table = pd.read_csv("t.csv")
    assert set(table.n_components) == {1, 2, 4}
    assert set(table.covariance_type) == {"EEI", "spherical"}


def test_structures_that_are_unknown_are_named(folder, call):
    refused = call("sweep", "rows.npy", "-k", 2, "--covariance", "full,rund", "-o", "b.json")
    assert refused.exit_code == 2
    assert "'rund' is not one of" in refused.stderr


@pytest.fixture
def sea(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x = clusters(24 * 36, 6).reshape(24, 36, 3, 2)
    variables = {name: (("y", "x", "depth"), x[..., i]) for i, name in enumerate(("temp", "salt"))}
    xr.Dataset(variables).to_zarr("sea.zarr", zarr_format=3, consolidated=False)


@pytest.mark.parametrize(
    ("variables", "cuts"),
    each_in_turn(("--variables", "temp", "salt"), ("--chunks", "y=8", "x=12")),
)
def test_variables_and_cuts(sea, call, variables, cuts):
    fit = ("fit", "sea.zarr", *variables, "--features", "depth", "-k", 1, "-o", "m.json", "-q")
    assert call(*fit).exit_code == 0
    assert load_model("m.json").n_features_in_ == 6
    done = call("predict", "m.json", "sea.zarr", "-o", "p.zarr", *cuts)
    assert done.exit_code == 0, done.output
    assert zarr.open_array("p.zarr/label", mode="r").chunks == (8, 12)


@pytest.mark.parametrize("features", both_ways("--features", "depth", "x"))
def test_dimensions_of_features(sea, call, features):
    fit = ("fit", "sea.zarr", "--variables", "temp", *features, "--standardise", "-k", 1)
    assert call(*fit, "--reg-covar", 1, "-o", "m.json", "-q").exit_code == 0
    assert load_model("m.json").n_features_in_ == 3 * 36


@pytest.mark.parametrize("modules", both_ways("--import", "one_of_two", "two_of_two"))
def test_modules(folder, call, model, monkeypatch, modules):
    monkeypatch.setattr(sys, "path", [*sys.path, str(folder)])
    for name in ("one_of_two", "two_of_two"):
        (folder / f"{name}.py").write_text("")
    done = call("info", model, *modules)
    imported = [sys.modules.pop(name, None) for name in ("one_of_two", "two_of_two")]
    assert done.exit_code == 0, done.output
    assert None not in imported


@pytest.mark.parametrize(
    "options",
    [
        ("fit", "--columns", "a", "--columns", "a"),
        ("predict", "--chunks", "100", "--chunks", "200"),
        ("predict", "--shards", "y=2", "--shards", "y=3"),
        ("predict", "--outputs", "label", "--outputs", "label"),
    ],
)
def test_values_that_contradict_each_other_are_refused(folder, call, model, options):
    command, *others = options
    rest = ("rows.npy", "-k", 2) if command == "fit" else (model, "rows.npy")
    refused = call(command, *rest, "-o", "out", *others)
    assert refused.exit_code == 2
    assert others[0] in refused.stderr
