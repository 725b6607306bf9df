"""`daskgmm sweep --groups` holds out whole groups, as `sweep(groups=)` does."""

import csv

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from numpy.testing import assert_allclose

from daskgmm import sweep

SETTINGS = {"n_components": (1, 2), "random_state": 0, "n_init": 1, "criterion": "heldout"}
TYPED = ("-k", "1,2", "--n-init", 1, "--criterion", "heldout", "--table", "t.csv", "--quiet")


@pytest.fixture(scope="module")
def belongs():
    return np.random.default_rng(1).permutation(np.repeat(np.arange(20), 50))


@pytest.fixture(scope="module")
def stations(belongs):
    """Rows that are alike within a station, in random order."""
    random = np.random.default_rng(0)
    return random.normal(size=(20, 2))[belongs] + 0.05 * random.normal(size=(len(belongs), 2))


@pytest.fixture(scope="module")
def expected(stations, belongs):
    return sweep(stations, groups=belongs, **SETTINGS).table["heldout"]


def heldout(path):
    with path.open() as file:
        return [float(line["heldout"]) for line in csv.DictReader(file)]


@pytest.fixture
def here(tmp_path, monkeypatch, stations, belongs):
    monkeypatch.chdir(tmp_path)
    names = [f"station {i:02}" for i in belongs]
    frame = pd.DataFrame(stations, columns=["a", "b"])
    frame.assign(station=names, number=belongs).to_parquet("both.parquet", row_group_size=170)
    frame.assign(station=names).to_csv("named.csv", index=False)
    frame.assign(number=belongs).to_parquet("numbered.parquet", row_group_size=170)
    frame.to_parquet("alone.parquet")
    np.save("belongs.npy", belongs)
    variables = {name: ("row", frame[name].to_numpy()) for name in frame}
    xr.Dataset({**variables, "number": ("row", belongs)}).to_zarr("x.zarr", consolidated=False)
    return tmp_path


@pytest.mark.parametrize(
    ("data", "groups"),
    [
        ("named.csv", ("--groups", "station")),
        ("numbered.parquet", ("--groups", "number")),
        ("both.parquet", ("--groups", "station", "--columns", "a,b")),
        ("both.parquet", ("--groups", "number", "--columns", "a,b")),
        ("alone.parquet", ("--groups", "belongs.npy")),
        ("x.zarr", ("--groups", "number", "--variables", "a,b")),
    ],
)
def test_groups_of_any_kind(here, call, expected, data, groups):
    done = call("sweep", data, *TYPED, *groups, "-o", "m.json")
    assert done.exit_code == 0, done.stderr
    assert not done.stderr
    assert_allclose(heldout(here / "t.csv"), expected, rtol=1e-6)


def test_what_holds_no_groups_is_told(here, call):
    refused = call("sweep", "named.csv", *TYPED, "--groups", "ship", "-o", "m.json")
    assert refused.exit_code == 1
    assert "ship" in refused.stderr
    assert "station" in refused.stderr
    written = ("--groups", "belongs.npy", "--checkpoint", "belongs.npy", "-o", "m.json")
    refused = call("sweep", "alone.parquet", *TYPED, *written)
    assert refused.exit_code == 2
    assert "--groups" in refused.stderr
