"""Parquet from the command line: columns, a column of weights, predictions, info."""

import numpy as np
import pandas as pd
import pytest
import zarr

from daskgmm import GaussianMixture
from daskgmm.models.model_file import load_model
from tests.cli.data import clusters

K = ("-k", 3)


@pytest.fixture
def frame(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = pd.DataFrame(clusters(2000), columns=["a", "b", "c"])
    found["n"] = np.random.default_rng(1).integers(0, 4, 2000)
    found["name"] = "text"
    found.to_parquet("t.parquet", row_group_size=300)
    (tmp_path / "d").mkdir()
    found[:900].to_parquet("d/0.parquet")
    found[900:].to_parquet("d/1.parquet")
    return found


@pytest.mark.parametrize("path", ["t.parquet", "d", "d/*.parquet"])
def test_columns_weights_and_predictions(frame, call, path):
    chosen = ("--columns", "c,a", "--weight-column", "n")
    assert call("fit", path, *K, *chosen, "-o", "m.json", "-q").exit_code == 0
    mixture, x = load_model("m.json"), frame[["c", "a"]]
    assert list(mixture.feature_names_in_) == ["c", "a"]
    expected = GaussianMixture(3, random_state=0).fit(x, sample_weight=frame.n)
    np.testing.assert_allclose(mixture.means_, expected.means_, rtol=1e-8)
    # The columns of the fit are taken, whatever else there is.
    done = call("predict", "m.json", path, "-o", "p.zarr")
    assert done.exit_code == 0, done.output
    np.testing.assert_array_equal(zarr.open_array("p.zarr/label", mode="r")[:], expected.predict(x))
    assert "2,000 of 2 features" in call("plan", path, *K, *chosen).stdout
    swept = call("sweep", path, "-k", "2-3", *chosen, "-o", "best.json")
    assert swept.exit_code == 0, swept.output
    assert list(load_model("best.json").feature_names_in_) == ["c", "a"]


def test_a_column_of_weights_is_no_feature(frame, call):
    frame[["n", "a", "b"]].to_parquet("n.parquet")
    fit = ("fit", "n.parquet", *K, "--weight-column", "n", "-o", "m.json")
    assert call(*fit).exit_code == 0
    assert list(load_model("m.json").feature_names_in_) == ["a", "b"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 1, "--columns"),
        (("--columns", "a,zz"), 1, "no column 'zz'"),
        (("--columns", "a,name"), 1, "'name'"),
        (("--columns", "a,a"), 2, "no list of names"),
        (("--columns", "a", "--weight-column", "zz"), 1, "no column 'zz'"),
        (("--columns", "a", "--variables", "b"), 2, "Choose from Parquet with --columns"),
        (("--columns", "a", "--weights", "w", "--weight-column", "n"), 2, "both name"),
    ],
)
def test_refused(frame, call, arguments, code, words):
    refused = call("fit", "t.parquet", *K, "-o", "m.json", *arguments)
    assert refused.exit_code == code, refused.output
    assert words in " ".join(refused.stderr.split())


def test_info(frame, call):
    told = call("info", "t.parquet").stdout
    assert told.startswith("t.parquet: Parquet\n")
    assert "2,000" in told
    assert "7, of 300 rows at most" in told
    assert "--columns a,b,c,n\n" in told
    assert "double" in told
    assert "files       2" in call("info", "d").stdout
